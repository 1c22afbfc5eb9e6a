"""What to do after each thing the API may answer: pure decisions, no I/O, no clock of their own.

The behaviours are those of client-go's reflector (cases rf-01 to rf-35), but for one thing: any
failure to reach the API, not only a refused connection, is followed by a new WATCH from the last
version and not by a LIST. The API says 410 where that version has become too old.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from grpcdns.source.api.client import ApiError, Unreachable

BACKOFF_FIRST: Final = 0.8
BACKOFF_CAP: Final = 30.0
BACKOFF_RESET: Final = 120.0
"""Seconds: the first delay, the longest (before jitter, which at most doubles it), and how long
nothing may have gone wrong for the next delay to be the first again."""

WATCH_TIMEOUT: Final = (300, 600)
"""Seconds, asked of the API: a watch ends by itself somewhere in between."""

SHORT_WATCH: Final = 1.0
"""Seconds: a watch that ends sooner, and without an event, is an error."""

PAGE_SIZE: Final = 500


class Backoff:
    """How long to wait before the next try. One for each watch."""

    def __init__(self) -> None:
        self._delay = BACKOFF_FIRST
        self._last = float("-inf")

    def next(self, now: float, chance: float) -> float:
        """The delay before the next try, from ``chance``, which is 0 up to 1."""
        if now - self._last > BACKOFF_RESET:
            self._delay = BACKOFF_FIRST
        delay = self._delay * (1.0 + chance)
        self._delay = min(self._delay * 2.0, BACKOFF_CAP)
        self._last = now + delay
        return delay


class Next(Enum):
    """What follows a failure."""

    WATCH = "back off, then watch again from the last version"
    LIST = "back off, then list anew"
    LIST_LATEST = "the last version is of no use: list the latest at once"


def after_watch(error: Exception) -> Next:
    """What follows when a watch was refused, or told of an error (rf-07 to rf-13)."""
    if isinstance(error, Unreachable):
        return Next.WATCH
    if isinstance(error, ApiError) and error.status == 429:
        return Next.WATCH
    return Next.LIST


def after_list(error: Exception) -> Next:
    """What follows when a list, or a streaming list, failed (rf-05, rf-06, rf-28 to rf-30).

    ``WATCH`` stands for the streaming list again; a plain list is simply tried again later.
    """
    if isinstance(error, ApiError) and (is_expired(error) or is_too_large(error)):
        return Next.LIST_LATEST
    return after_watch(error)


def is_expired(error: ApiError) -> bool:
    """The version asked for is too old (or too odd): 410, under either of its names."""
    return error.status == 410 or error.reason in ("Expired", "Gone")


def is_too_large(error: ApiError) -> bool:
    """The version asked for has not happened yet, as this API server sees it."""
    if "ResourceVersionTooLarge" in error.causes:
        return True
    if error.status != 504 and error.reason != "Timeout":
        return False
    return "Too large resource version" in (*error.causes, error.message) or (
        "Too large resource version" in error.message
    )


def went_back(old: str, new: str) -> bool:
    """Whether versions run backwards: the cluster was restored from a backup.

    Versions are compared as numbers, as Kubernetes 1.35 has made official; where they are not
    numbers, nothing can be said.
    """
    if not (old.isdecimal() and new.isdecimal()):
        return False
    return int(new) < int(old)


def list_version(version: str, lost: bool) -> str:
    """The version to list at: "0" is what the API has at hand, "" the latest (rf-01, rf-05)."""
    if lost:
        return ""
    return version or "0"


def list_limit(version: str, paged: bool) -> int:
    """Objects a page, 0 for no limit: at a known version only an unlimited list is served from
    the API's cache (rf-03), unless it turned out to page anyway (it has no cache)."""
    return PAGE_SIZE if paged or version in ("", "0") else 0


def watch_timeout(chance: float) -> int:
    """Seconds to ask for, from ``chance``, which is 0 up to 1."""
    low, high = WATCH_TIMEOUT
    return int(low + chance * (high - low))
