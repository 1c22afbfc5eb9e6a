"""A reply that is not known yet, and what a transport asks for replies."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Later:
    """A reply that comes from elsewhere: the call stays open, no thread waits for it."""

    __slots__ = ("_done", "_lock", "_reply", "_then")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._done = False
        self._reply: bytes | None = None
        self._then: Callable[[bytes | None], None] | None = None

    def set(self, reply: bytes | None) -> None:
        """The reply is known; only the first time counts. None ends the call with UNAVAILABLE."""
        with self._lock:
            if self._done:
                return
            self._done, self._reply = True, reply
            then = self._then
        if then is not None:
            then(reply)

    def then(self, callback: Callable[[bytes | None], None]) -> None:
        """Call ``callback`` with the reply, once, now or from the thread that sets it."""
        with self._lock:
            self._then = callback
            if not self._done:
                return
        callback(self._reply)


Servicer = Callable[[bytes], "bytes | Later | None"]
"""From a DNS message to its reply; None when the call is to end with UNAVAILABLE."""
