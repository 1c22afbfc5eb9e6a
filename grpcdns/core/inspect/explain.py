"""Why a question gets the answer it gets: the answer itself, and what it was made from.

How it works: `answer` runs as it does for a query, bounds included, over an index that notifies an
observer of each object that is looked up or left out. No rule is written twice here.
"""

from __future__ import annotations

from collections.abc import Iterator

from grpcdns.core.answers.answer import Answer
from grpcdns.core.answers.asked import POD, Asked, parse_name
from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.answers.own_names import own_names_of
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.endpoints import ready
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    TYPES,
    EndpointSlice,
    Kind,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
    key_of,
    unpack,
)
from grpcdns.core.cluster.reasons import Reason
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import (
    Name,
    address_from_reverse,
    address_from_text,
    address_to_text,
    is_below,
    is_reverse,
    longest_match,
    name_to_text,
)
from grpcdns.core.dns.wire import Question
from grpcdns.core.inspect.explanation import Explanation, HeldObject, LeftOut, Source
from grpcdns.core.inspect.suggest import find_suggestions, has_records


def explain(question: Question, index: Index, zones: Zones) -> Explanation:
    """The answer to a question of class IN, and the reasons for it."""
    witness = Witness()
    index.observer = witness
    try:
        result = answer(question, index, zones)
    finally:
        index.observer = None
    zone = longest_match(question.name, {**zones.cluster, **zones.external})
    left_out = [*witness.exclusions, *_other_family(question, index, zones, result)]
    sources = list(witness.sources.values())
    if question.qtype == wire.PTR and not result.sections[0]:
        left_out += _unready_at(question.name, index)
        sources += _pods_at(question.name, index)
    records = [tuple(record.to_text() for record in section) for section in result.sections]
    return Explanation(
        name=name_to_text(question.name),
        qtype=wire.type_to_text(question.qtype),
        rcode=wire.RCODE_NAMES.get(result.rcode, str(result.rcode)),
        zone="" if zone is None else name_to_text(zone),
        asks=_asks(question, zones, zone),
        answer=records[0],
        authority=records[1],
        additional=records[2],
        lookups=tuple(name_to_text(lookup.target) for lookup in result.lookups),
        sources=tuple(sources),
        left_out=tuple(dict.fromkeys(left_out)),
        suggestions=() if has_records(result) else find_suggestions(question, index, zones),
        serial=index.serials[result.serial],
        held=tuple(dict.fromkeys(witness.held)),
    )


class Witness:
    """Notes what an answer was made from; implements `Observer`."""

    def __init__(self) -> None:
        self.sources: dict[tuple[str, str], Source] = {}
        self.exclusions: list[LeftOut] = []
        self.held: list[HeldObject] = []

    def looked_up(self, kind: Kind, key: str, obj: Object | None) -> None:
        name = TYPES[kind].__name__
        key = key.removeprefix("/")
        self.sources[name, key] = Source(name, key, says(obj), obj is not None)
        if obj is not None and obj.held is not None:
            self.held.append(HeldObject(f"{name} {key}", obj.held.by, obj.held.since))

    def left_out(self, reason: Reason, what: object, part: str = "") -> None:
        self.exclusions.append(LeftOut(_title(what), part, reason.value))


# -- in words


def says(obj: Object | None) -> str:
    """The fields of an object that matter to DNS."""
    if isinstance(obj, Service):
        where = obj.external_name or ", ".join(filter(None, obj.cluster_ips))
        kind = "headless" if obj.headless else f"{obj.type} {where}"
        outside = f"; outside {', '.join(obj.external_ips)}" if obj.external_ips else ""
        near = f"; {obj.traffic_distribution}" if obj.traffic_distribution else ""
        return f"{kind}{_ports(obj.ports)}{outside}{near}"
    if isinstance(obj, EndpointSlice):
        is_ready = len(ready(obj))
        count = sum(len(endpoint.addresses) for endpoint in obj.endpoints)
        ending = len(ready(obj, ending=True)) - is_ready
        also = f", {ending} serving while terminating" if ending else ""
        return f"{obj.address_type}, {is_ready} of {count} addresses ready{also}{_ports(obj.ports)}"
    if isinstance(obj, ServiceImport):
        near = f"; {obj.traffic_distribution}" if obj.traffic_distribution else ""
        return f"{obj.type} {', '.join(obj.ips)}".strip() + _ports(obj.ports) + near
    return obj.ip if isinstance(obj, Pod) else ""


def _ports(ports: tuple[Port, ...]) -> str:
    words = [f"{port.name or port.number}/{port.protocol}" for port in ports]
    return f"; ports {', '.join(words)}" if words else ""


def _title(obj: object) -> str:
    """An object's kind and name, as for kubectl."""
    if isinstance(obj, Object):
        return f"{type(obj).__name__} {key_of(obj)}"
    return str(obj)


def _asks(question: Question, zones: Zones, zone: Name | None) -> str:
    """What the name asks for: an own name of the zone, or one of the shapes of asked.py."""
    address = address_from_reverse(question.name)
    if address is not None:
        return f"the names of the address {address_to_text(address)}"
    if zone is None:
        return "a name in none of the zones"
    own = next((own for name, own in own_names_of(zone, zones) if name == question.name), None)
    if own is not None:
        return own.means
    if zone in zones.external:
        if is_below(question.name, (zones.policy.external_apex, *zone)):
            return "nothing: only the zone's own names have this label"
        return "a Service by its external addresses"
    if is_reverse(question.name):
        return "a part of the reverse zone"
    left = question.name[: len(question.name) - len(zone)]
    asked = parse_name(left, zone in zones.multicluster, zones.policy.zonal)
    if asked is None:
        return "nothing: the name has no shape that a cluster's names have"
    return _in_words(asked)


def _in_words(asked: Asked) -> str:
    if asked.kind == POD:
        return f"the Pod at {asked.service} in namespace {asked.namespace}"
    if not asked.service:
        return f"the namespace {asked.namespace}" if asked.namespace else "all namespaces"
    of = f"Service {asked.key}"
    if asked.zone:
        only = "before all others" if asked.prefer else "alone"
        return f"the endpoints of {of} in topology zone {asked.zone}, {only}"
    if asked.port or asked.protocol:
        return f"port {asked.port} over {asked.protocol} of {of}"
    if asked.endpoint:
        cluster = f" in cluster {asked.cluster}" if asked.cluster else ""
        return f"endpoint {asked.endpoint}{cluster} of {of}"
    return of


# -- what the rules never look up


def _other_family(
    question: Question, index: Index, zones: Zones, result: Answer
) -> Iterator[LeftOut]:
    """The name's addresses of the family that was not asked for."""
    if question.qtype not in (wire.A, wire.AAAA) or result.rcode != wire.NOERROR:
        return
    qtype = wire.AAAA if question.qtype == wire.A else wire.A
    for record in answer(question.of_type(qtype), index, zones).sections[0]:
        if record.rtype == qtype and isinstance(record.rdata[0], bytes):
            address = address_to_text(record.rdata[0])
            yield LeftOut(name_to_text(record.name), address, Reason.OTHER_FAMILY.value)


def _unready_at(name: Name, index: Index) -> Iterator[LeftOut]:
    """Endpoints that have the address but no PTR record, since they are not ready."""
    address = address_from_reverse(name)
    for body in index.store.bodies[Kind.ENDPOINT_SLICE].values() if address else ():
        slice_ = unpack(Kind.ENDPOINT_SLICE, body)
        if isinstance(slice_, EndpointSlice):
            for endpoint in slice_.endpoints:
                for text in endpoint.addresses if not endpoint.ready else ():
                    if address_from_text(text) == address:
                        yield LeftOut(_title(slice_), text, Reason.NOT_READY.value)


def _pods_at(name: Name, index: Index) -> Iterator[Source]:
    """Pods that have the address: a Pod alone gives no PTR record."""
    address = address_from_reverse(name)
    for pod in index.pods_at(address_to_text(address)) if address else ():
        yield Source("Pod", key_of(pod), says(pod))
