"""All names of a cluster, as the questions that find its records.

Names are made from the objects, records are not: they are what `answer` gives, so a list of all
records shows what clients get.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from grpcdns.core.answers.asked import POD, SVC, Asked
from grpcdns.core.answers.cluster_zones import SERVICE_TYPES, answer
from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.own_names import own_names_of
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.endpoints import ready
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    EndpointSlice,
    Kind,
    Pod,
    Port,
    Service,
    ServiceImport,
    unpack,
)
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import (
    BadName,
    Name,
    addresses_from_texts,
    is_below,
    longest_match,
    reverse_from_address,
)
from grpcdns.core.dns.wire import Question, Record, question_of

ARPA: Final = ("arpa",)
_ADDRESS: Final = (wire.A, wire.AAAA)

Owner = tuple[Name, int]
"""A name and a type."""


def all_questions(index: Index, zones: Zones) -> Iterator[Question]:
    """Every question once. Names that do not fit the wire are skipped, as they are in answers."""
    seen: set[tuple[Name, int]] = set()
    for name, qtype in _names(index, zones):
        lower = tuple(label.lower() for label in name)
        if (lower, qtype) not in seen:
            seen.add((lower, qtype))
            try:
                yield question_of(name, qtype)
            except BadName:
                continue


def records_of_zone(zone: Name, index: Index, zones: Zones) -> list[Record]:
    """The records of one zone, each once: its SOA first, the others by name from the zone down."""
    found: dict[Record, None] = {}
    for question in all_questions(index, zones):
        if _zone_of(question.name, zones) == zone:
            for record in _records(question, index, zones):
                if _zone_of(tuple(label.lower() for label in record.name), zones) == zone:
                    found[record] = None
    return sorted(found, key=_order)


def _records(question: Question, index: Index, zones: Zones) -> Iterator[Record]:
    """The records of an answer and their targets' addresses; not the SOA of a negative answer."""
    result = answer(question, index, zones)
    if result.rcode == wire.NOERROR:
        yield from result.sections[0]
        yield from result.sections[2]


def _zone_of(name: Name, zones: Zones) -> Name | None:
    return longest_match(name, {**zones.cluster, **zones.external})


def _order(record: Record) -> tuple[object, ...]:
    first = record.rtype != wire.SOA
    return (first, record.rtype != wire.NS, record.name[::-1], record.rtype, record.to_text())


def _names(index: Index, zones: Zones) -> Iterator[Owner]:
    """Owner names with the types they may have."""
    every: tuple[Name, ...] = (*zones.cluster, *zones.external)
    reverse = [zone for zone in every if zone[-1:] == ARPA]
    for zone in dict.fromkeys(every):
        for name, own in own_names_of(zone, zones):
            # Below a reverse zone's apex they are answered, as in the plugin, but not listed.
            if name == zone or zone not in reverse:
                yield from _with(name, own.records)
        if zone in reverse:
            continue
        view = View(index, zones, zone, set())
        if zone in zones.external:
            yield from _of_services(view, zone)
        if zone not in zones.cluster:
            continue
        if view.multicluster:
            yield from _of_imports(view, (SVC, *zone))
        else:
            yield from _of_services(view, (SVC, *zone))
            yield from _of_pods(view, (POD, *zone))
    for name in map(reverse_from_address, _addresses(index)):
        if any(is_below(name, zone) for zone in reverse):
            yield name, wire.PTR


def _with(name: Name, qtypes: Iterable[int]) -> Iterator[Owner]:
    return ((name, qtype) for qtype in qtypes)


def _of_services(view: View, base: Name) -> Iterator[Owner]:
    for key, body in sorted(view.index.store.bodies[Kind.SERVICE].items()):
        service = unpack(Kind.SERVICE, body)
        if isinstance(service, Service):
            slices = list(view.index.all_slices(key)) if view.policy.endpoints else []
            name = (service.name, service.namespace, *base)
            yield from _of_name(view, name, service.ports, slices)
            if service.type == "ExternalName" or base == view.zone:
                yield name, wire.CNAME


def _of_imports(view: View, base: Name) -> Iterator[Owner]:
    for key, body in sorted(view.index.store.bodies[Kind.SERVICE_IMPORT].items()):
        found = unpack(Kind.SERVICE_IMPORT, body)
        if isinstance(found, ServiceImport):
            slices = list(view.index.all_imported_slices(key))
            name = (found.name, found.namespace, *base)
            yield from _of_name(view, name, found.ports, slices)


def _of_name(
    view: View, name: Name, ports: tuple[Port, ...], slices: list[EndpointSlice]
) -> Iterator[Owner]:
    """A Service's own name, those of its named ports, and those of its endpoints."""
    yield from _with(name, SERVICE_TYPES)
    every = dict.fromkeys((*ports, *(port for slice_ in slices for port in slice_.ports)))
    for port in every:
        if port.name:
            yield (f"_{port.name}", f"_{port.protocol.lower()}", *name), wire.SRV
    # More names than there are, perhaps: whether each is answered is asked for all.
    ending = view.policy.serve_terminating
    clusters = view.multicluster
    hits = view.endpoint_hits(slices, Asked(), name, "", clusters=clusters, ending=ending)
    for target in dict.fromkeys(hit.target for hit in hits):
        yield from _with(target, SERVICE_TYPES)


def _of_pods(view: View, base: Name) -> Iterator[Owner]:
    """Pods' names are made of their addresses; without ``pods verified`` every address has one."""
    if view.policy.pods != "verified":
        return
    for body in view.index.store.bodies[Kind.POD].values():
        pod = unpack(Kind.POD, body)
        if isinstance(pod, Pod) and pod.ip:
            label = pod.ip.replace(".", "-").replace(":", "-")
            yield from _with((label, pod.namespace, *base), _ADDRESS)


def _addresses(index: Index) -> list[bytes]:
    """Every address that a Service, or an endpoint that may be answered, has."""
    texts: set[str] = set()
    for body in index.store.bodies[Kind.SERVICE].values():
        service = unpack(Kind.SERVICE, body)
        if isinstance(service, Service):
            texts.update((*service.cluster_ips, *service.external_ips))
    for body in index.store.bodies[Kind.ENDPOINT_SLICE].values():
        slice_ = unpack(Kind.ENDPOINT_SLICE, body)
        if isinstance(slice_, EndpointSlice):
            texts.update(text for _, _, text in ready(slice_, ending=True))
    return sorted(addresses_from_texts(texts))
