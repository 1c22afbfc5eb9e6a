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

from typing import Final

from grpcdns.core.dns.names import Name

SVC: Final = "svc"
POD: Final = "pod"
ZONE_LABEL: Final = "_zone"
PIN: Final = "pin"
PREFER: Final = "prefer"


class Asked:
    """The parts of a name, "" for one that it has not; ``kind`` is "svc" or "pod", and "" for the
    three names above all objects: the apex, svc and pod. ``key`` is the Service's."""

    __slots__ = (
        "cluster", "endpoint", "key", "kind", "namespace", "port", "prefer", "protocol", "service",
        "zone",
    )  # fmt: skip

    def __init__(
        self,
        kind: str = "",
        namespace: str = "",
        service: str = "",
        endpoint: str = "",
        cluster: str = "",
        port: str = "",
        protocol: str = "",
        zone: str = "",
        prefer: bool = False,
    ) -> None:
        self.kind = kind
        self.namespace = namespace
        self.service = service
        self.endpoint = endpoint
        self.cluster = cluster
        self.port = port
        self.protocol = protocol
        self.zone = zone
        self.prefer = prefer
        self.key = f"{namespace}/{service}"


def parse_name(left: Name, multicluster: bool, zonal: bool) -> Asked | None:
    """The parts of the labels left of the zone; None if they have none of the shapes."""
    count = len(left)
    if count == 0:
        return Asked()
    kind = left[-1]
    if kind != SVC and kind != POD:
        return None
    if count < 3:
        return Asked(kind, left[-2]) if count == 2 else Asked()
    namespace, service = left[-2], left[-3]
    if count == 3:
        return Asked(kind, namespace, service)
    rest = left[:-3]
    if count == 4:
        return Asked(kind, namespace, service, rest[0])
    if count == 5:
        if multicluster and not rest[0].startswith("_") and not rest[1].startswith("_"):
            return Asked(kind, namespace, service, rest[0], rest[1])
        port, protocol = rest[0].removeprefix("_"), rest[1].removeprefix("_")
        return Asked(kind, namespace, service, port=port, protocol=protocol)
    if (
        zonal
        and not multicluster
        and kind == SVC
        and rest[-1] == ZONE_LABEL
        and rest[-2] in (PIN, PREFER)
    ):
        zone = ".".join(rest[:-2])
        return Asked(kind, namespace, service, zone=zone, prefer=rest[-2] == PREFER)
    return None
