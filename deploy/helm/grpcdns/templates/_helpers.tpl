{{/* Names and labels. */}}

{{- define "grpcdns.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "grpcdns.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "grpcdns.deploymentName" -}}
{{- default (include "grpcdns.fullname" .) .Values.deployment.name -}}
{{- end -}}

{{- define "grpcdns.serviceName" -}}
{{- default (include "grpcdns.fullname" .) .Values.service.name -}}
{{- end -}}

{{- define "grpcdns.clusterRoleName" -}}
{{- default (include "grpcdns.fullname" .) .Values.clusterRole.nameOverride -}}
{{- end -}}

{{- define "grpcdns.configMapName" -}}
{{- if eq .Values.mode "sidecar" }}{{ .Values.sidecar.configMap }}{{ else }}{{ include "grpcdns.fullname" . }}{{ end -}}
{{- end -}}

{{- define "grpcdns.serviceAccountName" -}}
{{- if eq .Values.mode "sidecar" -}}
{{- .Values.sidecar.serviceAccount -}}
{{- else if .Values.serviceAccount.create -}}
{{- default (include "grpcdns.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* Labels of CoreDNS's Pods. */}}
{{- define "grpcdns.selectorLabels" -}}
{{- if eq .Values.mode "sidecar" -}}
{{ toYaml .Values.sidecar.selector }}
{{- else -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/name: {{ include "grpcdns.name" . }}
{{- end -}}
{{- end -}}

{{/* metadata of an object: (list CONTEXT NAME SUFFIX LABELS ANNOTATIONS), SUFFIX for
     the name in the labels: objects of CoreDNS's Pods have none. */}}
{{- define "grpcdns.metadata" -}}
{{- $ := index . 0 -}}
{{- $part := index . 2 -}}
name: {{ index . 1 }}
labels:
  app.kubernetes.io/managed-by: {{ $.Release.Service | quote }}
  app.kubernetes.io/instance: {{ $.Release.Name | quote }}
  app.kubernetes.io/name: {{ include "grpcdns.name" $ }}{{ $part }}
  app.kubernetes.io/part-of: dns
  app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
  helm.sh/chart: "{{ $.Chart.Name }}-{{ $.Chart.Version | replace "+" "_" }}"
  {{- with merge dict (index . 3) $.Values.customLabels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- with merge dict (index . 4) $.Values.customAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
