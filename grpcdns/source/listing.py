"""A complete list in the making, before it replaces what was known.

Holds packed bodies, never decoded objects; ``versions`` is what check.py compares with the API.
"""

from __future__ import annotations

from collections.abc import Mapping

from grpcdns.source.decode import Item, Unreadable
from grpcdns.source.sink import Packed


class Listing:
    """``objects`` are to be served. ``versions`` has every object of the list: its version, made
    negative where it is not served. ``known`` are the versions before this list."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self.objects: dict[str, Packed] = {}
        self.versions: dict[str, int] = {}
        self._known = known

    def add(self, item: Item) -> None:
        """One object. A terminating one is served only if it was before (cases oe-06)."""
        key, body = item.key, item.body
        known = key in self.objects or self._known.get(key, -1) > 0
        if body is None or (item.terminating and not known):
            self.versions[key] = -number(item.version)
            self.objects.pop(key, None)
        else:
            self.versions[key] = number(item.version)
            self.objects[key] = (key, body, item.triggered)

    def pass_over(self, bad: Unreadable) -> None:
        """One object that cannot be read: known to be there, not served."""
        if bad.key:
            self.versions[bad.key] = -number(bad.version)

    def remove(self, key: str) -> None:
        """An object that went while the list was being made."""
        self.objects.pop(key, None)
        self.versions.pop(key, None)


def number(version: str) -> int:
    """A version, to be compared; one that is no number can only be equal or not."""
    return int(version) if version.isdecimal() and version != "0" else abs(hash(version)) or 1
