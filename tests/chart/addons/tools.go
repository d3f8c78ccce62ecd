// Package addons names the Prometheus operator's API types, from which controller-gen makes their definitions.
package addons

import _ "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
