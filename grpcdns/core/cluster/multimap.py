"""A map from one entry to several keys, nearly always to one.

One key is kept bare, a few as a tuple, many as a sorted list: with tuples alone, each Change to one
of a Service's 100,000 slices copied all of them, and loading them took 113 s.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final, TypeVar

K = TypeVar("K")
V = TypeVar("V", bound="str | bytes")

_FEW: Final = 8


class MultiMap(dict[K, "V | tuple[V, ...] | list[V]"]):
    """Entries, each with one key or several, in order."""

    __slots__ = ()

    def add(self, entry: K, key: V) -> None:
        old = self.setdefault(entry, key)
        if old is not key and not self.has(entry, key):
            if isinstance(old, list):
                insort(old, key)
                return
            keys = sorted((*self.find(entry), key))
            self[entry] = tuple(keys) if len(keys) <= _FEW else keys

    def discard(self, entry: K, key: V) -> None:
        old = self.get(entry)
        if isinstance(old, list) and len(old) > _FEW:
            if self.has(entry, key):
                del old[bisect_left(old, key)]
            return
        rest = tuple(other for other in self.find(entry) if other != key)
        if not rest:
            self.pop(entry, None)
        else:
            self[entry] = rest[0] if len(rest) == 1 else rest

    def has(self, entry: K, key: V) -> bool:
        """Whether ``key`` is among the keys of ``entry``."""
        keys = self.get(entry, ())
        if isinstance(keys, list):
            at = bisect_left(keys, key)
            return at < len(keys) and keys[at] == key
        return key in keys if isinstance(keys, tuple) else key == keys

    def find(self, entry: K) -> Sequence[V]:
        """The keys of ``entry``, in order. Do not keep the result: the next `add` may change it."""
        found = self.get(entry, ())
        return found if isinstance(found, tuple | list) else (found,)
