"""Endpoints and ports: which of them are ready, which match, and what their labels are.

What is left out is reported to an `Observer`, if there is one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Port
from grpcdns.core.cluster.reasons import Observer, Reason
from grpcdns.core.dns.names import MAX_LABEL, address_from_text

NO_PORT: Final = Port()
"""Stands for the ports of a Service or slice that has none."""


def endpoint_label(endpoint: Endpoint, text: str, pod_names: bool) -> str:
    """The label of an endpoint: its hostname, else (option) its Pod's name, else its address.

    A Pod's name that is not one label (over 63 octets, or dotted) is not used, nor is a dotted
    hostname. An IPv6 address that ends in ``::`` gets a 0, since no label may end in a dash.
    """
    if endpoint.hostname and "." not in endpoint.hostname:
        return endpoint.hostname
    if pod_names and 0 < len(endpoint.pod) <= MAX_LABEL and "." not in endpoint.pod:
        return endpoint.pod
    label = text.replace(".", "-").replace(":", "-")
    return label + "0" if label.endswith("-") else label


def ready(
    slice_: EndpointSlice, observer: Observer | None = None, *, ending: bool = False
) -> list[tuple[Endpoint, bytes, str]]:
    """Each ready endpoint with each of its addresses, as octets and as text. Slices of names (FQDN)
    have none. With ``ending``, those that still serve while they are terminating, too."""
    found: list[tuple[Endpoint, bytes, str]] = []
    if slice_.address_type == "FQDN":
        if observer is not None:
            observer.left_out(Reason.NAMES, slice_)
        return found
    for endpoint in slice_.endpoints:
        usable = endpoint.ready or (ending and serves_while_ending(endpoint))
        for text in endpoint.addresses:
            packed = address_from_text(text) if usable else None
            if packed is not None:
                found.append((endpoint, packed, text))
            elif observer is not None:
                observer.left_out(_why_not(endpoint), slice_, text)
    return found


def _why_not(endpoint: Endpoint) -> Reason:
    if endpoint.ready:
        return Reason.NO_ADDRESS
    return Reason.TERMINATING if is_terminating(endpoint) else Reason.NOT_READY


def is_terminating(endpoint: Endpoint) -> bool:
    """Whether an endpoint is terminating (which is known only where an option needs it)."""
    return endpoint.details is not None and endpoint.details.terminating


def serves_while_ending(endpoint: Endpoint) -> bool:
    """Whether an endpoint serves although it is terminating."""
    details = endpoint.details
    return details is not None and details.serving and details.terminating


def any_ready(slices: Iterable[EndpointSlice], *, ending: bool = False) -> bool:
    """Whether an endpoint is ready; with ``ending``, or serves while it is terminating."""
    return any(is_ready(slice_, ending=ending) for slice_ in slices)


def is_ready(slice_: EndpointSlice, *, ending: bool = False) -> bool:
    """The same of one slice."""
    if slice_.address_type == "FQDN":
        return False
    for endpoint in slice_.endpoints:
        if endpoint.ready or (ending and serves_while_ending(endpoint)):
            for text in endpoint.addresses:
                if address_from_text(text) is not None:
                    return True
    return False


def port_matches(port: Port, name: str, protocol: str) -> bool:
    """Whether a port has this name and protocol, both in lower case; "" matches any."""
    return (not name or name == port.name.lower()) and (
        not protocol or protocol == port.protocol.lower()
    )
