"""The handler: a DNS message in, a DNS message out, with the packed answers remembered.

How it works: ``handle`` finds the question in the raw octets and looks (name in lower case, type,
class) up in the memo; a hit costs two slices, a dict look-up and a join, because what is kept is
the *tail* of the message, which is the same for every ID, case, RD and CD bit and with or without
EDNS. A miss parses, answers, packs, and keeps the tail under the answer's tags. A Change drops
exactly what carries one of its tags. The SOA serial, which moves with every Change, is not a tag:
it is written into the tail when a hit finds it old.

There are two memos of a bounded size each: answers made from objects, of which there are as many
as the cluster has names, and *cheap* ones, of which anyone can ask for any number. So a flood of
random names pushes out only its like.

Beware: nothing here locks. The caller makes all calls one at a time.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from grpcdns.core.answers.answer import Answer
from grpcdns.core.cluster.index import Tag

MEMO_BYTES: Final = 64 << 20
CHEAP_BYTES: Final = 8 << 20
# What an entry costs beside its octets, measured: objects, two dict slots, tags.
_OVERHEAD: Final = 560
# How many entries that were asked for are spared when one has to go.
_PASSED_OVER: Final = 8


class Part(NamedTuple):
    """A packed answer: its record counts, its octets after the question, and fitting heads.

    ``heads`` maps octets 2 to 12 of a plain query to those of the reply; parts of one rcode and
    counts share it.
    """

    counts: tuple[int, ...]
    tail: bytes
    heads: dict[bytes, bytes]


class Entry:
    """A remembered answer. An answer too long for one message has several parts, given in turn."""

    __slots__ = (
        "cost", "counts", "heads", "hits", "kind", "parts", "rcode", "serial", "serial_at", "tags",
        "tail", "turn",
    )  # fmt: skip

    def __init__(self, result: Answer, parts: list[Part], serial_at: int, serial: int) -> None:
        self.rcode = result.rcode
        self.counts, self.tail, self.heads = parts[0]
        self.parts = parts if len(parts) > 1 else None
        self.turn = 0
        self.serial_at = serial_at
        self.kind = result.serial
        self.serial = serial
        self.tags: tuple[Tag, ...] = ()
        self.cost = 0
        self.hits = 0

    def advance(self) -> None:
        """Go on to the next part of an answer that has several."""
        if self.parts is not None:
            self.turn = (self.turn + 1) % len(self.parts)
            self.counts, self.tail, self.heads = self.parts[self.turn]

    def renew_serial(self, serial: int) -> None:
        """Write the zone's serial of now into the SOA."""
        self.serial = serial
        at = self.serial_at
        self.tail = self.tail[:at] + struct.pack("!L", serial & 0xFFFFFFFF) + self.tail[at + 4 :]


def _split(tag: Tag) -> tuple[str, Tag]:
    """A tag's group and its member: namespace and name, or none and an address."""
    if isinstance(tag, bytes):
        return "", tag
    group, _, member = tag.partition("/")
    return group, member


def _implied(tag: Tag, tags: set[Tag]) -> bool:
    """Whether a Namespace's tag adds nothing: another tag is filed under the same Namespace."""
    if isinstance(tag, bytes) or not tag.endswith("/"):
        return False
    return any(isinstance(other, str) and other != tag and other.startswith(tag) for other in tags)
