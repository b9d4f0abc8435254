{{/* The names of the Leases, as JSON: one a shard, and one a replica where there are shards to share. */}}
{{- define "watchdog.leases" -}}
{{- $name := include "watchdog.name" . -}}
{{- $leases := list -}}
{{- $shards := int .Values.shards -}}
{{- range $number := until $shards -}}
  {{- $leases = append $leases (printf "%s-shard-%d" $name $number) -}}
  {{- if gt $shards 1 -}}
    {{- $leases = append $leases (printf "%s-replica-%d" $name $number) -}}
  {{- end -}}
{{- end -}}
{{- toJson $leases -}}
{{- end -}}

{{/* The shard of a target, given as a dict with target and shards: what the watchdog computes too. */}}
{{- define "watchdog.shard" -}}
{{- mod (int64 (printf "0x%s" (trunc 7 (sha256sum .target)))) (int64 .shards) -}}
{{- end -}}
