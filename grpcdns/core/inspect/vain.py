"""Why a name is asked in vain, in one line, and which name may have been meant.

It words what `explain` finds. Its own part is the search path: a client with ``ndots:5`` asks for
``www.example.com`` under each search domain of its Pod first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from grpcdns.core.answers.asked import POD, SVC
from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.reasons import Reason
from grpcdns.core.dns.names import BadName, Name, is_reverse, longest_match, name_to_text
from grpcdns.core.dns.wire import AAAA, A, Question, question_of
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.explanation import Explanation
from grpcdns.core.inspect.suggest import has_records

_PROTOCOLS: Final = ("tcp", "udp", "sctp")
_NOT_READY: Final = frozenset({Reason.NOT_READY.value, Reason.TERMINATING.value})
_OTHERS: Final = frozenset({Reason.OTHER_ENDPOINT.value, Reason.OTHER_PORT.value})
"""Why nothing is left of a Service that has others than the one asked for."""


class Why(msgspec.Struct, frozen=True):
    """``reason``: one line, "" if the name has records by now. ``suggestion``: a name that may have
    been meant, or "". ``other_type``: a type that the name has records of, or ""."""

    reason: str
    suggestion: str = ""
    other_type: str = ""


def why_in_vain(question: Question, index: Index, zones: Zones) -> Why:
    """Why a question has no records now."""
    found = explain(question, index, zones)
    if found.answer or found.lookups:
        return Why("")
    other = next((one.qtype for one in found.suggestions if one.name == found.name), "")
    if other:
        return Why(f"it has {other} records, and no {found.qtype}", other_type=other)
    suggestion = next((one.name for one in found.suggestions), "")
    searched = _search_path(question.name, index, zones)
    if searched is None:
        return Why(_reason(found), suggestion)
    domain = name_to_text(searched.domain).removesuffix(".")
    words = f"search path: {len(searched.domain)} labels too many ({domain})"
    if searched.certain:
        return Why(words, name_to_text(searched.meant))
    return Why(_reason(found) if suggestion else f"{_reason(found)}; or {words}", suggestion)


class _Searched(NamedTuple):
    """What a client may have wanted, and the search domain that came after it. ``certain``: the
    name cannot mean anything else."""

    meant: Name
    domain: Name
    certain: bool


def _reason(why: Explanation) -> str:
    if why.rcode not in ("NOERROR", "NXDOMAIN"):
        return "in none of the zones" if not why.zone else why.asks
    missing = {one.kind: one.key for one in why.sources if not one.found}
    services = [one for one in why.sources if one.kind in ("Service", "ServiceImport")]
    for kind in ("Namespace", "Service", "ServiceImport"):
        if kind in missing and not missing[kind].startswith("at "):
            return f"no such {kind}: {missing[kind]}"
    if missing and all(key.startswith("at ") for key in missing.values()):
        return "no Service or endpoint has this address"
    reasons = dict.fromkeys(one.reason for one in why.left_out)
    if reasons and reasons.keys() <= _NOT_READY:
        return "no ready endpoint"
    if not _OTHERS.isdisjoint(reasons):
        return f"no such {why.asks}"
    if reasons:
        return next(reason for reason in reasons if reason not in _NOT_READY)
    if "EndpointSlice" in missing and why.asks.startswith("Service "):
        return "no ready endpoint: the Service has no EndpointSlice"
    if services and not why.asks.startswith("Service "):
        return f"no such {why.asks}"
    nothing, _, because = why.asks.partition(": ")
    return because if nothing == "nothing" else f"no records for {why.asks}"


def _search_path(name: Name, index: Index, zones: Zones) -> _Searched | None:
    zone = longest_match(name, zones.cluster)
    if zone is None or is_reverse(name):
        return None
    split = _split(name[: len(name) - len(zone)], zone, index)
    if split is None:
        return None
    rest, domain = split
    meant = next((one for one in _completed(rest, zone) if _is_there(one, index, zones)), None)
    certain = meant is not None or domain == zone or (len(rest) > 2 and not _is_port(rest))
    return _Searched(meant or rest, domain, certain)


def _split(left: Name, zone: Name, index: Index) -> tuple[Name, Name] | None:
    """The part before the search domain that a Pod may have, and that domain."""
    if left[-1:] != (SVC,):
        return (left, zone) if left and left[-1] != POD else None
    if len(left) > 3 and index.has_namespace(left[-2]):
        return left[:-2], (left[-2], SVC, *zone)
    if len(left) > 2 and not index.has_namespace(left[-2]):
        return left[:-1], (SVC, *zone)
    return None


def _completed(rest: Name, zone: Name) -> Iterator[Name]:
    """The name by itself, and with the search domains that need no namespace."""
    yield rest
    yield (*rest, SVC, *zone)
    yield (*rest, *zone)


def _is_port(rest: Name) -> bool:
    """Whether it has the shape of a port's name, which Services have, too."""
    return rest[0].startswith("_") or rest[1].lstrip("_") in _PROTOCOLS


def _is_there(name: Name, index: Index, zones: Zones) -> bool:
    if longest_match(name, zones.cluster) is None:
        return False
    try:
        return any(
            has_records(answer(question_of(name, qtype), index, zones)) for qtype in (A, AAAA)
        )
    except BadName:
        return False
