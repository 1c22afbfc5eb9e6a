"""How long an answer may be cached, from what it was made of and what changed lately.

With ``ttl_mode`` adaptive, the first row of `TABLE` that fits an answer decides:

    answer                              changed in the last minute   TTL
    none yet: below a headless Service
      that exists, or at a Service
      without ready endpoints           either                       0
    any other                           yes                          1 s
    records of cluster IPs alone        no                           ttl_stable
    any other                           no                           ttl

A reverse name goes as the name it leads to. All records of an answer get the one TTL, so every
record set has one (RFC 2181 5.2); the SOA of an answer without records has it as its TTL and as
its minimum (RFC 2308 5). The CNAME of an ExternalName lives no longer than its target's records.
Records with a TTL of their own (``dns-version``) keep it, and ``ttl_cap`` bounds all. With
``ttl_mode`` fixed the table is not used.

An answer made from an object that is held (options ``guard``, ``hold_empty``) has 1 s at most, in
either mode.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, cast

from grpcdns.core.answers.policy import MAX_SOA_TTL, Policy, cap_ttl
from grpcdns.core.cluster.recent import Recent
from grpcdns.core.dns import wire
from grpcdns.core.dns.wire import Record

CHANGED_TTL: Final = 1
"""Seconds, for what changed within the last minute."""


HELD_TTL: Final = 1
"""Seconds, for what is held."""


class Origin(enum.Enum):
    """What of the cluster an answer was made from."""

    __hash__ = object.__hash__  # that of Enum is a call of Python, for each answer

    CLUSTER_IP = "cluster IPs of a Service or ServiceImport"
    ENDPOINTS = "ready endpoints"
    EXTERNAL_NAME = "an ExternalName"
    AWAITED = "a Service whose endpoint, or whose first endpoint, is not ready yet"


class TtlClass(enum.IntEnum):
    """The rows' outcomes, by which answers are counted."""

    ZERO = 0
    CHANGED = 1
    STABLE = 2
    PLAIN = 3


class Made(NamedTuple):
    """What the table looks at: origins, whether there are records, whether any of it changed."""

    origins: frozenset[Origin]
    positive: bool
    changed: bool


class Row(NamedTuple):
    """``fits`` an answer; ``seconds`` from the options and the TTL of the answer's zone."""

    ttl_class: TtlClass
    fits: Callable[[Made], bool]
    seconds: Callable[[Policy, int], int]


TABLE: Final = (
    Row(
        TtlClass.ZERO,
        lambda made: not made.positive and Origin.AWAITED in made.origins,
        lambda _policy, _ttl: 0,
    ),
    Row(
        TtlClass.CHANGED,
        lambda made: made.changed,
        lambda _policy, ttl: min(CHANGED_TTL, ttl),
    ),
    Row(
        TtlClass.STABLE,
        lambda made: made.positive and made.origins == {Origin.CLUSTER_IP},
        lambda policy, _ttl: policy.ttl_stable,
    ),
    Row(TtlClass.PLAIN, lambda _made: True, lambda _policy, ttl: ttl),
)


def choose(made: Made, policy: Policy, ttl: int) -> tuple[TtlClass, int]:
    """The class and the seconds for an answer in a zone whose TTL is ``ttl``."""
    row = next(row for row in TABLE if row.fits(made))
    return row.ttl_class, cap_ttl(policy, row.seconds(policy, ttl))


def made_of(
    origins: set[Origin],
    tags: set[str | bytes],
    recent: Recent | None,
    policy: Policy,
    *,
    positive: bool,
) -> Made:
    """What an answer was made of. The endpoints behind cluster IPs are no part of it, unless the
    options leave out a Service that has none."""
    endpoints = origins != {Origin.CLUSTER_IP} or policy.ignore_empty_service
    changed = recent is not None and recent.has(tags, endpoints=endpoints)
    return Made(frozenset(origins), positive, changed)


def set_ttl(sections: Iterable[list[Record]], made: Made, policy: Policy, ttl: int) -> TtlClass:
    """Give the records of an answer, which have ``ttl``, the TTL that the table says."""
    ttl_class, seconds = choose(made, policy, ttl)
    if seconds != ttl:
        for section in sections:
            section[:] = [_with_ttl(record, ttl, seconds) for record in section]
    return ttl_class


def cap_held(sections: Iterable[list[Record]]) -> None:
    """Lower every TTL of an answer that is made from something held."""
    for section in sections:
        section[:] = [
            _with_ttl(record, record.ttl, HELD_TTL) if record.ttl > HELD_TTL else record
            for record in section
        ]


def _with_ttl(record: Record, old: int, new: int) -> Record:
    if record.rtype == wire.SOA:
        mname, rname, timers = record.rdata
        timers = cast("bytes", timers)[:-4] + struct.pack("!L", new)
        return Record(record.name, wire.SOA, min(new, MAX_SOA_TTL), (mname, rname, timers))
    return record.with_ttl(new) if record.ttl == old else record


def lower_cnames(answer: list[Record], ours: list[Record], found: Iterable[int]) -> None:
    """The CNAMEs of an ExternalName live no longer than the records that its target has."""
    least = min(found, default=None)
    if least is None:
        return
    for at, record in enumerate(answer):
        if record.rtype == wire.CNAME and record.ttl > least and record in ours:
            answer[at] = record.with_ttl(least)


_SOA_TTL_AT: Final = 6
"""Where the TTL is in the tail of an answer that is one SOA: after a pointer, type and class."""
_MINIMUM_AFTER_SERIAL: Final = 16


def with_soa_ttl(tail: bytes, serial_at: int, ttl: int) -> bytes:
    """The packed SOA of an answer without records, with another TTL and minimum."""
    patched = bytearray(tail)
    for at in (_SOA_TTL_AT, serial_at + _MINIMUM_AFTER_SERIAL):
        struct.pack_into("!L", patched, at, ttl)
    return bytes(patched)
