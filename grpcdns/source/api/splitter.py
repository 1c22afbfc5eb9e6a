"""Splits a list of the API while it arrives, so that 35 MB are never in memory as a whole.

    {"kind":"ServiceList",...,"metadata":{...},"items":[{"metadata":{...}},{"metadata":...

How it works: every item begins with the same key as the first one, so ``},{"thatkey":`` separates
items. In JSON that text cannot occur inside a string, whose quotes would be escaped; it can occur
deeper inside an item. So a piece is a guess: a caller that finds it incomplete joins it with the
next piece and tries again. A list that cannot be split this way (another order of keys, white
space) is one piece in the end, for a JSON parser to take apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_ITEMS: Final = b'"items":['
_FIRST: Final = re.compile(rb'\{"[^"\\]+":')
_HEAD_LIMIT: Final = 1 << 16


class Splitter:
    """Bytes in, pieces out; ``head`` is what comes before the items."""

    def __init__(self) -> None:
        self.head = b""
        self._separator = b""
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces completed by ``data``; the last one is held back, as it may go on."""
        buffer = self._buffer
        buffer += data
        if not self._separator and not self._begin():
            return
        start = 0
        separator = self._separator
        while (at := buffer.find(separator, max(start, self._scanned))) >= 0:
            yield bytes(buffer[start : at + 1])
            start = at + 2
            self._scanned = start
        del buffer[:start]
        self._scanned = max(0, len(buffer) - len(separator) + 1)

    def finish(self, held: bytes) -> tuple[bytes, bytes, bytes]:
        """The last piece, the list without it, and the list with it, in case that piece turns out
        not to be one object. ``held``: pieces found incomplete so far. For a list that could not
        be split the piece is empty and both lists are the whole."""
        rest = bytes(self._buffer).rstrip()
        if held:
            rest = held + b"," + rest
        if not self._separator:
            return b"", rest, rest
        head = self.head + _ITEMS
        if not rest.endswith(b"]}"):
            return b"", head + rest, b""
        return rest[:-2], head + b"]}", head + rest

    def _begin(self) -> bool:
        """Whether the first item has begun, which gives the separator."""
        buffer = self._buffer
        at = buffer.find(_ITEMS, 0, _HEAD_LIMIT)
        if at < 0:
            return False
        first = _FIRST.match(buffer, at + len(_ITEMS))
        if first is None:
            return False
        self.head = bytes(buffer[:at])
        self._separator = b"}," + first[0]
        del buffer[: at + len(_ITEMS)]
        return True
