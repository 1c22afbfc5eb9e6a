"""Traps in the ``cache`` of a server block that has ``grpc``.

Some need to know the grpcdns behind it: the number of names, or that it runs with ``--ttl-mode
adaptive``. Where that is not known, they find nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from grpcdns.corefile.cache import Side, is_immediate, sides
from grpcdns.corefile.syntax import Directive
from grpcdns.corefile.traps.trap import NOTE, WARNING, Block, Hits, Trap
from grpcdns.corefile.words import integer_of
from grpcdns.corefile.zones import is_below, zones, zones_of_text


def _caches(block: Block) -> Iterator[tuple[Directive, dict[str, Side]]]:
    """Each `cache` for zones of grpc, and what it keeps of their answers."""
    for one in block.server.all("cache"):
        given = one.args[1:] if one.args and integer_of(one.args[0]) is not None else one.args
        own = [zone for word in given for zone in zones_of_text(word)] or zones(block.server)
        kept = [zone for zone in block.asked if any(is_below(zone, other) for other in own)]
        if found := dict(sides(one, kept)) if kept else {}:
            yield one, found


def _by_line(found: dict[str, Side]) -> Iterator[tuple[str, Side]]:
    """The kinds that share a line, which have the defaults, as one."""
    lines: dict[int, list[str]] = {}
    for name, side in found.items():
        lines.setdefault(side.line, []).append(name)
    for names in lines.values():
        yield " and ".join(names), found[names[0]]


def _find_servfail(block: Block) -> Hits:
    for one in block.server.all("cache"):
        servfail = one.find("servfail")
        if servfail is None:
            yield one.line, "cache without servfail 0"
        elif servfail.args[:1] not in (("0",), ("0s",)):
            yield servfail.line, f"cache keeps SERVFAIL for {' '.join(servfail.args)}"


def _find_small(block: Block) -> Hits:
    names = block.backend.names
    for _, found in _caches(block):
        small = {
            name: side
            for name, side in found.items()
            if side.room is not None and side.room < names
        }
        for kinds, side in _by_line(small):
            yield side.line, f"{kinds}: room for {side.room:,} answers, and {names:,} names"


def _find_minimum(block: Block) -> Hits:
    for _, found in _caches(block) if block.backend.adaptive else ():
        kept = {name: side for name, side in found.items() if side.minimum}
        for kinds, side in _by_line(kept):
            yield side.line, f"{kinds}: a minimum TTL of {side.minimum} s"


def _find_stale(block: Block) -> Hits:
    for one, _ in _caches(block) if block.backend.adaptive else ():
        stale = one.find("serve_stale")
        if stale is not None and is_immediate(stale):
            yield stale.line, "serve_stale answers before it asks grpcdns"


def _find_prefetch(block: Block) -> Hits:
    for one, _ in _caches(block) if block.backend.adaptive else ():
        prefetch = one.find("prefetch")
        if prefetch is not None and prefetch.args and integer_of(prefetch.args[0]) != 0:
            yield prefetch.line, "prefetch asks grpcdns for answers that are still cached"


# fmt: off
TRAPS: Final = (
    Trap("cache-servfail", NOTE, "CoreDNS caches a SERVFAIL reply for 5 s. (A SERVFAIL that it "
         "makes itself because no worker can be reached is not cached.)",
         "Write servfail 0 in a cache block.", _find_servfail),
    Trap("cache-small", WARNING, "A full cache drops an answer at random for each new one, so "
         "names that are asked in turn are mostly answered by grpcdns.",
         "Give success and denial a capacity above the number of names; grpcdns corefile writes "
         "one.", _find_small),
    Trap("cache-minimum", WARNING, "--ttl-mode adaptive gives TTL 0 where an endpoint is awaited "
         "and 1 s to what has just changed, but CoreDNS keeps every answer for its minimum TTL, "
         "5 s by default.", "Write success 9984 30 0 and denial 9984 30 0 in the cache block.",
         _find_minimum),
    Trap("cache-serve-stale", WARNING, "The expired answer goes out first, and what grpcdns says "
         "then is not stored when its TTL is 0: with --ttl-mode adaptive an endpoint that is gone "
         "is answered for as long as serve_stale allows, 1 h by default.",
         "Remove it, as grpcdns answers while the API is unreachable; or write serve_stale 1h "
         "verify, which asks grpcdns first.", _find_stale),
    Trap("cache-prefetch", NOTE, "No answer gets older than its TTL, so it is harmless to clients. "
         "But with --ttl-mode adaptive an answer of 1 s is always about to expire, so a name that "
         "has just changed is asked for nearly as often as without a cache.",
         "Remove it to spare grpcdns these queries.", _find_prefetch),
)
# fmt: on
