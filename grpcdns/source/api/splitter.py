"""Takes a list of the API apart while it arrives: a list of 35 MB is never in memory as a whole.

    {"kind":"ServiceList",...,"metadata":{...},"items":[{"metadata":{...}},{"metadata":...

How it works: every item begins with the same key as the first one, so items are told apart by
``},{"thatkey":``. In JSON that text cannot stand inside a string, whose quotes would be escaped;
it can stand deeper inside an item. So a piece is a guess: whoever parses it and finds it cut off
puts it before the next one and tries again. What cannot be taken apart so (another
order of keys, white space) ends up in one piece, whose parts JSON's own parser then finds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_ITEMS: Final = b'"items":['
_FIRST: Final = re.compile(rb'\{"[^"\\]+":')
_HEAD_LIMIT: Final = 1 << 16


class Splitter:
    """Bytes in, pieces out; ``head`` and ``tail`` are what stands around the items."""

    def __init__(self) -> None:
        self.head = b""
        self._separator = b""
        self._buffer = bytearray()
        self._scanned = 0

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The pieces that are complete with ``data``: all but the last one, which may be longer."""
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
        """What is left when all is fed, ``held`` being what was put back: the last piece, the
        list without it, and the list with it, for when that piece is not the last after all.
        A list that could not be taken apart is all there is."""
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
        """Whether the first item has begun, so that it is known how items begin."""
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
