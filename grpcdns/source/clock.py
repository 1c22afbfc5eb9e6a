"""Time and chance, passed to whatever waits, so that tests pass a clock that does not.

A Clock ends its sleeps when its owner stops, which is what makes ``stop()`` prompt.
"""

from __future__ import annotations

import random
import threading
import time
from typing import Protocol


class Clock(Protocol):
    """What waiting code may use."""

    def now(self) -> float:
        """Seconds on a steady clock, for durations."""

    def random(self) -> float:
        """From 0 up to 1: for jitter, never for secrets."""

    def sleep(self, seconds: float) -> bool:
        """Waits; False as soon as the owner has stopped."""


class WallClock:
    """The real one."""

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def now(self) -> float:
        return time.monotonic()

    def random(self) -> float:
        return random.random()  # noqa: S311 - jitter

    def sleep(self, seconds: float) -> bool:
        return not self._stopped.wait(max(seconds, 0.0))

    def stop(self) -> None:
        """Ends all sleeps, those to come too."""
        self._stopped.set()
