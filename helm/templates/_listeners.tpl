{{- /* Which listeners there are, and what clients are told. */}}

{{- define "brooklet.advertisedHost" -}}
{{- default (printf "%s.%s.svc" (include "brooklet.fullname" .) .Release.Namespace) .Values.listeners.advertisedHost }}
{{- end }}

{{- /* A list of {name, port, portName, advertised} as YAML, under `listeners`. */}}
{{- define "brooklet.listeners" -}}
{{- $host := include "brooklet.advertisedHost" . }}
{{- $all := list }}
{{- with .Values.listeners }}
{{- if .plain.enabled }}
{{- $all = append $all (dict "name" "PLAINTEXT" "portName" "kafka" "port" .plain.port "advertised" (printf "%s:%v" $host .plain.port)) }}
{{- end }}
{{- if .local.enabled }}
{{- $all = append $all (dict "name" "LOCAL" "portName" "kafka-local" "port" .local.port "advertised" .local.advertised) }}
{{- end }}
{{- if .external.enabled }}
{{- $at := printf "%s:%v" (default "$(HOST_IP)" .external.host) (ternary .external.nodePort .external.port (eq .external.type "NodePort")) }}
{{- $all = append $all (dict "name" "EXTERNAL" "portName" "kafka-external" "port" .external.port "advertised" $at) }}
{{- end }}
{{- end }}
{{- dict "listeners" $all | toYaml }}
{{- end }}

{{- /* The environment that makes them: in place of the file, since the node's address is known only to the pod. */}}
{{- define "brooklet.listenersEnv" -}}
{{- $bound := list }}{{ $advertised := list }}{{ $protocols := list }}
{{- range (include "brooklet.listeners" . | fromYaml).listeners }}
{{- $bound = append $bound (printf "%s://:%v" .name .port) }}
{{- $advertised = append $advertised (printf "%s://%s" .name .advertised) }}
{{- $protocols = append $protocols (printf "%s:PLAINTEXT" .name) }}
{{- end }}
{{- with .Values.listeners.external }}
{{- if and .enabled (not .host) }}
- name: HOST_IP
  valueFrom:
    fieldRef:
      fieldPath: status.hostIP
{{- end }}
{{- end }}
- name: BROOKLET_LISTENERS
  value: {{ join "," $bound | quote }}
- name: BROOKLET_ADVERTISED_LISTENERS
  value: {{ join "," $advertised | quote }}
- name: BROOKLET_LISTENER_SECURITY_PROTOCOL_MAP
  value: {{ join "," $protocols | quote }}
{{- end }}

{{- /* What a client within the cluster needs to know, for each backend: {bootstrapServers, securityProtocol, saslMechanism, connectUrl}. */}}
{{- define "brooklet.client" -}}
{{- $fullname := include "brooklet.fullname" . }}
{{- if eq .Values.backend "none" }}
{{- with .Values.outside }}
bootstrapServers: {{ .bootstrapServers | quote }}
securityProtocol: {{ .securityProtocol }}
saslMechanism: {{ .saslMechanism | quote }}
connectUrl: {{ .connectUrl | quote }}
{{- end }}
{{- else }}
{{- $host := include "brooklet.advertisedHost" . }}
{{- $connect := printf "%s.%s.svc:%v" $fullname .Release.Namespace .Values.connect.port }}
{{- if eq .Values.backend "strimzi" }}
{{- $host = printf "%s-kafka-bootstrap.%s.svc" (include "brooklet.strimziCluster" .) .Release.Namespace }}
{{- $connect = printf "%s-connect-api.%s.svc:8083" (include "brooklet.strimziConnectCluster" .) .Release.Namespace }}
{{- end }}
{{- with .Values.listeners }}
{{- if .plain.enabled }}
bootstrapServers: {{ printf "%s:%v" $host .plain.port | quote }}
securityProtocol: PLAINTEXT
saslMechanism: ""
{{- else if .sasl.enabled }}
bootstrapServers: {{ printf "%s:%v" $host .sasl.port | quote }}
securityProtocol: SASL_SSL
saslMechanism: SCRAM-SHA-512
{{- else }}
bootstrapServers: {{ printf "%s:%v" $host .tls.port | quote }}
securityProtocol: SSL
saslMechanism: ""
{{- end }}
{{- end }}
connectUrl: {{ ternary (printf "http://%s" $connect) "" .Values.connect.enabled | quote }}
{{- end }}
{{- end }}
