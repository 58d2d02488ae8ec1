{{- define "transcribe-operator.labels" -}}
{{ include "transcribe-operator.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "transcribe-operator.selector" -}}
app.kubernetes.io/name: transcribe-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- /* The name of everything: short enough for what is appended to it. */}}
{{- define "transcribe-operator.name" -}}
{{- $name := contains .Chart.Name .Release.Name | ternary .Release.Name (printf "%s-%s" .Release.Name .Chart.Name) }}
{{- $name | trunc 50 | trimSuffix "-" }}
{{- end }}

{{- /* The plural names of the kinds of jobs, as a JSON list. */}}
{{- define "transcribe-operator.jobs" -}}
{{- $jobs := list }}
{{- range $path, $_ := .Files.Glob "crds-source/*.yaml" }}
{{- $crd := $.Files.Get $path | fromYaml }}
{{- if eq $crd.spec.scope "Namespaced" }}
{{- $jobs = append $jobs $crd.spec.names.plural }}
{{- end }}
{{- end }}
{{- toJson $jobs }}
{{- end }}

{{- /* The operator's arguments, as a YAML list. */}}
{{- define "transcribe-operator.args" -}}
- run
- --namespace={{ .Release.Namespace }}
{{- with .Values.defaultClass }}
{{- with .region }}
- --region={{ . }}
{{- end }}
{{- with .outputBucket }}
- --output-bucket={{ . }}
{{- end }}
{{- with .defaultKmsKey }}
- --default-kms-key={{ . }}
{{- end }}
{{- range $key, $value := .addedContext }}
- {{ printf "--added-context=%s=%s" $key $value | quote }}
{{- end }}
{{- range .keyAccounts }}
- --key-account={{ . }}
{{- end }}
{{- range .dataAccessRoles }}
- --data-access-role={{ . }}
{{- end }}
{{- end }}
{{- with .Values.clusterId }}
- --cluster-id={{ . }}
{{- end }}
{{- if not .Values.webhook.enabled }}
{{- else if .Values.webhook.certificateSecret }}
- --webhook-cert-dir=/etc/transcribe-operator/webhook
{{- else }}
- --webhook-configuration={{ include "transcribe-operator.name" . }}
- --webhook-ca-secret={{ include "transcribe-operator.name" . }}-webhook-ca
{{- end }}
- {{ printf "--log=%s" .Values.log.filter | quote }}
- --log-format={{ .Values.log.format }}
{{- with .Values.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end }}
