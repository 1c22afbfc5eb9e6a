"""The objects of a cluster, packed, and what changed between two states of it.

The feed keeps one Store of what the API said; a worker's index keeps another of what the feed
said. A relist and a new connection are the same thing to both: a complete list that is turned
into the Changes it makes, so that what did not change is not touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from grpcdns.core.cluster.objects import Change, Kind


class Store:
    """``bodies[kind][key]`` is the packed object; ``listed`` are the kinds that are complete."""

    def __init__(self) -> None:
        self.bodies: dict[Kind, dict[str, bytes]] = {kind: {} for kind in Kind}
        self.listed: set[Kind] = set()

    def upsert(
        self, kind: Kind, key: str, body: bytes, at: int, triggered: float = 0.0
    ) -> Change | None:
        """Take one object; None when it was known just so."""
        bodies = self.bodies[kind]
        if bodies.get(key) == body:
            return None
        bodies[key] = body
        return Change(kind, key, body, at, triggered)

    def delete(self, kind: Kind, key: str, at: int) -> Change | None:
        """Drop one object; None when it was not known."""
        if self.bodies[kind].pop(key, None) is None:
            return None
        return Change(kind, key, None, at)

    def replace(
        self, kind: Kind, objects: Iterable[tuple[str, bytes | None]], at: int
    ) -> Iterator[Change]:
        """Take a complete list of a kind: yields what it changes, deletions last. A body of None
        stands for the object as it is known.

        The kind counts as listed once the iterator is exhausted.
        """
        gone = set(self.bodies[kind])
        for key, body in objects:
            gone.discard(key)
            if body is None:
                continue
            change = self.upsert(kind, key, body, at)
            if change is not None:
                yield change
        for key in sorted(gone):
            del self.bodies[kind][key]
            yield Change(kind, key, None, at)
        self.listed.add(kind)

    def objects(self, kind: Kind) -> Iterator[tuple[Kind, str, bytes]]:
        """The objects of a kind, each as it is when it is asked for. Others may change the Store
        meanwhile: keys are those of the start, without what has been deleted since."""
        bodies = self.bodies[kind]
        for key in list(bodies):
            body = bodies.get(key)
            if body is not None:
                yield kind, key, body

    def __len__(self) -> int:
        return sum(map(len, self.bodies.values()))
