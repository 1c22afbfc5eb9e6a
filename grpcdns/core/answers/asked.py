"""What a name asks for: the labels left of the zone, to the parts that name objects.

The shapes, right to left, are those of the Kubernetes DNS specification 1.1.0 and of CoreDNS's
``kubernetes`` plugin (its labels "svc" and "pod" stand right before the zone)::

    <zone>                                              the apex
    svc|pod                                             a name without records
    ns.svc|pod                                          the same, if the Namespace exists
    service.ns.svc                                      a Service
    endpoint.service.ns.svc                             one endpoint of a Service
    _port._protocol.service.ns.svc                      a port of a Service
    endpoint.cluster.service.ns.svc                     an endpoint of a ServiceImport
    topozone.pin|prefer._zone.service.ns.svc            the endpoints of a topology zone
    a-b-c-d.ns.pod                                      an address of a Pod

As in the plugin, a port and its protocol are recognized with or without their underscores, and a
label left of a Pod's name is ignored.
"""

from __future__ import annotations

from typing import NamedTuple

from grpcdns.core.dns.names import Name

SVC, POD = "svc", "pod"
ZONE_LABEL, PIN, PREFER = "_zone", "pin", "prefer"


class Asked(NamedTuple):
    """The parts of a name, "" for one that it has not; ``kind`` is "svc" or "pod", and "" for the
    three names above all objects: the apex, svc and pod."""

    kind: str = ""
    namespace: str = ""
    service: str = ""
    endpoint: str = ""
    cluster: str = ""
    port: str = ""
    protocol: str = ""
    zone: str = ""
    prefer: bool = False

    @property
    def key(self) -> str:
        return f"{self.namespace}/{self.service}"


def parse_name(left: Name, multicluster: bool, zonal: bool) -> Asked | None:
    """The parts of the labels left of the zone; None if they have none of the shapes."""
    if not left or left in ((SVC,), (POD,)):
        return Asked()
    kind = left[-1]
    if kind not in (SVC, POD):
        return None
    namespace = left[-2] if len(left) > 1 else ""
    named = Asked(kind, namespace, left[-3] if len(left) > 2 else "")
    rest = left[:-3]
    if len(rest) == 0:
        return named
    if len(rest) == 1:
        return named._replace(endpoint=rest[0])
    if len(rest) == 2:
        if multicluster and not rest[0].startswith("_") and not rest[1].startswith("_"):
            return named._replace(endpoint=rest[0], cluster=rest[1])
        return named._replace(port=rest[0].removeprefix("_"), protocol=rest[1].removeprefix("_"))
    if (
        zonal
        and not multicluster
        and kind == SVC
        and rest[-1] == ZONE_LABEL
        and rest[-2] in (PIN, PREFER)
    ):
        return named._replace(zone=".".join(rest[:-2]), prefer=rest[-2] == PREFER)
    return None
