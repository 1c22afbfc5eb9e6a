"""CoreDNS's `cache` in front of grpcdns: its block, and the size that a cluster needs.

With ``--ttl-mode adaptive`` a TTL of 0 must stay 0, which takes a minimum TTL of 0 (the default is
5 s). The capacities follow from the number of names: a cache that is smaller than what clients ask
for in turn evicts each answer before it is asked for again.
"""

from __future__ import annotations

from typing import Final

DEFAULT_CAPACITY: Final = 9984
"""Answers that CoreDNS keeps, of each kind, unless told otherwise."""
MAX_TTL: Final = 30
_PARTS: Final = 256
"""The cache's parts, each with its share of the capacity; they fill unevenly."""
_ROOM: Final = 1.25


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
