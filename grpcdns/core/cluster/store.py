"""The objects of a cluster, packed, and the difference that a list or an event makes to them.

The feed keeps one Store of what the API says; a worker's index keeps another of what the feed says,
a command one of a single list. For all of them a relist, a new connection and an event are the same
thing: keys with packed objects, of which only those that differ are touched.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from typing import Final

from grpcdns.core.cluster.objects import Kind

Entries = Collection[tuple[str, bytes | None]]
"""Objects of a kind that came, changed or went: their keys and packed forms, None if they went."""
Listed = Collection[tuple[str, bytes | None]]
"""Objects of a complete list: their keys, all different, and packed forms, None for an object that
is as it is held."""
Difference = tuple[str, bytes | None, bytes | None]
"""A key, and the packed object before and after; None if there was, or is, none."""

_GONE_STEP: Final = 16
"""How many of the objects that a list no longer has go in one step."""


class Store:
    """``bodies[kind][key]`` is the packed object; ``listed`` are the kinds that are complete."""

    def __init__(self) -> None:
        self.bodies: dict[Kind, dict[str, bytes]] = {kind: {} for kind in Kind}
        self.listed: set[Kind] = set()

    def get(self, kind: Kind, key: str) -> bytes | None:
        """The packed object; None if there is none."""
        return self.bodies[kind].get(key)

    def take(self, kind: Kind, entries: Entries) -> Iterator[Difference]:
        """Take entries; yields those that make a difference.

        Each is held once the caller asks for the next one: an object that the caller fails to read
        is not held.
        """
        held = self.bodies[kind]
        for key, after in entries:
            before = held.get(key)
            if before == after:
                continue
            yield key, before, after
            if after is None:
                del held[key]
            else:
                held[key] = after

    def steps(self, kind: Kind, batches: Iterable[Listed]) -> Iterator[Entries]:
        """A complete list of a kind, in batches, as entries to `take` one after the other.

        What the list has comes first, batch by batch; then what is held and not in the list, a few
        at a time. The kind counts as listed when the iterator is exhausted.
        """
        gone = set(self.bodies[kind])
        for batch in batches:
            if gone:  # not while the first list is taken
                gone.difference_update([key for key, _ in batch])
            yield [entry for entry in batch if entry[1] is not None]
        yield from in_batches(((key, None) for key in sorted(gone)), _GONE_STEP)
        self.listed.add(kind)

    def update(self, kind: Kind, entries: Entries) -> int:
        """Take entries at once; returns how many made a difference."""
        return sum(1 for _ in self.take(kind, entries))

    def replace(self, kind: Kind, objects: Listed) -> int:
        """Take a complete list at once; returns how many differences it made."""
        return sum(self.update(kind, entries) for entries in self.steps(kind, (objects,)))

    def objects(self, kind: Kind) -> Iterator[tuple[Kind, str, bytes]]:
        """The objects of a kind, each as it is when its turn comes. Others may change the Store
        meanwhile: keys are those of the start, without what has gone since."""
        held = self.bodies[kind]
        for key in list(held):
            body = held.get(key)
            if body is not None:
                yield kind, key, body

    def __len__(self) -> int:
        return sum(map(len, self.bodies.values()))


def in_batches(
    entries: Iterable[tuple[str, bytes | None]], size: int
) -> Iterator[tuple[tuple[str, bytes | None], ...]]:
    """The entries, so many at a time."""
    rest = iter(entries)
    while batch := tuple(islice(rest, size)):
        yield batch
