"""A complete list in the making, before it replaces what was known.

Holds packed bodies, never decoded objects; ``versions`` is what check.py compares with the API.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from grpcdns.source.api.decode import NOTHING, Decoder, Item, Unreadable, number
from grpcdns.source.sink import Packed


class Listing(Collection[Packed]):
    """The objects to be served, as a sink takes them. ``versions`` has every object of the list:
    its version, made negative where it is not served. ``known`` are the versions before this list;
    ``trusted``: what the sink holds is of these very versions, and as ``decoder`` reads them."""

    def __init__(self, known: Mapping[str, int], decoder: Decoder, *, trusted: bool) -> None:
        self.decoder = decoder
        self.given = known if trusted else NOTHING
        self.versions: dict[str, int] = {}
        self._bodies: dict[str, bytes | None] = {}
        self._known = known

    def __len__(self) -> int:
        return len(self._bodies)

    def __iter__(self) -> Iterator[Packed]:
        return ((key, body, 0.0) for key, body in self._bodies.items())

    def __contains__(self, entry: object) -> bool:
        return entry in set(self)

    def add(self, item: Item) -> None:
        """One object. A terminating one is served only if it was before (cases oe-06)."""
        key, body = item.key, item.body
        known = key in self._bodies or self._known.get(key, -1) > 0
        if (body is None and not item.same) or (item.terminating and not known):
            self.versions[key] = -number(item.version)
            self._bodies.pop(key, None)
        else:
            self.versions[key] = number(item.version)
            self._bodies[key] = body

    def pass_over(self, bad: Unreadable) -> None:
        """One object that cannot be read: known to be there, not served."""
        if bad.key:
            self.versions[bad.key] = -number(bad.version)

    def remove(self, key: str) -> None:
        """An object that went while the list was being made."""
        self._bodies.pop(key, None)
        self.versions.pop(key, None)
