{{/* Values that contradict each other. What a single value may be is in values.schema.json. */}}
{{- define "grpcdns.validate" -}}
{{- $g := .Values.grpcdns -}}
{{- if and (eq .Values.mode "sidecar") (lookup "v1" "Namespace" "" "kube-system") -}}
{{- fail "mode sidecar changes objects of others, so it cannot be a release: helm template ... --set mode=sidecar, then deploy/switch (see README.md)" -}}
{{- end -}}
{{- range .Values.servers -}}
{{- range .plugins -}}
{{- if eq .name "kubernetes" -}}
{{- fail "servers: the plugin kubernetes would answer for the cluster instead of grpcdns: remove it, and give its zones as grpcdns.zones" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if has "auto" $g.zones -}}
{{- fail "grpcdns.zones: auto is no zone of the Corefile, which this chart makes of them; list the networks" -}}
{{- end -}}
{{- range $g.multicluster -}}
{{- if not (has . $g.zones) -}}
{{- fail (printf "grpcdns.multicluster: %s is not in grpcdns.zones" .) -}}
{{- end -}}
{{- end -}}
{{- if and (eq $g.probes "grpc") (or (not $g.tcp.enabled) $g.tcp.tls.secretName) -}}
{{- fail "grpcdns.probes: grpc needs grpcdns.tcp.enabled, without TLS: the kubelet's probe is plaintext" -}}
{{- end -}}
{{- if and $g.tcp.tls.secretName (not $g.tcp.enabled) -}}
{{- fail "grpcdns.tcp.tls: needs grpcdns.tcp.enabled; the sockets between CoreDNS and grpcdns have no TLS" -}}
{{- end -}}
{{- if and $g.tcp.tls.clientAuth (not $g.tcp.tls.secretName) -}}
{{- fail "grpcdns.tcp.tls.clientAuth: needs grpcdns.tcp.tls.secretName" -}}
{{- end -}}
{{- if and .Values.hpa.enabled .Values.autoscaler.enabled -}}
{{- fail "hpa and autoscaler: only one of them may set the replicas" -}}
{{- end -}}
{{- if and (eq .Values.deployment.dnsPolicy "None") (not .Values.deployment.dnsConfig) -}}
{{- fail "deployment.dnsPolicy: None needs deployment.dnsConfig" -}}
{{- end -}}
{{- if and (eq .Values.mode "beside") .Values.prometheus.monitor.enabled (not .Values.prometheus.service.enabled) -}}
{{- fail "prometheus.monitor: needs prometheus.service.enabled" -}}
{{- end -}}
{{- end -}}
