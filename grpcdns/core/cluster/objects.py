"""Kubernetes objects as DNS needs them, and the Change that carries one.

Only frozen values and their packed form are here. Each field is one that a record, or the
explanation of an answer, is made from: a field costs memory in the feed and in each worker.

An object travels and is stored *packed* (msgpack, fields by position): 10,000 slices of ten
endpoints are 6 MB as bytes and 60 MB as Python objects, and two packed objects are equal
exactly when the objects are, which makes a diff a comparison of bytes.
"""

from __future__ import annotations

import enum
from typing import Final

import msgspec


class Kind(enum.IntEnum):
    """The kinds that are watched. The numbers are part of the snapshot format."""

    NAMESPACE = 1
    SERVICE = 2
    ENDPOINT_SLICE = 3
    POD = 4
    SERVICE_IMPORT = 5
    SERVICE_CIDR = 6


class Held(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why an object is what the API no longer says: the option that holds it, and since when (unix
    seconds). Answers made from it have a TTL of 1 s."""

    by: str
    since: int


class Port(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A port of a Service, ServiceImport or slice; ``number`` is -1 if the API gives none."""

    name: str = ""
    protocol: str = ""
    number: int = -1


class Namespace(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Namespace: DNS only needs to know that it exists. ``namespace`` is always empty."""

    namespace: str
    name: str
    held: Held | None = None


class Service(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Service.

    ``cluster_ips`` is ``("None",)`` for a headless Service and ``("",)`` if the API gives none;
    ``external_ips`` holds spec.externalIPs, then each load balancer ingress (its IP, else its
    hostname). ``traffic_distribution`` is spec.trafficDistribution, "" if there is none or no
    option needs it.
    """

    namespace: str
    name: str
    type: str = "ClusterIP"
    cluster_ips: tuple[str, ...] = ("",)
    external_name: str = ""
    ports: tuple[Port, ...] = ()
    external_ips: tuple[str, ...] = ()
    traffic_distribution: str = ""
    held: Held | None = None

    @property
    def headless(self) -> bool:
        return self.cluster_ips[:1] == ("None",)


class EndpointDetails(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What of an endpoint only some options need.

    ``serving`` and ``terminating``: its conditions. ``node``: nodeName, or "". ``for_zones`` and
    ``for_nodes``: the names in its hints. Zones and nodes are in lower case.
    """

    serving: bool = True
    terminating: bool = False
    node: str = ""
    for_zones: tuple[str, ...] = ()
    for_nodes: tuple[str, ...] = ()


class Endpoint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One endpoint of a slice. ``pod`` is targetRef.name, ``zone`` its topology zone; or "".

    ``details``: None, one octet, where no option needs them and where they say no more than
    ``ready`` does.
    """

    addresses: tuple[str, ...]
    ready: bool = True
    hostname: str = ""
    pod: str = ""
    zone: str = ""
    details: EndpointDetails | None = None


class EndpointSlice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An EndpointSlice.

    ``service`` is the label kubernetes.io/service-name; ``imported_service`` and ``cluster`` are
    service-name and source-cluster of multicluster.kubernetes.io; each is "" if there is none.
    """

    namespace: str
    name: str
    service: str
    address_type: str = "IPv4"
    endpoints: tuple[Endpoint, ...] = ()
    ports: tuple[Port, ...] = ()
    imported_service: str = ""
    cluster: str = ""
    held: Held | None = None


class Pod(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A Pod that is neither finished nor terminating; ``ip`` is status.podIP, or ""."""

    namespace: str
    name: str
    ip: str = ""
    held: Held | None = None


class ServiceImport(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A ServiceImport of the Multi-Cluster Services API. ``type`` is ClusterSetIP or Headless;
    ``traffic_distribution`` as for a Service."""

    namespace: str
    name: str
    type: str = "ClusterSetIP"
    ips: tuple[str, ...] = ()
    ports: tuple[Port, ...] = ()
    traffic_distribution: str = ""
    held: Held | None = None

    @property
    def headless(self) -> bool:
        return self.type == "Headless"


class ServiceCIDR(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A ServiceCIDR: one or two networks that cluster IPs are taken from. ``namespace`` is always
    empty, and nobody holds one."""

    namespace: str
    name: str
    cidrs: tuple[str, ...] = ()
    held: Held | None = None


Object = Namespace | Service | EndpointSlice | Pod | ServiceImport | ServiceCIDR

TYPES: Final[dict[Kind, type[Object]]] = {
    Kind.NAMESPACE: Namespace,
    Kind.SERVICE: Service,
    Kind.ENDPOINT_SLICE: EndpointSlice,
    Kind.POD: Pod,
    Kind.SERVICE_IMPORT: ServiceImport,
    Kind.SERVICE_CIDR: ServiceCIDR,
}


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An object came or changed (``body`` is the whole object, packed) or went (``body`` is None).

    ``key`` is ``namespace/name``, or ``/name`` for a Namespace. ``at`` is when the feed saw it, in
    unix seconds: it becomes the SOA serial, so that all workers give the same one. ``triggered`` is
    the slice's endpoints.kubernetes.io/last-change-trigger-time in unix seconds, or 0.
    """

    kind: Kind
    key: str
    body: bytes | None
    at: int = 0
    triggered: float = 0.0


class Objects(msgspec.Struct, frozen=True, array_like=True, tag="objects"):
    """Objects of one kind: key and packed body of each."""

    kind: Kind
    entries: tuple[tuple[str, bytes], ...]


_encoder = msgspec.msgpack.Encoder()
_decoders: Final = {kind: msgspec.msgpack.Decoder(type_) for kind, type_ in TYPES.items()}


def key_of(obj: Object) -> str:
    """The key of an object in its kind: ``namespace/name``."""
    return f"{obj.namespace}/{obj.name}"


def pack(obj: Object) -> bytes:
    """The packed form of an object: equal objects give equal bytes.

    ``held``, the last field of each, is left out where it is None: what is not held is packed as it
    was before there was such a field, as snapshots have it.
    """
    body = _encoder.encode(obj)
    if obj.held is None:
        # The first octet is 0x90 and the number of fields, the last one None.
        return bytes((body[0] - 1,)) + body[1:-1]
    return body


DECODE: Final = {kind: decoder.decode for kind, decoder in _decoders.items()}
"""As `unpack`, for bodies that it has read before."""


def unpack(kind: Kind, body: bytes) -> Object:
    """The object in ``body``. Raises ``msgspec.DecodeError`` if it is not one of ``kind``."""
    try:
        return _decoders[kind].decode(body)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"text that is not UTF-8: {error.reason}") from error


class _BareEndpoint(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a look-up of addresses alone needs of an `Endpoint`."""

    addresses: tuple[str, ...]
    ready: bool = True


class BareSlice(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The same of an `EndpointSlice`: the other fields are not unpacked."""

    namespace: msgspec.Raw
    name: msgspec.Raw
    service: msgspec.Raw
    address_type: str
    endpoints: tuple[_BareEndpoint, ...] = ()
    ports: msgspec.Raw = msgspec.Raw()
    imported_service: msgspec.Raw = msgspec.Raw()
    cluster: msgspec.Raw = msgspec.Raw()
    held: Held | None = None


_bare_decoder: Final = msgspec.msgpack.Decoder(BareSlice)


def bare_slice(body: bytes) -> BareSlice:
    """A packed EndpointSlice that has been read before, without what only other look-ups need."""
    return _bare_decoder.decode(body)


class _Ports(msgspec.Struct, frozen=True, array_like=True):
    """An EndpointSlice of which only the ports are unpacked."""

    namespace: str
    name: str
    service: str
    address_type: str
    endpoints: msgspec.Raw
    ports: tuple[Port, ...]


_ports_decoder: Final = msgspec.msgpack.Decoder(_Ports)


def ports_of(body: bytes) -> tuple[Port, ...]:
    """The ports of a packed EndpointSlice."""
    return _ports_decoder.decode(body).ports
