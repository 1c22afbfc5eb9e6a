{{/* A plugin of a server block, indented. */}}
{{- define "grpcdns.plugins" -}}
{{- range . }}
    {{ .name }}{{ if .parameters }} {{ .parameters }}{{ end }}{{ if .configBlock }} {
{{ .configBlock | indent 8 }}
    }{{ end }}
{{- end }}
{{- end -}}

{{- define "grpcdns.sockets" -}}
{{- range $number := until (int .Values.grpcdns.workers) }}{{ if $number }} {{ end }}unix:///run/grpcdns/{{ $number }}.sock{{ end -}}
{{- end -}}

{{- define "grpcdns.corefile" -}}
{{- $cache := .Values.clusterServer.cache -}}
{{- range $name, $conf := .Values.extraConfig }}
{{- $name }}{{ if $conf.parameters }} {{ $conf.parameters }}{{ end }}
{{ end -}}
{{ join " " .Values.grpcdns.zones }} {
    grpc . {{ include "grpcdns.sockets" . }} {
        policy round_robin
    }
    # An answer is cached for its TTL, which grpcdns chooses: 0 is not cached. The last 0 of `success`
    # and `denial` allows that; CoreDNS's own minimum is 5 s.
    cache {{ $cache.seconds }} {
        success {{ $cache.success }} {{ $cache.seconds }} 0
        denial {{ $cache.denial }} {{ $cache.seconds }} 0
        servfail 0
    }
    {{- include "grpcdns.plugins" .Values.clusterServer.plugins }}
}
{{- range .Values.servers }}
{{- $port := default 53 .port }}

{{ range $at, $zone := .zones }}{{ if $at }} {{ end }}{{ default "" $zone.scheme }}{{ default "." $zone.zone }}{{ if ne (int $port) 53 }}:{{ $port }}{{ end }}{{ else }}.{{ if ne (int $port) 53 }}:{{ $port }}{{ end }}{{ end }} {
    {{- include "grpcdns.plugins" .plugins }}
}
{{- end }}
{{- with .Values.extraServers }}

{{ . | trim }}
{{- end }}
{{- end -}}

{{/* The ports of the servers, as JSON: {"53": {"udp": true, "tcp": true, "service": 53}}. */}}
{{- define "grpcdns.ports" -}}
{{- $ports := dict "53" (dict "udp" true "tcp" true "service" 53) -}}
{{- range $server := .Values.servers -}}
  {{- $port := default 53 $server.port -}}
  {{- $new := dict "udp" false "tcp" false "service" (default $port $server.servicePort) -}}
  {{- $about := default $new (get $ports (toString $port)) -}}
  {{- range default (list dict) $server.zones -}}
    {{- if eq (default "dns://" .scheme) "dns://" -}}
      {{- $_ := set $about "udp" true -}}
      {{- if .use_tcp }}{{ $_ := set $about "tcp" true }}{{ end -}}
    {{- else -}}
      {{- $_ := set $about "tcp" true -}}
    {{- end -}}
  {{- end -}}
  {{- range $key := list "nodePort" "hostPort" -}}
    {{- with get $server $key }}{{ $_ := set $about $key . }}{{ end -}}
  {{- end -}}
  {{- $_ := set $ports (toString $port) $about -}}
{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* The same as a list for a container or a Service: (list CONTEXT "container"|"service") */}}
{{- define "grpcdns.portList" -}}
{{- $kind := index . 1 -}}
{{- range $port, $about := include "grpcdns.ports" (index . 0) | fromJson }}
{{- range $protocol := list "udp" "tcp" }}
{{- if get $about $protocol }}
- name: {{ if eq $port "53" }}dns{{ if eq $protocol "tcp" }}-tcp{{ end }}{{ else }}{{ $protocol }}-{{ $port }}{{ end }}
  {{- if eq $kind "container" }}
  containerPort: {{ $port }}
  {{- with $about.hostPort }}
  hostPort: {{ . }}
  {{- end }}
  {{- else }}
  port: {{ $about.service }}
  targetPort: {{ $port }}
  {{- with $about.nodePort }}
  nodePort: {{ . }}
  {{- end }}
  {{- end }}
  protocol: {{ upper $protocol }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
