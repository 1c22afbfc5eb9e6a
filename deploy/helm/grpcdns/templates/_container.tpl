{{/* grpcdns in a Pod of CoreDNS: a native sidecar, and its volumes. The same in both modes. */}}

{{- define "grpcdns.args" -}}
{{- $g := .Values.grpcdns -}}
- serve
- --zones={{ join "," $g.zones }}
- --pods={{ $g.pods }}
- --ttl-mode={{ $g.ttlMode }}
{{- if eq $g.ttlMode "adaptive" }}
- --ttl-stable={{ $g.ttlStable }}
{{- end }}
{{- if not (kindIs "invalid" $g.ttl) }}
- --ttl={{ $g.ttl }}
{{- end }}
{{- range splitList " " (include "grpcdns.sockets" .) }}
- --listen={{ . }}
{{- end }}
{{- if $g.snapshot.enabled }}
- --snapshot=/var/cache/grpcdns/snapshot
{{- end }}
- --metrics=:9154
- --upstream={{ $g.upstream }}
- --log-format={{ $g.logFormat }}
{{- if ne $g.logLevel "info" }}
- --log-level={{ $g.logLevel }}
{{- end }}
{{- if $g.tcp.enabled }}
- --listen=0.0.0.0:{{ $g.tcp.port }}
{{- if $g.tcp.tls.secretName }}
- --tls-cert=/etc/grpcdns-tls/tls.crt
- --tls-key=/etc/grpcdns-tls/tls.key
{{- if $g.tcp.tls.clientAuth }}
- --tls-client-ca=/etc/grpcdns-tls/ca.crt
{{- end }}
{{- end }}
{{- end }}
{{- with $g.multicluster }}
- --multicluster={{ join "," . }}
{{- end }}
{{- with include "grpcdns.dnsService" . }}
- --dns-service={{ . }}
{{- end }}
{{- if not (kindIs "invalid" $g.topology.minShare) }}
- --topology-min-share={{ $g.topology.minShare }}
{{- end }}
{{- with $g.extraArgs }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The Service that clients ask, where it is not kube-system/kube-dns. */}}
{{- define "grpcdns.dnsService" -}}
{{- if .Values.grpcdns.dnsService -}}
{{- .Values.grpcdns.dnsService -}}
{{- else if eq .Values.mode "sidecar" -}}
{{- $asked := printf "%s/%s" .Release.Namespace (default "kube-dns" .Values.sidecar.service) -}}
{{- if ne $asked "kube-system/kube-dns" }}{{ $asked }}{{ end -}}
{{- else if or .Values.service.clusterIP .Values.service.clusterIPs -}}
{{- printf "%s/%s" .Release.Namespace (include "grpcdns.serviceName" .) -}}
{{- end -}}
{{- end -}}

{{- define "grpcdns.container" -}}
{{- $g := .Values.grpcdns -}}
name: grpcdns
image: "{{ $g.image.repository }}:{{ default .Chart.AppVersion $g.image.tag }}"
imagePullPolicy: {{ $g.image.pullPolicy }}
restartPolicy: Always
args:
  {{- include "grpcdns.args" . | nindent 2 }}
{{- if or $g.topology.enabled $g.env }}
env:
  {{- if $g.topology.enabled }}
  # Before Kubernetes 1.35 Pods do not have the label: the variable is then empty.
  - name: GRPCDNS_TOPOLOGY_ZONE
    valueFrom:
      fieldRef:
        fieldPath: metadata.labels['topology.kubernetes.io/zone']
  - name: GRPCDNS_TOPOLOGY_NODE
    valueFrom:
      fieldRef:
        fieldPath: spec.nodeName
  {{- end }}
  {{- with $g.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
ports:
  - name: grpcdns-metrics
    containerPort: 9154
    protocol: TCP
  {{- if $g.tcp.enabled }}
  - name: grpcdns
    containerPort: {{ $g.tcp.port }}
    protocol: TCP
  {{- end }}
{{- if eq $g.probes "grpc" }}
startupProbe:
  grpc:
    port: {{ $g.tcp.port }}
    service: coredns.dns.DnsService
  periodSeconds: 1
  timeoutSeconds: 1
  failureThreshold: 120
readinessProbe:
  grpc:
    port: {{ $g.tcp.port }}
    service: coredns.dns.DnsService
  periodSeconds: 5
  timeoutSeconds: 1
{{- else }}
# Succeeds when one worker is ready: CoreDNS is not started before that.
startupProbe:
  exec:
    command:
      - grpcdns
      - check
      - --quiet
      - --any
      {{- range splitList " " (include "grpcdns.sockets" .) }}
      - --server={{ . }}
      {{- end }}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
readinessProbe:
  httpGet:
    path: /readyz
    port: grpcdns-metrics
  periodSeconds: 10
  timeoutSeconds: 2
{{- end }}
livenessProbe:
  httpGet:
    path: /healthz
    port: grpcdns-metrics
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
resources:
  {{- toYaml $g.resources | nindent 2 }}
securityContext:
  # The user of CoreDNS's image, so that both may open the sockets (mode 0660).
  runAsUser: 65532
  runAsGroup: 65532
  runAsNonRoot: true
  readOnlyRootFilesystem: true
  allowPrivilegeEscalation: false
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
volumeMounts:
  - name: grpcdns-sockets
    mountPath: /run/grpcdns
  - name: grpcdns-private
    mountPath: /tmp
  {{- if $g.snapshot.enabled }}
  - name: grpcdns-cache
    mountPath: /var/cache/grpcdns
  {{- end }}
  {{- if $g.tcp.tls.secretName }}
  - name: grpcdns-tls
    mountPath: /etc/grpcdns-tls
    readOnly: true
  {{- end }}
{{- end -}}

{{- define "grpcdns.volumes" -}}
{{- $g := .Values.grpcdns -}}
- name: grpcdns-sockets
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
- name: grpcdns-private
  emptyDir:
    medium: Memory
    sizeLimit: 16Mi
{{- if $g.snapshot.enabled }}
# On disk: survives a restart of the container, but not of the Pod.
- name: grpcdns-cache
  emptyDir:
    sizeLimit: {{ $g.snapshot.sizeLimit }}
{{- end }}
{{- with $g.tcp.tls.secretName }}
- name: grpcdns-tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- end -}}
