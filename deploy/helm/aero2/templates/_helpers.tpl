{{- define "aero2.name" -}}
{{- if contains "aero2" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}{{ else }}{{ printf "%s-aero2" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "aero2.selector" -}}
app.kubernetes.io/name: aero2
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "aero2.labels" -}}
{{ include "aero2.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "aero2.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "aero2.serviceAccount" -}}
{{ .Values.serviceAccount.name | default (ternary (include "aero2.name" .) "default" .Values.serviceAccount.create) }}
{{- end }}

{{- /* The processes that run, as a list of JSON objects: component, values, services. */ -}}
{{- define "aero2.components" -}}
{{- if eq .Values.shape "together" }}
{{- $all := list "gateway" "identity" "oidc" "rbac" "tenancy" }}
{{- list (dict "component" "together" "values" .Values.together "services" $all) | toJson }}
{{- else }}
{{- $components := list }}
{{- range list "gateway" "identity" "oidc" "rbac" "tenancy" }}
{{- $components = append $components (dict "component" . "values" (get $.Values .) "services" (list .)) }}
{{- end }}
{{- if .Values.dashboardGateway.enabled }}
{{- $components = append $components (dict "component" "dashboard-gateway" "values" .Values.dashboardGateway "services" (list "gateway")) }}
{{- end }}
{{- $components | toJson }}
{{- end }}
{{- end }}

{{- /* One variable from the Secret: name of the variable, key. */ -}}
{{- define "aero2.fromSecret" -}}
- name: {{ .name }}
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
{{- end }}

{{- /* A DSN whose password is a variable that stands before it. */ -}}
{{- define "aero2.dsn" -}}
postgresql://aero2_{{ .role }}:$(AERO2_{{ upper .role }}_PASSWORD)@{{ .root.Values.database.hosts }}/{{ .root.Values.database.name }}{{ with .root.Values.database.parameters }}?{{ . }}{{ end }}
{{- end }}

{{- define "aero2.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "aero2.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "aero2.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
{{- with .Values.database.caSecret }}
- name: database-ca
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{- define "aero2.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.database.caSecret }}
- {name: database-ca, mountPath: /etc/aero2/database-ca, readOnly: true}
{{- end }}
{{- end }}

{{- /* The environment of a pod: root, component, services. Each service has what it needs, and no more. */ -}}
{{- define "aero2.environment" -}}
{{- $root := .root -}}
{{- $secret := .root.Values.secret -}}
{{- $shared := gt (len .services) 1 -}}
{{- $jobs := dict "identity" (list "relay" "sweep" "mail" "search") "oidc" (list "relay" "sweep" "logout") "rbac" (list "relay") "tenancy" (list "relay" "sweep" "upkeep") "gateway" list "cli" list -}}
{{ include "aero2.fromSecret" (dict "name" "AERO2_MASTER_KEY" "key" "AERO2_MASTER_KEY" "secret" $secret) }}
{{- $roles := list }}
{{- range $service := .services }}
{{- $own := ternary (printf "AERO2_%s_" (upper $service)) "AERO2_" $shared }}
- {name: {{ $own }}NATS_USER, value: {{ $service }}}
{{ include "aero2.fromSecret" (dict "name" (printf "%sNATS_PASSWORD" $own) "key" (printf "NATS_%s_PASSWORD" (upper $service)) "secret" $secret) }}
{{- if not (has $service (list "gateway" "cli")) }}
{{ include "aero2.fromSecret" (dict "name" (printf "AERO2_%s_PASSWORD" (upper $service)) "key" (printf "AERO2_%s_PASSWORD" (upper $service)) "secret" $secret) }}
- name: {{ $own }}DATABASE_URL
  value: {{ include "aero2.dsn" (dict "root" $root "role" $service) | quote }}
{{- end }}
{{- $roles = concat $roles (get $jobs $service) }}
{{- end }}
{{- range $role := uniq $roles }}
{{ include "aero2.fromSecret" (dict "name" (printf "AERO2_%s_PASSWORD" (upper $role)) "key" (printf "AERO2_%s_PASSWORD" (upper $role)) "secret" $secret) }}
- name: AERO2_{{ upper $role }}_DATABASE_URL
  value: {{ include "aero2.dsn" (dict "root" $root "role" $role) | quote }}
{{- end }}
{{- range $root.Values.secretEnvironment }}
{{ include "aero2.fromSecret" (dict "name" . "key" . "secret" $secret) }}
{{- end }}
{{- $gateway := has "gateway" .services }}
{{- $settings := dict "AERO2_PUBLIC_URL" $root.Values.publicUrl "AERO2_NATS_URL" $root.Values.nats.url "AERO2_STREAM_REPLICAS" $root.Values.nats.streamReplicas "AERO2_METRICS_HOST" "0.0.0.0" "AERO2_METRICS_PORT" "9464" }}
{{- if $gateway }}
{{- $settings = merge (dict "AERO2_HOST" "0.0.0.0" "AERO2_PORT" "8000" "AERO2_LAME_DUCK" .values.lameDuckSeconds "AERO2_TRUSTED_PROXIES" $root.Values.trustedProxies) $settings }}
{{- end }}
{{- $settings = merge (dict "AERO2_GATEWAY_ADDRESS" (printf "%s-gateway:%v" (include "aero2.name" $root) $root.Values.service.port)) $settings }}
{{- $settings = mergeOverwrite $settings (deepCopy $root.Values.environment) (deepCopy .values.environment) }}
{{- range $name, $value := $settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}
