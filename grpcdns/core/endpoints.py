"""Endpoints and ports: which of them a question gets, and what their labels are.

Whatever is passed over is told to an `Observer` where there is one: explain.py has the only one,
answers are made without.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from grpcdns.core.names import MAX_LABEL, Name, address_from_text
from grpcdns.core.objects import Endpoint, EndpointSlice, Port
from grpcdns.core.query import Asked

NO_PORT: Final = Port()


class Reason(enum.Enum):
    """Why an object, or a part of one, is not in an answer."""

    NOT_READY = "not ready"
    NAMES = "a slice of names (addressType FQDN), not of addresses"
    NO_ADDRESS = "not an address"
    OTHER_PORT = "other port name or protocol"
    OTHER_ZONE = "in another topology zone"
    OTHER_ENDPOINT = "another endpoint's name"
    OTHER_CLUSTER = "of another cluster"
    OTHER_FAMILY = "of the other address family"
    HIDDEN_NAMESPACE = "its namespace is left out by --namespaces"
    NO_ENDPOINTS = "left out by --no-endpoints"
    EMPTY_SERVICE = "without ready endpoints, left out by --ignore-empty-service"


Observer = Callable[[Reason, object, str], None]
"""Told the reason, the object that is passed over, and which part of it ("" for all)."""


class Hit(NamedTuple):
    """What a name leads to: an address, or a name (ExternalName), a port, an SRV target."""

    host: bytes | Name
    port: int
    target: Name


def endpoint_label(endpoint: Endpoint, text: str, pod_names: bool) -> str:
    """The label of an endpoint: hostname, else (option) the Pod's name, else its address.

    A Pod's name that is not one label (over 63 octets, or dotted) is passed over; an IPv6 address
    that ends in ``::`` gets a 0, as no label may end in a dash.
    """
    if endpoint.hostname:
        return endpoint.hostname
    if pod_names and 0 < len(endpoint.pod) <= MAX_LABEL and "." not in endpoint.pod:
        return endpoint.pod
    label = text.replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label


def ready(
    slice_: EndpointSlice, observer: Observer | None = None
) -> Iterator[tuple[Endpoint, bytes, str]]:
    """Ready endpoints with each of their addresses. Slices of names (FQDN) have none."""
    if slice_.address_type == "FQDN":
        if observer is not None:
            observer(Reason.NAMES, slice_, "")
        return
    for endpoint in slice_.endpoints:
        for text in endpoint.addresses:
            packed = address_from_text(text) if endpoint.ready else None
            if packed is not None:
                yield endpoint, packed, text
            elif observer is not None:
                reason = Reason.NO_ADDRESS if endpoint.ready else Reason.NOT_READY
                observer(reason, slice_, text)


def any_ready(slices: Iterable[EndpointSlice]) -> bool:
    return any(True for slice_ in slices for _ in ready(slice_))


def port_matches(port: Port, asked: Asked) -> bool:
    return (not asked.port or asked.port == port.name.lower()) and (
        not asked.protocol or asked.protocol == port.protocol.lower()
    )


def cluster_hits(
    texts: Iterable[str], ports: Iterable[Port], asked: Asked, target: Name
) -> list[Hit] | None:
    """Hits on cluster IPs; None when no port is the asked one."""
    matching = [port.number for port in ports if port_matches(port, asked)]
    if not matching:
        return None
    addresses = [packed for text in texts if (packed := address_from_text(text)) is not None]
    return [Hit(address, number, target) for number in matching for address in addresses]
