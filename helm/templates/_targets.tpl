{{/*
The targets that the rule files declare, as JSON: what the Roles are made of.
  [{"target": …, "namespace": …, "enforce": true, "services": […], "deployments": […]}]
A file that does not say what a Role needs stops the installation here. Whether its rules are right is told by
`watchdog check`, and by the watchdog itself when it starts.
*/}}
{{- define "watchdog.targets" -}}
{{- $targets := list -}}
{{- range $file, $text := .Values.rules -}}
  {{- $rules := fromYaml $text -}}
  {{- if hasKey $rules "Error" -}}
    {{- fail (printf "rules: %s is not YAML: %s" $file $rules.Error) -}}
  {{- end -}}
  {{- range $key := list "target" "namespace" "services" -}}
    {{- if not (get $rules $key) -}}
      {{- fail (printf "rules: %s has no %s; try it with: watchdog check %s" $file $key $file) -}}
    {{- end -}}
  {{- end -}}
  {{- $services := list -}}
  {{- $deployments := list -}}
  {{- range $service := $rules.services -}}
    {{- if not (and $service.name $service.deployment) -}}
      {{- fail (printf "rules: %s has a service without name or deployment; try it with: watchdog check %s" $file $file) -}}
    {{- end -}}
    {{- $services = append $services $service.name -}}
    {{- range $color := $rules.colors | default (list "blue" "green") -}}
      {{- $deployments = append $deployments (regexReplaceAllLiteral "\\{\\{\\s*color\\s*\\}\\}" $service.deployment $color) -}}
    {{- end -}}
  {{- end -}}
  {{- $enforce := and (eq ($rules.mode | default "dry-run") "enforce") (not $.Values.dryRun) -}}
  {{- $targets = append $targets (dict "target" $rules.target "namespace" $rules.namespace "enforce" $enforce "services" (uniq $services) "deployments" (uniq $deployments)) -}}
{{- end -}}
{{- if not $targets -}}
  {{- fail "no rules: give at least one rule file, for example --set-file 'rules.banking-app\\.yaml=rules/banking-app.yaml'" -}}
{{- end -}}
{{- toJson $targets -}}
{{- end -}}
