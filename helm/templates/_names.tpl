{{- /* Names, labels and the image. */}}

{{- define "brooklet.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- /* Ten characters are left for a suffix, and for the controller's hash. */}}
{{- define "brooklet.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "brooklet.identityLabels" -}}
app.kubernetes.io/name: {{ include "brooklet.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The broker's pod, and no other of the release. */}}
{{- define "brooklet.selectorLabels" -}}
{{ include "brooklet.identityLabels" . }}
app.kubernetes.io/component: broker
{{- end }}

{{- define "brooklet.labels" -}}
{{ include "brooklet.identityLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: kafka
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* metadata of an object: (dict "root" $ "name" NAME "labels" MAP "annotations" MAP). */}}
{{- define "brooklet.metadata" -}}
name: {{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "brooklet.labels" .root | nindent 2 }}
  {{- with .labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "brooklet.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ default $.Chart.AppVersion .tag }}
{{- end }}
{{- end }}
{{- end }}

{{- define "brooklet.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "brooklet.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* A topic's or connector's name as a name of Kubernetes': what it may not have becomes a dash, and a hash keeps two apart. */}}
{{- define "brooklet.resourceName" -}}
{{- $plain := regexReplaceAll "[^a-z0-9.-]" (lower .) "-" | trunc 240 | trimAll ".-" }}
{{- if eq $plain . }}{{ . }}{{ else }}{{ printf "%s-%s" (default "x" $plain) (sha256sum . | trunc 8) }}{{ end }}
{{- end }}

{{- /* A value as Kafka's properties have it. Numbers of YAML are floats here, which only JSON writes without an exponent. */}}
{{- define "brooklet.propertyValue" -}}
{{- if kindIs "string" . }}{{ . }}{{ else if kindIs "slice" . }}{{ join "," . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}
