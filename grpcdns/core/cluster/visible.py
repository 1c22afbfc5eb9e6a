"""What of an object shows in answers: the addresses and labels it is found by, and what makes a
change of it one that somebody could see."""

from __future__ import annotations

from grpcdns.core.cluster.endpoints import endpoint_label
from grpcdns.core.cluster.objects import EndpointSlice, Service
from grpcdns.core.dns.names import addresses_from_texts


def cluster_addresses(service: Service | None) -> set[bytes]:
    return set() if service is None else addresses_from_texts(service.cluster_ips)


def external_addresses(service: Service | None) -> set[bytes]:
    return set() if service is None else addresses_from_texts(service.external_ips)


def inside(service: Service | None) -> object:
    """What the cluster's zones show of a Service."""
    return service and (service.type, service.cluster_ips, service.external_name, service.ports)


def outside(service: Service | None) -> object:
    """What external zones show of a Service: nothing of one without external addresses, but that
    a headless one has its endpoints (option external_headless)."""
    if service is None or not (service.external_ips or service.headless):
        return None
    return service.external_ips, service.ports if service.external_ips else ()


def ready_addresses(slice_: EndpointSlice | None) -> set[bytes]:
    if slice_ is None or slice_.address_type == "FQDN":
        return set()
    return addresses_from_texts(
        [text for endpoint in slice_.endpoints if endpoint.ready for text in endpoint.addresses]
    )


def labels(slice_: EndpointSlice) -> set[str]:
    """The labels of ready endpoints that cannot be told from their addresses."""
    found: set[str] = set()
    for endpoint in slice_.endpoints:
        if not endpoint.ready:
            continue
        if endpoint.pod:
            found.add(endpoint.pod.lower())
        if endpoint.hostname:
            found.add(endpoint.hostname.lower())
            continue
        for text in endpoint.addresses:
            if ":" in text and "." in text:  # an IPv4 address in the clothes of an IPv6 one
                found.add(endpoint_label(endpoint, text, False).lower())
    return found


def shown(slice_: EndpointSlice) -> object:
    """What answers show of a slice: endpoints that are not ready are not seen."""
    ready = [endpoint for endpoint in slice_.endpoints if endpoint.ready]
    return (
        slice_.service,
        slice_.imported_service,
        slice_.cluster,
        slice_.address_type,
        slice_.ports,
        ready,
    )
