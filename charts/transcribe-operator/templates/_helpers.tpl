{{- define "transcribe-operator.labels" -}}
app.kubernetes.io/name: transcribe-operator
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "transcribe-operator.selector" -}}
app.kubernetes.io/name: transcribe-operator
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
