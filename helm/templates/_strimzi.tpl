{{- define "brooklet.strimziCluster" -}}
{{- default (include "brooklet.fullname" .) .Values.strimzi.cluster }}
{{- end }}

{{- define "brooklet.strimziConnectCluster" -}}
{{- default (include "brooklet.fullname" .) .Values.strimzi.connect.cluster }}
{{- end }}

{{- /* A connector's properties as a JSON object of strings, whichever form it has. (dict "name" NAME "connector" VALUE) */}}
{{- define "brooklet.connectorConfig" -}}
{{- $given := .connector }}
{{- if kindIs "string" $given }}
{{- $given = fromJson $given }}
{{- if hasKey $given "Error" }}{{ fail (printf "connect.connectors.%s: no JSON: %s" .name $given.Error) }}{{ end }}
{{- if kindIs "map" $given.config }}{{ $given = $given.config }}{{ end }}
{{- end }}
{{- $config := dict }}
{{- range $key, $value := $given }}{{ $_ := set $config $key (include "brooklet.propertyValue" $value) }}{{ end }}
{{- toJson $config }}
{{- end }}
