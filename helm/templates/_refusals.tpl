{{- /* What values.schema.json cannot say: combinations that would not work. */}}
{{- define "brooklet.refuse" -}}
{{- with .Values.listeners }}
{{- if eq $.Values.backend "embedded" }}
{{- if or .tls.enabled .sasl.enabled }}
{{- fail "listeners.tls and listeners.sasl: Brooklet serves neither TLS nor SASL yet; they are for backend=strimzi" }}
{{- end }}
{{- if not .plain.enabled }}
{{- fail "listeners.plain.enabled=false: applications in the cluster would find no broker" }}
{{- end }}
{{- if .external.enabled }}
{{- if and (eq .external.type "NodePort") (not .external.nodePort) }}
{{- fail "listeners.external.nodePort: choose a port (30000-32767), since clients must be told which it is" }}
{{- end }}
{{- if and (eq .external.type "LoadBalancer") (not .external.host) }}
{{- fail "listeners.external.host: give the load balancer's name or address, since clients must be told where it is" }}
{{- end }}
{{- end }}
{{- else if eq $.Values.backend "strimzi" }}
{{- if not (or .plain.enabled .tls.enabled .sasl.enabled) }}
{{- fail "listeners: enable one of plain, tls and sasl" }}
{{- end }}
{{- if and (not .plain.enabled) $.Values.connect.connectors $.Values.strimzi.connect.create }}
{{- fail "listeners.plain.enabled=false: the KafkaConnect written here connects to that listener; bring one of yours with strimzi.connect.create=false" }}
{{- end }}
{{- if $.Values.connect.envFrom }}
{{- fail "connect.envFrom: Strimzi's KafkaConnect takes no envFrom; name the variables in connect.env" }}
{{- end }}
{{- if .external.enabled }}
{{- fail "listeners.external: write Strimzi's own external listener, with a Kafka of yours and strimzi.createCluster=false" }}
{{- end }}
{{- else }}
{{- if not $.Values.outside.bootstrapServers }}
{{- fail "outside.bootstrapServers: backend=none needs the address of the cluster to use" }}
{{- end }}
{{- if $.Values.declared.prune }}
{{- fail "declared.prune: a CronJob does not remember what was once declared; delete it by hand, or with `brooklet apply --prune --remember FILE`" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (eq .Values.backend "strimzi") (or .Values.topicsFrom .Values.connect.connectorsFrom) }}
{{- fail "topicsFrom and connect.connectorsFrom: with backend=strimzi apply those manifests themselves; Strimzi reads no ConfigMaps" }}
{{- end }}
{{- $seen := dict }}
{{- range .Values.topics }}
{{- if hasKey $seen .name }}{{ fail (printf "topics: %s is there twice" .name) }}{{ end }}
{{- $_ := set $seen .name true }}
{{- end }}
{{- range $name, $connector := .Values.connect.connectors }}
{{- if kindIs "map" $connector }}
{{- if not (index $connector "connector.class") }}{{ fail (printf "connect.connectors.%s: connector.class is missing" $name) }}{{ end }}
{{- end }}
{{- end }}
{{- if and (not .Values.connect.enabled) (or .Values.connect.connectors .Values.connect.connectorsFrom) }}
{{- fail "connect.enabled=false: there are connectors, which would not run" }}
{{- end }}
{{- end }}
