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
{{- $components := list }}
{{- if .Values.callout.enabled }}
{{- $components = append $components (dict "component" "callout" "values" .Values.callout "services" (list "callout")) }}
{{- end }}
{{- if eq .Values.shape "together" }}
{{- $all := list "gateway" "identity" "oidc" "rbac" "tenancy" }}
{{- append $components (dict "component" "together" "values" .Values.together "services" $all) | toJson }}
{{- else }}
{{- range list "gateway" "identity" "oidc" "rbac" "tenancy" }}
{{- $components = append $components (dict "component" . "values" (get $.Values .) "services" (list .)) }}
{{- end }}
{{- if .Values.dashboardGateway.enabled }}
{{- $components = append $components (dict "component" "dashboard-gateway" "values" .Values.dashboardGateway "services" (list "gateway")) }}
{{- end }}
{{- $components | toJson }}
{{- end }}
{{- end }}

{{- /* A variable that names the file of a key of the Secret: name of the variable, key. */ -}}
{{- define "aero2.secretFile" -}}
- {name: {{ .name }}_FILE, value: /etc/aero2/secrets/{{ .key }}}
{{- end }}

{{- /* A DSN without its password, which stands in a file: root, role, database. */ -}}
{{- define "aero2.dsn" -}}
postgresql://aero2_{{ .role }}@{{ .database.hosts }}/{{ .database.name | default .root.Values.database.name }}{{ with .database.parameters }}?{{ . }}{{ end }}
{{- end }}

{{- /* The DSNs of a role in all clusters, and the file of its password, which is the same in all: root, role, prefix. */ -}}
{{- define "aero2.database" -}}
- name: {{ .prefix }}DATABASE_URL
  value: {{ include "aero2.dsn" (dict "root" .root "role" .role "database" .root.Values.database) | quote }}
{{ include "aero2.secretFile" (dict "name" (printf "%sDATABASE_PASSWORD" .prefix) "key" (printf "AERO2_%s_PASSWORD" (upper .role))) }}
{{- range $name, $database := .root.Values.database.clusters }}
- name: {{ $.prefix }}DATABASE_URL_{{ upper $name }}
  value: {{ include "aero2.dsn" (dict "root" $.root "role" $.role "database" $database) | quote }}
{{- end }}
{{- end }}

{{- /* The roles of the database that services have: their own, and those of their jobs. */ -}}
{{- define "aero2.roles" -}}
{{- $jobs := dict "identity" (list "identity" "relay" "sweep" "mail" "search") "oidc" (list "oidc" "relay" "sweep" "logout") "rbac" (list "rbac" "relay") "tenancy" (list "tenancy" "relay" "sweep" "upkeep") "gateway" list "callout" list "cli" list -}}
{{- $roles := list }}
{{- range .services }}
{{- $roles = concat $roles (get $jobs .) }}
{{- end }}
{{- uniq $roles | toJson }}
{{- end }}

{{- /* The keys of the Secret that a pod reads: root, services. No pod has those of another. */ -}}
{{- define "aero2.secretKeys" -}}
{{- $keys := list "AERO2_MASTER_KEY" }}
{{- if has "callout" .services }}
{{- $keys = list "AERO2_CALLOUT_PASSWORD" "AERO2_CALLOUT_ISSUER_SEED" "AERO2_CALLOUT_XKEY_SEED" }}
{{- end }}
{{- range .services }}
{{- $keys = append $keys (printf "NATS_%s_PASSWORD" (upper .)) }}
{{- end }}
{{- range include "aero2.roles" . | fromJsonArray }}
{{- $keys = append $keys (printf "AERO2_%s_PASSWORD" (upper .)) }}
{{- end }}
{{- concat $keys .root.Values.secretFiles | uniq | toJson }}
{{- end }}

{{- /* The keys that migrations read. */ -}}
{{- define "aero2.migrateKeys" -}}
{{- $keys := list "AERO2_OWNER_DATABASE_URL" }}
{{- range $name, $_ := .Values.database.clusters }}
{{- $keys = append $keys (printf "AERO2_OWNER_DATABASE_URL_%s" (upper $name)) }}
{{- end }}
{{- range list "tenancy" "identity" "oidc" "rbac" "relay" "sweep" "mail" "logout" "upkeep" "search" }}
{{- $keys = append $keys (printf "AERO2_%s_PASSWORD" (upper .)) }}
{{- end }}
{{- $keys | toJson }}
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

{{- /* root, keys: those of the Secret that the pod reads. */ -}}
{{- define "aero2.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 256Mi}
- name: secrets
  secret:
    secretName: {{ .root.Values.secret }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - {key: {{ . }}, path: {{ . }}}
      {{- end }}
{{- with .root.Values.database.caSecret }}
- name: database-ca
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}

{{- define "aero2.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: secrets, mountPath: /etc/aero2/secrets, readOnly: true}
{{- if .Values.database.caSecret }}
- {name: database-ca, mountPath: /etc/aero2/database-ca, readOnly: true}
{{- end }}
{{- end }}

{{- /* The environment of a pod: root, component, services. Each service has what it needs, and no more. */ -}}
{{- define "aero2.environment" -}}
{{- $root := .root -}}
{{- $shared := gt (len .services) 1 -}}
{{- if has "callout" .services }}
{{- range list "AERO2_CALLOUT_PASSWORD" "AERO2_CALLOUT_ISSUER_SEED" "AERO2_CALLOUT_XKEY_SEED" }}
{{ include "aero2.secretFile" (dict "name" . "key" .) }}
{{- end }}
{{- else }}
{{ include "aero2.secretFile" (dict "name" "AERO2_MASTER_KEY" "key" "AERO2_MASTER_KEY") }}
{{- end }}
{{- range $service := .services }}
{{- $own := ternary (printf "AERO2_%s_" (upper $service)) "AERO2_" $shared }}
- {name: {{ $own }}NATS_USER, value: {{ $service }}}
{{ include "aero2.secretFile" (dict "name" (printf "%sNATS_PASSWORD" $own) "key" (printf "NATS_%s_PASSWORD" (upper $service))) }}
{{- end }}
{{- range $role := include "aero2.roles" . | fromJsonArray }}
{{- $service := has $role $.services }}
{{- $prefix := ternary "AERO2_" (printf "AERO2_%s_" (upper $role)) (and $service (not $shared)) }}
{{ include "aero2.database" (dict "root" $root "role" $role "prefix" $prefix) }}
{{- end }}
{{- range $root.Values.secretFiles }}
{{ include "aero2.secretFile" (dict "name" . "key" .) }}
{{- end }}
{{- range $root.Values.secretEnvironment }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $root.Values.secret }}, key: {{ . }}}}
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
