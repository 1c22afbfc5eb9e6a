"""An explanation, as data. Apart from `explain`: the types of documents need no rules."""

from __future__ import annotations

import msgspec


class Source(msgspec.Struct, frozen=True):
    """An object that was looked up, and what it says; or that there is none."""

    kind: str
    key: str
    says: str
    found: bool = True


class HeldObject(msgspec.Struct, frozen=True):
    """An object that the API no longer has like this: the option that holds it, and since when
    (unix seconds)."""

    what: str
    by: str
    since: int


class LeftOut(msgspec.Struct, frozen=True):
    """What is not in the answer, an object or one address of it, and why."""

    what: str
    part: str
    reason: str


class Suggestion(msgspec.Struct, frozen=True):
    """A name and type with records, and how it differs from the question."""

    name: str
    qtype: str
    why: str


class Explanation(msgspec.Struct, frozen=True):
    """An answer and the reasons for it. Records are text as in zone files; ``asks`` says what the
    name means.

    ``lookups`` are the names that the upstream is asked for. ``serial`` is the zone's: when its
    records last changed, in unix seconds, 0 if they never did.
    """

    name: str
    qtype: str
    rcode: str
    zone: str
    asks: str
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    lookups: tuple[str, ...]
    sources: tuple[Source, ...]
    left_out: tuple[LeftOut, ...]
    suggestions: tuple[Suggestion, ...]
    serial: int
    held: tuple[HeldObject, ...] = ()
