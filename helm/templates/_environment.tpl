{{/* The settings of one source, or of the alerts, that are given: a list of environment variables. */}}
{{- define "watchdog.variables" -}}
{{- $prefix := .prefix -}}
{{- range $name, $value := .plain -}}
{{- if $value }}
- name: {{ $prefix }}{{ $name }}
  value: {{ kindIs "string" $value | ternary $value (toJson $value) | quote }}
{{- end -}}
{{- end -}}
{{- range $name, $key := .files -}}
{{- if $key }}
{{- if not $.secret }}{{ fail (printf "the key %s is named, but not the Secret that holds it: set secretName" $key) }}{{ end }}
- name: {{ $prefix }}{{ $name }}_FILE
  value: /etc/watchdog/secret/{{ $key }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "watchdog.environment" -}}
{{- $secret := .Values.secretName -}}
{{- with .Values.prometheus -}}
{{- if .url -}}
{{- include "watchdog.variables" (dict "prefix" "WATCHDOG_PROMETHEUS__" "secret" $secret
  "plain" (dict "URL" .url "USERNAME" .username "HEADERS" .headers "PARAMETERS" .parameters "DEADLINE" .deadline "MAX_AGE" .maxAge "QUERY_OFFSET" .queryOffset)
  "files" (dict "PASSWORD" .passwordKey "TOKEN" .tokenKey "CA" .caKey "CERT" .certKey "KEY" .privateKeyKey)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.elasticsearch -}}
{{- if .urls -}}
{{- include "watchdog.variables" (dict "prefix" "WATCHDOG_ELASTICSEARCH__" "secret" $secret
  "plain" (dict "URLS" (join "," .urls) "USERNAME" .username "HEADERS" .headers "DEADLINE" .deadline)
  "files" (dict "PASSWORD" .passwordKey "TOKEN" .tokenKey "CA" .caKey "CERT" .certKey "KEY" .privateKeyKey)) -}}
{{- end -}}
{{- end -}}
{{- with .Values.alerts -}}
{{- include "watchdog.variables" (dict "prefix" "WATCHDOG_" "secret" $secret "plain" dict
  "files" (dict "WEBHOOK_URL" .webhookUrlKey "SLACK_WEBHOOK_URL" .slackWebhookUrlKey)) -}}
{{- end -}}
{{- end -}}
