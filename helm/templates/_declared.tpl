{{- /* Topics and connectors as files. */}}

{{- /* Whether anything is declared: "" if not. */}}
{{- define "brooklet.declares" -}}
{{- with .Values }}{{ if or .topics .topicsFrom .connect.connectors .connect.connectorsFrom }}true{{ end }}{{ end }}
{{- end }}

{{- /* Whether the chart itself has files of it. */}}
{{- define "brooklet.declaresFiles" -}}
{{- with .Values }}{{ if or .topics .connect.connectors }}true{{ end }}{{ end }}
{{- end }}

{{- /* The spec of a KafkaTopic. */}}
{{- define "brooklet.kafkaTopicSpec" -}}
{{- if ne .name (include "brooklet.resourceName" .name) }}
topicName: {{ .name | quote }}
{{- end }}
{{- with .partitions }}
partitions: {{ int . }}
{{- end }}
{{- with .replicas }}
replicas: {{ int . }}
{{- end }}
{{- with .config }}
config:
  {{- range $key, $value := . }}
  {{ $key }}: {{ include "brooklet.propertyValue" $value | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* The topics as a file of KafkaTopic manifests. */}}
{{- define "brooklet.kafkaTopics" -}}
{{- range .Values.topics }}
---
apiVersion: {{ $.Values.strimzi.apiVersion }}
kind: KafkaTopic
metadata:
  name: {{ include "brooklet.resourceName" .name }}
spec:
  {{- include "brooklet.kafkaTopicSpec" . | trim | nindent 2 }}
{{- end }}
{{- end }}

{{- /* A connector as Kafka Connect's JSON: text as it is, a map with its properties as strings. (dict "name" NAME "connector" VALUE) */}}
{{- define "brooklet.connectorJson" -}}
{{- if kindIs "string" .connector }}
{{- .connector }}
{{- else }}
{{- $config := dict }}
{{- range $key, $value := .connector }}{{ $_ := set $config $key (include "brooklet.propertyValue" $value) }}{{ end }}
{{- dict "name" .name "config" $config | toPrettyJson }}
{{- end }}
{{- end }}

{{- /* The files, for a ConfigMap's data. */}}
{{- define "brooklet.declaredFiles" -}}
{{- if .Values.topics }}
topics.yaml: |
  {{- include "brooklet.kafkaTopics" . | trim | nindent 2 }}
{{- end }}
{{- range $name, $connector := .Values.connect.connectors }}
{{ include "brooklet.resourceName" $name }}.json: {{ include "brooklet.connectorJson" (dict "name" $name "connector" $connector) | quote }}
{{- end }}
{{- end }}

{{- /* Where they are mounted: a list of {name, path, source} under `directories`, the chart's own first. */}}
{{- define "brooklet.declaredDirectories" -}}
{{- $all := list }}
{{- if include "brooklet.declaresFiles" . }}
{{- $source := dict "configMap" (dict "name" (printf "%s-declared" (include "brooklet.fullname" .))) }}
{{- $all = append $all (dict "name" "declared" "path" "/etc/brooklet/declared/chart" "source" $source) }}
{{- end }}
{{- range $index, $from := concat .Values.topicsFrom .Values.connect.connectorsFrom }}
{{- $source := ternary (dict "configMap" (dict "name" $from.configMap)) (dict "secret" (dict "secretName" $from.secret)) (hasKey $from "configMap") }}
{{- $path := printf "/etc/brooklet/declared/%d-%s" $index (default $from.secret $from.configMap) }}
{{- $all = append $all (dict "name" (printf "declared-%d" $index) "path" $path "source" $source) }}
{{- end }}
{{- dict "directories" $all | toYaml }}
{{- end }}
