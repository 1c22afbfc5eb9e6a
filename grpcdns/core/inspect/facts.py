"""Facts about a cluster on which the deliberate differences depend; see differences.py."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.endpoints import endpoint_label, serves_while_ending
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Service,
    ServiceImport,
    unpack,
)
from grpcdns.core.dns.names import (
    MAX_NAME,
    Name,
    address_from_text,
    address_to_text,
    fits_wire,
    name_from_text,
    name_to_text,
    name_to_wire,
    reverse_from_address,
)

REVERSE_ZONE: Final = re.compile(r"(.*\.)?(in-addr|ip6)\.arpa\.")


class Facts(NamedTuple):
    """What the table needs to know of a cluster. Owners are ``service.namespace``, in lower case;
    reverse names are text, absolute."""

    fqdn: frozenset[str] = frozenset()
    """Owners of slices with addressType FQDN."""
    dotted: frozenset[str] = frozenset()
    """Names of endpoints' Pods with a dot in them, and those endpoints' labels by address."""
    odd: frozenset[str] = frozenset()
    """Owners of addresses that are not in their canonical form."""
    nameless: frozenset[str] = frozenset()
    """Reverse names of endpoints in slices that name no Service, or one with a dot."""
    too_long: frozenset[str] = frozenset()
    """Owners of an endpoint whose name does not fit in a zone, and its reverse names."""
    near: frozenset[str] = frozenset()
    """Headless Services and ServiceImports with trafficDistribution, where the options prefer near
    endpoints."""
    mixed: frozenset[str] = frozenset()
    """Services with a load balancer's name beside other external addresses or names."""
    ending: frozenset[str] = frozenset()
    """Owners of endpoints that serve while they are terminating, where the options serve them."""


def facts_of(index: Index, policy: Policy) -> Facts:
    """What an index shows of the cluster, under the options that it was made with."""
    fqdn: set[str] = set()
    dotted: set[str] = set()
    odd: set[str] = set()
    nameless: set[str] = set()
    long: set[str] = set()
    primary = next(_bases(policy), None)  # which PTR records point into
    bases = [base for base in _bases(policy) if _may_be_too_long(base)]
    for owner, texts in _addresses(index):
        if any(map(_is_odd, texts)):
            odd.add(owner)
    for slice_ in _slices(index):
        owner = _owner(slice_)
        names = slice_.address_type == "FQDN"
        if not names and (not slice_.service or "." in slice_.service):
            nameless.update(_reverse_names(slice_.endpoints))
        if owner.startswith("."):  # nobody's
            continue
        if names:
            fqdn.add(owner)
            continue
        for endpoint in slice_.endpoints:
            if "." in endpoint.pod:
                dotted.add(endpoint.pod.lower())
                dotted.update(endpoint_label(endpoint, one, False) for one in endpoint.addresses)
            for base in bases:
                if _overflows(endpoint, owner, base, policy):
                    long.add(owner)
                    long.update(_reverse_names([endpoint]) if base == primary else ())
    # The source leaves the field out where no option needs it.
    near = set(_with_distribution(index))
    mixed = set(_with_name_among_others(index)) if policy.external_zones else set()
    ending = set(_with_ending(index)) if policy.serve_terminating else set()
    return Facts(*map(frozenset, (fqdn, dotted, odd, nameless, long, near, mixed, ending)))


def _bases(policy: Policy) -> Iterator[Name]:
    """What the names of Services end in, the primary zone first."""
    for zone in policy.zones:
        if not REVERSE_ZONE.fullmatch(zone):
            yield ("svc", *name_from_text(zone))
    for zone in policy.external_zones:
        yield name_from_text(zone)


def _may_be_too_long(base: Name) -> bool:
    """With three labels of 63 octets before it."""
    return len(name_to_wire(base)) + 3 * 64 > MAX_NAME


def _overflows(endpoint: Endpoint, owner: str, base: Name, policy: Policy) -> bool:
    service, _, namespace = owner.rpartition(".")
    labels = {
        endpoint_label(endpoint, text, policy.endpoint_pod_names) for text in endpoint.addresses
    }
    return any(not fits_wire((label, service, namespace, *base)) for label in labels)


def _owner(slice_: EndpointSlice) -> str:
    return f"{slice_.service or slice_.imported_service}.{slice_.namespace}".lower()


def _slices(index: Index) -> Iterator[EndpointSlice]:
    for body in index.store.bodies[Kind.ENDPOINT_SLICE].values():
        slice_ = unpack(Kind.ENDPOINT_SLICE, body)
        if isinstance(slice_, EndpointSlice):
            yield slice_


def _services(index: Index) -> Iterator[tuple[str, Service | ServiceImport]]:
    """Services and ServiceImports, each with its name as an owner."""
    for kind in (Kind.SERVICE, Kind.SERVICE_IMPORT):
        for body in index.store.bodies[kind].values():
            obj = unpack(kind, body)
            if isinstance(obj, Service | ServiceImport):
                yield f"{obj.name}.{obj.namespace}".lower(), obj


def _addresses(index: Index) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Owners, and the addresses of one object of theirs."""
    for owner, obj in _services(index):
        if isinstance(obj, Service):
            yield owner, (*obj.cluster_ips, *obj.external_ips)
        else:
            yield owner, obj.ips
    for slice_ in _slices(index):
        if slice_.address_type != "FQDN":
            for endpoint in slice_.endpoints:
                yield _owner(slice_), endpoint.addresses


def _with_ending(index: Index) -> Iterator[str]:
    for slice_ in _slices(index):
        if any(map(serves_while_ending, slice_.endpoints)):
            yield _owner(slice_)


def _with_distribution(index: Index) -> Iterator[str]:
    for owner, obj in _services(index):
        if obj.headless and obj.traffic_distribution:
            yield owner


def _with_name_among_others(index: Index) -> Iterator[str]:
    for owner, obj in _services(index):
        if not isinstance(obj, Service) or len(set(obj.external_ips)) == 1:
            continue
        if not all(map(address_from_text, obj.external_ips)):
            yield owner


def _is_odd(text: str) -> bool:
    packed = address_from_text(text)
    return packed is not None and address_to_text(packed) != text


def _reverse_names(endpoints: Iterable[Endpoint]) -> Iterator[str]:
    for endpoint in endpoints:
        for text in endpoint.addresses:
            if (packed := address_from_text(text)) is not None:
                yield name_to_text(reverse_from_address(packed))
