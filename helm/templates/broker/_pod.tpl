{{- /* The broker's pod. */}}

{{- define "brooklet.podAnnotations" -}}
{{- with merge (dict) .Values.podAnnotations .Values.commonAnnotations }}
{{ toYaml . }}
{{- end }}
{{- with .Values.broker.config }}
brooklet.io/config-checksum: {{ toJson . | sha256sum | trunc 16 | quote }}
{{- end }}
{{- if and .Values.declared.rollOnChange (include "brooklet.declaresFiles" .) }}
brooklet.io/declared-checksum: {{ include "brooklet.declaredFiles" . | sha256sum | trunc 16 | quote }}
{{- end }}
{{- end }}

{{- define "brooklet.pod" -}}
serviceAccountName: {{ include "brooklet.serviceAccountName" . }}
automountServiceAccountToken: false
{{- /* A Service named brooklet would put BROOKLET_PORT and the like into the environment, which the broker takes for properties. */}}
enableServiceLinks: false
terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
{{- include "brooklet.scheduling" . }}
securityContext:
  {{- toYaml .Values.podSecurityContext | nindent 2 }}
containers:
  - name: brooklet
    image: {{ include "brooklet.image" . }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    args:
      - serve
      {{- if .Values.broker.config }}
      - --config=/etc/brooklet/config/server.properties
      {{- end }}
      {{- range (include "brooklet.declaredDirectories" . | fromYaml).directories }}
      - --declare={{ .path }}
      {{- end }}
      {{- if and .Values.declared.prune (include "brooklet.declares" .) }}
      - --prune
      {{- end }}
      {{- with .Values.broker.extraArgs }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    env:
      - name: BROOKLET_DATA_DIR
        value: /data
      - name: BROOKLET_ADMIN
        value: {{ printf "0.0.0.0:%v" .Values.admin.port | quote }}
      - name: BROOKLET_CONNECT
        value: {{ ternary (printf "0.0.0.0:%v" .Values.connect.port) "off" .Values.connect.enabled | quote }}
      - name: BROOKLET_LOG
        value: {{ .Values.broker.log | quote }}
      - name: BROOKLET_LOG_FORMAT
        value: {{ .Values.broker.logFormat }}
      {{- include "brooklet.listenersEnv" . | trim | nindent 6 }}
      {{- with concat .Values.connect.env .Values.extraEnv }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
    {{- with .Values.connect.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    ports:
      {{- range (include "brooklet.listeners" . | fromYaml).listeners }}
      - name: {{ .portName }}
        containerPort: {{ .port }}
      {{- end }}
      {{- if .Values.connect.enabled }}
      - name: http-connect
        containerPort: {{ .Values.connect.port }}
      {{- end }}
      - name: http-admin
        containerPort: {{ .Values.admin.port }}
    startupProbe:
      httpGet: {path: /healthz, port: http-admin}
      {{- toYaml .Values.startupProbe | nindent 6 }}
    readinessProbe:
      httpGet: {path: /readyz, port: http-admin}
      {{- toYaml .Values.readinessProbe | nindent 6 }}
    livenessProbe:
      httpGet: {path: /healthz, port: http-admin}
      {{- toYaml .Values.livenessProbe | nindent 6 }}
    resources:
      {{- toYaml .Values.resources | nindent 6 }}
    securityContext:
      {{- toYaml .Values.securityContext | nindent 6 }}
    volumeMounts:
      - name: data
        mountPath: /data
      {{- if .Values.broker.config }}
      - name: config
        mountPath: /etc/brooklet/config
        readOnly: true
      {{- end }}
      {{- include "brooklet.declaredMounts" . | trim | nindent 6 }}
      {{- range $index, $mount := .Values.connect.secretMounts }}
      - name: connect-secret-{{ $index }}
        mountPath: {{ $mount.mountPath }}
        readOnly: true
      {{- end }}
      {{- with .Values.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
{{- with include "brooklet.volumes" . | trim }}
volumes:
  {{- . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "brooklet.volumes" -}}
{{- with .Values.persistence }}
{{- if not .enabled }}
- name: data
  emptyDir:
    {{- toYaml .emptyDir | nindent 4 }}
{{- else if .existingClaim }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
{{- end }}
{{- end }}
{{- if .Values.broker.config }}
- name: config
  configMap:
    name: {{ include "brooklet.fullname" . }}-config
{{- end }}
{{- include "brooklet.declaredVolumes" . }}
{{- range $index, $mount := .Values.connect.secretMounts }}
- name: connect-secret-{{ $index }}
  secret:
    secretName: {{ $mount.secretName }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "brooklet.declaredMounts" -}}
{{- range (include "brooklet.declaredDirectories" . | fromYaml).directories }}
- name: {{ .name }}
  mountPath: {{ .path }}
  readOnly: true
{{- end }}
{{- end }}

{{- define "brooklet.declaredVolumes" -}}
{{- range (include "brooklet.declaredDirectories" . | fromYaml).directories }}
- name: {{ .name }}
  {{- toYaml .source | nindent 2 }}
{{- end }}
{{- end }}

{{- /* Where pods of this chart may run, and what their images are pulled with. */}}
{{- define "brooklet.scheduling" -}}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.topologySpreadConstraints }}
topologySpreadConstraints:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
