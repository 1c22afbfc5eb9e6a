"""The memo: packed answers, each under its question and dropped by its tags.

It knows nothing of how an answer is made. What it keeps is the *tail* of a message, all that comes
after the question, which is the same for every ID, case, RD and CD bit and with or without EDNS.
A tag names something in the cluster that an answer depends on (``core.cluster.index``); a Change
drops exactly what carries one of its tags. The SOA's serial, which moves with nearly every Change,
is no tag: it is written into the tail when a hit finds it stale.

Entries stand on two shelves of a bounded size each: *named* ones, made from objects, of which there
are as many as the cluster has names, and *cheap* ones, of which anyone can ask for any number. So a
flood of random names evicts only other cheap entries.

Beware: nothing here locks. The caller makes all calls one at a time.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Final

from grpcdns.core.cluster.index import Serial, Tag
from grpcdns.core.cluster.multimap import MultiMap

Counts = tuple[int, int, int]
"""Records in the answer, authority and additional section."""
MEMO_BYTES: Final = 64 << 20
CHEAP_BYTES: Final = 8 << 20
_OVERHEAD: Final = 560
"""What an entry costs beside its octets, measured: objects, two dict slots, tags."""
_SPARED: Final = 8
"""How many entries that were hit are spared when one has to go; a query waits meanwhile."""
_STEP: Final = 256
"""Entries whose hits are counted at a step; a query waits meanwhile."""


class Memo:
    """Remembered answers. ``evictions`` went for lack of room, ``invalidations`` by their tags.

    ``count`` is called with the key of an entry and the entry when its hits are to be counted:
    before it goes, and when it is spared. It resets ``hits``.
    """

    def __init__(
        self,
        count: Callable[[bytes, Entry], None],
        memo_bytes: int = MEMO_BYTES,
        cheap_bytes: int = CHEAP_BYTES,
    ) -> None:
        self.named = Shelf(memo_bytes)
        self.cheap = Shelf(cheap_bytes)
        self.evictions = 0
        self.invalidations = 0
        self._count = count
        # Namespace ("" for addresses) -> the rest of the tag -> keys of entries.
        self._tagged: dict[str, MultiMap[Tag, bytes]] = {}

    def keep(self, key: bytes, entry: Entry, tags: Collection[Tag], cheap: bool) -> None:
        """Remember an entry that is not remembered yet; evicts others if there is no room."""
        shelf = self.cheap if cheap else self.named
        entry.tags = _without_implied(tags)
        entry.cost = _OVERHEAD + len(key) + entry.octets
        if entry.cost > shelf.limit:
            return
        shelf.entries[key] = entry
        shelf.size += entry.cost
        for tag in entry.tags:
            group, member = _split(tag)
            members = self._tagged.get(group)
            if members is None:
                members = self._tagged[group] = MultiMap()
            if member in members:
                members.add(member, key)
            else:  # nearly always, and much faster
                members[member] = key
        while shelf.size > shelf.limit:
            self.evictions += 1
            self._forget(self._oldest(shelf))

    def drop(self, tags: Iterable[Tag]) -> None:
        """Forget every entry with one of these tags."""
        if not self._tagged:  # as while the first lists are taken
            return
        for tag in tags:
            group, member = _split(tag)
            members = self._tagged.get(group)
            if members is None:
                continue
            # A Namespace's tag stands for all that is filed under it.
            each = (member,) if member else tuple(members)
            keys = {key for one in each for key in members.find(one)}
            for one in each:  # at once: they may be many
                members.pop(one, None)
            self.invalidations += len(keys)
            for key in keys:
                self._forget(key)
            if not members:
                self._tagged.pop(group, None)

    def clear(self) -> None:
        """Forget every entry."""
        self._tagged.clear()
        for key in (*self.named.entries, *self.cheap.entries):
            self._forget(key)

    def count_hits(self) -> Iterator[None]:
        """Call ``count`` with every entry that was hit, a few at a step. Other calls may be made
        between the steps."""
        for shelf in (self.named, self.cheap):
            keys = list(shelf.entries)
            for start in range(0, len(keys), _STEP):
                for key in keys[start : start + _STEP]:
                    entry = shelf.entries.get(key)
                    if entry is not None and entry.hits:
                        self._count(key, entry)
                yield

    def _oldest(self, shelf: Shelf) -> bytes:
        """The key of the entry to evict: the first that was not hit since it was put at the end."""
        for _ in range(_SPARED):
            key, entry = next(iter(shelf.entries.items()))
            if not entry.hits:
                break
            self._count(key, entry)
            shelf.entries.move_to_end(key)
        return next(iter(shelf.entries))

    def _forget(self, key: bytes) -> None:
        shelf = self.named if key in self.named.entries else self.cheap
        entry = shelf.entries.pop(key)
        shelf.size -= entry.cost
        self._count(key, entry)
        for tag in entry.tags:
            group, member = _split(tag)
            members = self._tagged.get(group)
            if members is not None:
                members.discard(member, key)
                if not members:
                    del self._tagged[group]


class Shelf:
    """Entries by key, oldest first. ``size``: estimated octets, at most ``limit``."""

    __slots__ = ("entries", "limit", "size")

    def __init__(self, limit: int) -> None:
        self.entries: OrderedDict[bytes, Entry] = OrderedDict()
        self.limit = limit
        self.size = 0


class Part:
    """A packed answer: its record counts, its octets after the question, and the heads it fits.

    ``heads`` maps octets 2 to 12 of a plain query to those of the reply; parts of one rcode and
    counts share it.
    """

    __slots__ = ("counts", "heads", "tail")

    def __init__(self, counts: Counts, tail: bytes, heads: dict[bytes, bytes]) -> None:
        self.counts = counts
        self.tail = tail
        self.heads = heads


class Entry:
    """A remembered answer. An answer too long for one message has several parts, given in turn.

    ``serial`` is the SOA's, of the zones that ``zone`` says, at ``serial_at`` in the tail; -1 if
    there is no SOA. ``hits`` are those not counted yet. ``ttl_class`` is the handler's.
    """

    __slots__ = (
        "cost", "counts", "heads", "hits", "parts", "rcode", "serial", "serial_at", "tags", "tail",
        "ttl_class", "turn", "zone",
    )  # fmt: skip

    def __init__(
        self,
        rcode: int,
        parts: list[Part],
        zone: Serial,
        serial: int,
        serial_at: int,
        ttl_class: int | None = None,
    ) -> None:
        self.rcode = rcode
        self._use(parts[0])
        self.parts = parts if len(parts) > 1 else None
        self.turn = 0
        self.zone = zone
        self.serial = serial
        self.serial_at = serial_at
        self.ttl_class = ttl_class
        self.tags: tuple[Tag, ...] = ()
        self.cost = 0
        self.hits = 0

    @property
    def octets(self) -> int:
        """Of all tails."""
        return len(self.tail) if self.parts is None else sum(len(part.tail) for part in self.parts)

    def advance(self) -> None:
        """Go on to the next part, if there are several."""
        if self.parts is not None:
            self.turn = (self.turn + 1) % len(self.parts)
            self._use(self.parts[self.turn])

    def _use(self, part: Part) -> None:
        self.counts = part.counts
        self.tail = part.tail
        self.heads = part.heads

    def renew_serial(self, serial: int) -> None:
        """Write the zone's current serial into the SOA."""
        self.serial = serial
        at = self.serial_at
        self.tail = self.tail[:at] + struct.pack("!L", serial & 0xFFFFFFFF) + self.tail[at + 4 :]


def _split(tag: Tag) -> tuple[str, Tag]:
    """A tag's group and its member: namespace and name, or "" and an address."""
    if isinstance(tag, bytes):
        return "", tag
    at = tag.find("/")
    return (tag[:at], tag[at + 1 :]) if at >= 0 else (tag, "")


def _without_implied(tags: Collection[Tag]) -> tuple[Tag, ...]:
    """The tags without those of Namespaces that add nothing: another is filed under the same
    Namespace."""
    if len(tags) < 2:
        return tuple(tags)
    kept: list[Tag] = []
    for tag in tags:
        if isinstance(tag, str) and tag.endswith("/"):
            for other in tags:
                if isinstance(other, str) and other != tag and other.startswith(tag):
                    break
            else:
                kept.append(tag)
        else:
            kept.append(tag)
    return tuple(kept)
