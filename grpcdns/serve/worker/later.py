"""What a transport calls for replies, and the replies that are not just octets."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """A reply that comes later, from another thread: the call stays open, no thread waits."""

    __slots__ = ("_done", "_lock", "_reply", "_then")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = False
        self._reply: bytes | None = None
        self._then: Callable[[bytes | None], None] | None = None

    def set(self, reply: bytes | None) -> None:
        """Set the reply; only the first call counts. None ends the call with UNAVAILABLE."""
        with self._lock:
            if self._done:
                return
            self._done, self._reply = True, reply
            then = self._then
        if then is not None:
            then(reply)

    def then(self, callback: Callable[[bytes | None], None]) -> None:
        """Call ``callback`` once with the reply: now, or from the thread that sets it."""
        with self._lock:
            self._then = callback
            if not self._done:
                return
        callback(self._reply)


class Uncounted(bytes):
    """A reply that is sent and not counted: our own probe is no client."""


Servicer = Callable[[bytes], "bytes | Later | None"]
"""What a transport calls with each DNS message, from its own thread: returns the reply, a `Later`
for one that comes from another thread, or None to end the call with UNAVAILABLE."""
