"""Large dumps: `kubectl get services -A -o yaml`, which is one List."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_ITEM: Final = """\
- apiVersion: v1
  kind: Service
  metadata:
    annotations:
      meta.helm.sh/release-name: app-{n}
      meta.helm.sh/release-namespace: ns-{ns}
      kubectl.kubernetes.io/last-applied-configuration: |
        {{"apiVersion":"v1","kind":"Service","metadata":{{"name":"svc-{n}","namespace":"ns-{ns}"}},\
"spec":{{"ports":[{{"name":"http","port":80}}],"selector":{{"app":"svc-{n}"}}}}}}
    creationTimestamp: "2026-01-01T00:00:00Z"
    labels:
      app: svc-{n}
      app.kubernetes.io/managed-by: Helm
      version: "1.0"
    name: svc-{n}
    namespace: ns-{ns}
    resourceVersion: "{n}"
    uid: 6d7b7f5e-1111-4222-8333-{n:012d}
  spec:
    clusterIP: 10.{a}.{b}.{c}
    clusterIPs:
    - 10.{a}.{b}.{c}
    internalTrafficPolicy: Cluster
    ipFamilies:
    - IPv4
    ipFamilyPolicy: SingleStack
    ports:
    - name: http
      port: 80
      protocol: TCP
      targetPort: 8080
    - name: metrics
      port: 9090
      protocol: TCP
      targetPort: metrics
    selector:
      app: svc-{n}
    sessionAffinity: None
    type: ClusterIP
  status:
    loadBalancer: {{}}
"""


def write_dump(path: Path, size: float) -> int:
    """Writes about ``size`` octets; how many Services they are."""
    count = written = 0
    with path.open("w") as file:
        file.write("apiVersion: v1\nitems:\n")
        while written < size:
            a, b, c = count >> 16 & 255, count >> 8 & 255, count & 255
            written += file.write(_ITEM.format(n=count, ns=count % 100, a=a, b=b, c=c))
            count += 1
        file.write('kind: List\nmetadata:\n  resourceVersion: ""\n')
    return count
