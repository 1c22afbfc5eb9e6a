"""Wait for something that another process does. Nothing else in the harness sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class WaitError(AssertionError):
    """The condition did not become true in time; a failed assertion of the waiting test."""


def wait_until(
    find: Callable[[], T | None], what: str, *, timeout: float = 30.0, interval: float = 0.02
) -> T:
    """Calls `find` until it returns something true, and returns that.

    An exception of `find` counts as "not yet"; the last one is the cause of `WaitError`.
    """
    last: Exception | None = None
    end = time.monotonic() + timeout
    while True:
        try:
            if found := find():
                return found
            last = None
        except Exception as error:
            last = error
        if time.monotonic() >= end:
            raise WaitError(
                f"{what}: not within {timeout:g} s ({last or 'nothing seen'})"
            ) from last
        time.sleep(interval)
