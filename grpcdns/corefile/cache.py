"""CoreDNS's `cache` in front of grpcdns: its block, and the size that a cluster needs.

With ``--ttl-mode adaptive`` a TTL of 0 must stay 0, which takes a minimum TTL of 0 (the default is
5 s). The capacities follow from the number of names: a cache that is smaller than what clients ask
for in turn evicts each answer before it is asked for again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from grpcdns.corefile.syntax import Directive
from grpcdns.corefile.words import integer_of
from grpcdns.corefile.zones import is_below, zones_of_text

DEFAULT_CAPACITY: Final = 9984
"""Answers that CoreDNS keeps, of each kind, unless told otherwise."""
MAX_TTL: Final = 30
SIDES: Final = ("success", "denial")
"""The kinds of answers, each with a capacity and a minimum TTL of its own."""
_PARTS: Final = 256
"""The cache's parts, each with its share of the capacity; they fill unevenly."""
_LEAST_IN_PART: Final = 4
_ROOM: Final = 1.25
_DEFAULT_WORDS: Final = {"success": ("10000", "3600", "5"), "denial": ("10000", "1800", "5")}


class Names(NamedTuple):
    """How many names a cluster has, 0 when it is not known. ``source``: where the number is from,
    or why there is none."""

    number: int = 0
    source: str = ""

    def comment(self) -> str:
        """One line for the Corefile, which outlives the number."""
        source = " ".join(self.source.split())
        if self.number:
            return f"Room for {self.number:,} name{'' if self.number == 1 else 's'}: {source}."
        why = f" ({source})" if source else ""
        return f"CoreDNS's default size, as the names were not counted{why}: give --names COUNT."


class Side(NamedTuple):
    """What a `cache` does with one kind of answer, as words of the Corefile; ``line``: of the
    property that says so. The numbers are None where a variable has them."""

    line: int
    words: tuple[str, str, str]
    """Capacity, maximum TTL and minimum TTL."""

    @property
    def room(self) -> int | None:
        """Answers that it really keeps: the same number in each part."""
        given = integer_of(self.words[0])
        return None if given is None else max(given // _PARTS, _LEAST_IN_PART) * _PARTS

    @property
    def minimum(self) -> int | None:
        """Seconds for which every answer is kept at least."""
        return integer_of(self.words[2])


def capacity(names: int) -> int:
    """Answers to keep, of each kind (`success`, `denial`), for so many names."""
    parts = -(-int(names * _ROOM) // _PARTS)
    return max(DEFAULT_CAPACITY, parts * _PARTS)


def cache_lines(names: int) -> list[str]:
    """The block, for a cluster with so many names; 0 when the number is not known."""
    room = capacity(names)
    return [
        f"cache {MAX_TTL} {{",
        f"    success {room} {MAX_TTL} 0",
        f"    denial {room} {MAX_TTL} 0",
        "    servfail 0",
        "}",
    ]


def side_of(cache: Directive, name: str) -> Side:
    """One kind, with CoreDNS's defaults where the Corefile says nothing."""
    words = list(_DEFAULT_WORDS[name])
    if cache.args and integer_of(cache.args[0]) is not None:
        words[1] = cache.args[0]
    line = cache.line
    for one in cache.block:
        if one.name == name:
            line = one.line
            words[: len(one.args[:3])] = one.args[:3]
    return Side(line, (words[0], words[1], words[2]))


def sides(cache: Directive, zones: Iterable[str]) -> Iterator[tuple[str, Side]]:
    """The kinds that are not disabled for one of the zones, which are absolute."""
    asked = tuple(zones)
    for name in SIDES:
        off = [
            zone
            for one in cache.block
            if one.name == "disable" and one.args[:1] == (name,)
            for word in one.args[1:] or (".",)
            for zone in zones_of_text(word)
        ]
        if not any(is_below(zone, other) for zone in asked for other in off):
            yield name, side_of(cache, name)


def is_immediate(stale: Directive) -> bool:
    """Whether `serve_stale` answers first and asks afterwards, which is its default."""
    return stale.args[1:2] == () or stale.args[1].lower() == "immediate"


def sized(cache: Directive, zones: Iterable[str], names: int) -> Iterator[Directive]:
    """The properties of a `cache` for grpcdns: room for the names, a minimum TTL of 0, no SERVFAIL
    kept, and no answer that is too old while grpcdns can be asked. A capacity that is larger
    stays, as does all else."""
    room = capacity(names)
    kept = dict(sides(cache, zones))
    for name, side in kept.items():
        size = side.words[0] if side.room is None or side.room > room else str(room)
        yield Directive(name, (size, side.words[1], "0"), side.line)
    for one in cache.block:
        if one.name == "serve_stale" and is_immediate(one):
            yield one._replace(args=_verified(one.args))
        elif one.name not in kept and one.name != "}":
            yield one
    if not cache.find("servfail"):
        yield Directive("servfail", ("0",), cache.line)


def _verified(args: tuple[str, ...]) -> tuple[str, ...]:
    """`serve_stale [DURATION [MODE [TTL [RECHECK]]]]` in mode verify, which has a timeout (0: none)
    before the TTL."""
    rest = args[2:]
    return (*(args[:1] or ("1h",)), "verify", *(("0s", *rest) if rest else ()))
