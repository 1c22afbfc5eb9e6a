"""What answers can show of an object: the addresses and labels that lead to it, and the fields that
records are made from. A Change that touches none of them moves no serial."""

from __future__ import annotations

from grpcdns.core.cluster.endpoints import endpoint_label, serves_while_ending
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Service
from grpcdns.core.dns.names import addresses_from_texts


def cluster_addresses(service: Service | None) -> set[bytes]:
    """A Service's cluster IPs."""
    return set() if service is None else addresses_from_texts(service.cluster_ips)


def external_addresses(service: Service | None) -> set[bytes]:
    """A Service's external IPs and load balancer addresses."""
    return set() if service is None else addresses_from_texts(service.external_ips)


def cluster_fields(service: Service | None) -> object:
    """The fields that records in the cluster's zones are made from."""
    return service and (
        service.type,
        service.cluster_ips,
        service.external_name,
        service.ports,
        service.traffic_distribution,
    )


def external_fields(service: Service | None) -> object:
    """The fields that records in external zones are made from: none if the Service has no external
    addresses, unless it is headless (option external_headless)."""
    if service is None or not (service.external_ips or service.headless):
        return None
    return service.external_ips, service.ports if service.external_ips else ()


def answerable(endpoint: Endpoint) -> bool:
    """Whether some answer may have an endpoint: it is ready, or serves while it is terminating
    (which is known only where an option needs it)."""
    return endpoint.ready or serves_while_ending(endpoint)


def ready_addresses(slice_: EndpointSlice | None) -> set[bytes]:
    """The addresses of a slice's endpoints that some answer may have."""
    if slice_ is None or slice_.address_type == "FQDN":
        return set()
    return addresses_from_texts(
        [text for one in slice_.endpoints if answerable(one) for text in one.addresses]
    )


def endpoint_labels(slice_: EndpointSlice) -> set[str]:
    """The labels of such endpoints that are not made of their addresses, in lower case."""
    found: set[str] = set()
    for endpoint in slice_.endpoints:
        if not answerable(endpoint):
            continue
        if endpoint.pod:
            found.add(endpoint.pod.lower())
        if endpoint.hostname and "." not in endpoint.hostname:
            found.add(endpoint.hostname.lower())
            continue
        for text in endpoint.addresses:
            if ":" in text and "." in text:  # IPv4-mapped: its label is not that of its address
                found.add(endpoint_label(endpoint, text, False).lower())
    return found


def slice_fields(slice_: EndpointSlice) -> object:
    """The fields that records are made from; endpoints that no answer has have no part in them."""
    found = [endpoint for endpoint in slice_.endpoints if answerable(endpoint)]
    return (
        slice_.service,
        slice_.imported_service,
        slice_.cluster,
        slice_.address_type,
        slice_.ports,
        slice_.held,
        found,
    )
