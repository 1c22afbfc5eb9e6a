"""A list while it is read, before it replaces what was known.

Holds packed bodies, never decoded objects.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from grpcdns.source.api.decode import NOTHING, Decoder, Item, Unreadable, number
from grpcdns.source.sink import Packed


class Listing(Collection[Packed]):
    """The objects to serve, as a sink takes them.

    ``versions``: the version of every object of the list by key, negative for an object that is not
    served; the consistency check compares them with the API. ``known``: the versions before this
    list. ``trusted``: the sink holds the objects at those versions, as ``decoder`` reads them, so
    that an unchanged object need not be read again.
    """

    def __init__(self, known: Mapping[str, int], decoder: Decoder, *, trusted: bool) -> None:
        self.decoder = decoder
        self.given = known if trusted else NOTHING
        self.versions: dict[str, int] = {}
        self.deleted: list[str] = []
        """Keys of objects that are still there, but that their owners have deleted."""
        self._bodies: dict[str, bytes | None] = {}
        self._known = known

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Packed]:
        return ((key, body, 0.0) for key, body in self._bodies.items())

    def __contains__(self, entry: object) -> bool:
        return entry in set(self)

    def add(self, item: Item) -> None:
        """One object. A terminating one is served only if it was served before."""
        key, body = item.key, item.body
        known = key in self._bodies or self._known.get(key, -1) > 0
        if (body is None and not item.same) or (item.terminating and not known):
            self.versions[key] = -number(item.version)
            self._bodies.pop(key, None)
        else:
            self.versions[key] = number(item.version)
            self._bodies[key] = body
            if item.deleted:
                self.deleted.append(key)

    def skip(self, bad: Unreadable) -> None:
        """One object that cannot be read: its version is kept, it is not served."""
        if bad.key:
            self.versions[bad.key] = -number(bad.version)

    def remove(self, key: str) -> None:
        """One object that was deleted while the list was read."""
        self._bodies.pop(key, None)
        self.versions.pop(key, None)
