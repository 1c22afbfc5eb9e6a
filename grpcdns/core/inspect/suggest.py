"""Near misses of a name without records: what may have been meant.

Candidates are made from what the cluster has (similar names, the same name elsewhere, a missing
label). Each is *answered*, and suggested only if it has records.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import Final

from grpcdns.core.answers.answer import Answer
from grpcdns.core.answers.asked import POD, SVC, parse_name
from grpcdns.core.answers.cluster_zones import TYPES, answer
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import (
    BadName,
    Name,
    is_reverse,
    longest_match,
    name_to_text,
)
from grpcdns.core.dns.wire import Question, question_of
from grpcdns.core.inspect.explanation import Suggestion

MOST: Final = 5
_CLOSE: Final = 0.6
_CANDIDATES: Final = 200

Candidate = tuple[Name, str]
"""A name, and why it may have been meant."""


def has_records(result: Answer) -> bool:
    return bool(result.sections[0] or result.lookups)


def find_suggestions(question: Question, index: Index, zones: Zones) -> tuple[Suggestion, ...]:
    """The best few, nearest first."""
    found: dict[Name, Suggestion] = {}
    for qtype in TYPES:
        if qtype != question.qtype and _has(question.name, qtype, index, zones):
            text = wire.type_to_text(qtype)
            why = f"the name has {text} records"
            return (Suggestion(name_to_text(question.name), text, why),)
    for count, (name, why) in enumerate(_candidates(question.name, index, zones)):
        if len(found) == MOST or count == _CANDIDATES:
            break
        if name in found or name == question.name:
            continue
        for qtype in dict.fromkeys((question.qtype, *TYPES)):
            if _has(name, qtype, index, zones):
                found[name] = Suggestion(name_to_text(name), wire.type_to_text(qtype), why)
                break
    return tuple(found.values())


def _has(name: Name, qtype: int, index: Index, zones: Zones) -> bool:
    try:
        return has_records(answer(question_of(name, qtype), index, zones))
    except BadName:
        return False


def _candidates(name: Name, index: Index, zones: Zones) -> Iterator[Candidate]:
    zone = longest_match(name, zones.cluster)
    if zone is None:
        yield from _with_search_domain(name, index, zones)
        yield from _in_other_zone(name, zones)
        return
    if is_reverse(name):
        return
    left = name[: len(name) - len(zone)]
    if left and left[-1] not in (SVC, POD):
        yield (*left, SVC, *zone), "svc is missing"
        left = (*left, SVC)
    asked = parse_name(left, zone in zones.multicluster, zones.policy.zonal)
    if asked is None or len(left) < 3 or left[-1] != SVC:
        return
    kind = Kind.SERVICE_IMPORT if zone in zones.multicluster else Kind.SERVICE
    keys = index.store.bodies[kind]
    rest = left[:-3]
    for key, why in _other_services(asked.namespace, asked.service, keys, index):
        namespace, _, service = key.partition("/")
        yield (*rest, service, namespace, SVC, *zone), why
        if rest:
            yield (service, namespace, SVC, *zone), why
    if asked.key in keys:
        yield from _inside(rest, (asked.service, asked.namespace, SVC, *zone), index, zones)


def _with_search_domain(name: Name, index: Index, zones: Zones) -> Iterator[Candidate]:
    """What a Pod's search path makes of a short name."""
    why = "outside a Pod no search domain is added"
    services = index.store.bodies[Kind.SERVICE]
    for zone in (zone for zone in zones.cluster if not is_reverse(zone) and zone[-1:] != ("arpa",)):
        if len(name) == 1:
            for key in services:
                namespace, _, service = key.partition("/")
                if service == name[0]:
                    yield (service, namespace, SVC, *zone), why
        yield (*name, SVC, *zone), why
        yield (*name, *zone), why


def _in_other_zone(name: Name, zones: Zones) -> Iterator[Candidate]:
    """The same in another zone, for a name like web.default.svc.cluster.lan."""
    if SVC in name[1:]:
        left = name[: len(name) - name[::-1].index(SVC)]
        for zone in zones.cluster:
            if zone[-1:] != ("arpa",):
                yield (*left, *zone), "another zone"


def _other_services(
    namespace: str, service: str, keys: Iterable[str], index: Index
) -> Iterator[tuple[str, str]]:
    """Keys of Services that may have been meant, each with a reason."""
    names: dict[str, list[str]] = {}
    for key in keys:
        one, _, other = key.partition("/")
        names.setdefault(one, []).append(other)
    if service in names and namespace in names[service]:
        yield f"{service}/{namespace}", "the service's name comes first, then the namespace"
    for close in _close(service, names.get(namespace, ())):
        yield f"{namespace}/{close}", "a name like it in the same namespace"
    if not index.has_namespace(namespace):
        for close in _close(namespace, names):
            if service in names[close]:
                yield f"{close}/{service}", f"there is no namespace {namespace}"
    for one in sorted(names):
        if one != namespace and service in names[one]:
            yield f"{one}/{service}", "the same name in another namespace"
    if not index.has_namespace(namespace):
        for close in _close(namespace, names):
            for other in _close(service, names[close]):
                yield f"{close}/{other}", "a namespace and a name like these"


def _inside(rest: Name, service: Name, index: Index, zones: Zones) -> Iterator[Candidate]:
    """The ports and endpoints that a Service does have."""
    if not rest:
        return
    result = answer(question_of(service, wire.SRV), index, zones)
    labels = {name[0]: name for name in _targets(result) if len(name) == len(service) + 1}
    for close in _close(rest[0], labels):
        yield labels[close], "an endpoint's name like it"
    known = index.service(f"{service[1]}/{service[0]}")
    slices = index.all_slices(f"{service[1]}/{service[0]}")
    ports = [*(known.ports if known else ()), *(port for one in slices for port in one.ports)]
    named = {port.name: port for port in ports if port.name}
    wanted = rest[0].removeprefix("_")
    for close in dict.fromkeys((*_close(wanted, named), *sorted(named))):
        port = named[close]
        yield (f"_{close}", f"_{port.protocol.lower()}", *service), "a port that the Service has"
    yield service, "the Service itself"


def _targets(result: Answer) -> Iterator[Name]:
    """The targets of SRV records, by the names of their addresses."""
    for record in result.sections[2]:
        yield record.name


def _close(word: str, names: Iterable[str]) -> list[str]:
    return [n for n in difflib.get_close_matches(word, names, n=MOST, cutoff=_CLOSE) if n != word]
