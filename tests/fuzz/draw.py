"""Octets as a sequence of choices: the fuzzer mutates octets, the target sees structure.

After the last octet come zeros, so that every input is complete.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Draw:
    """Reads octets from the front."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return max(0, len(self._data) - self._at)

    def byte(self) -> int:
        at = self._at
        self._at = at + 1
        return self._data[at] if at < len(self._data) else 0

    def word(self) -> int:
        return self.byte() << 8 | self.byte()

    def below(self, limit: int) -> int:
        return (self.byte() if limit <= 256 else self.word()) % limit

    def maybe(self, one_in: int = 2) -> bool:
        """True for one octet in ``one_in``; False after the last octet."""
        return self.byte() % one_in == one_in - 1

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def some(self, limit: int) -> range:
        """A range of a drawn length below ``limit``."""
        return range(self.below(limit))

    def take(self, size: int) -> bytes:
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken

    def rest(self) -> bytes:
        return self.take(self.left)
