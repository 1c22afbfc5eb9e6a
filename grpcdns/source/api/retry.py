"""What to do after each answer of the API: pure decisions, without I/O or a clock.

The behaviour is that of client-go's reflector (the rows of tests/unit/source/api/test_watch.py),
with three exceptions. After any failure to reach the API, not only a refused connection, we WATCH
again from the last version instead of relisting; the API answers 410 if that version has become too
old. An API that cannot be reached is tried again every second (``UNREACHABLE``). And watches are
short (``WATCH_TIMEOUT``).
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from grpcdns.source.api.client import ApiError, NoLogin, Unreachable
from grpcdns.source.kinds import Watched

BACKOFF_FIRST: Final = 0.8
BACKOFF_CAP: Final = 30.0
BACKOFF_RESET: Final = 120.0
"""Seconds: the first delay, the longest delay (jitter can double it), and the time without a
failure after which the next delay is the first again."""

UNREACHABLE: Final = 0.5
"""Seconds, with jitter up to double, before the next try where nothing answers: there is nobody to
spare, and what changed meanwhile is known a second after the API is back. client-go backs off, so
that it may be a minute."""

WATCH_TIMEOUT: Final = (40, 50)
"""Seconds: the API is asked to end a watch after a random time in between. So a live watch ends in
order before the client's read timeout (55 s), and a silent one is dead: noticed within 60 s.
Bookmarks are no such sign of life: the API sends one a minute, and none for a kind whose version
does not move (without etcd's progress notifications). The price is a request on the kept connection
every 45 s for each kind. client-go asks for 300 to 600 s, and relies on HTTP/2 pings."""

INITIAL_TIMEOUT: Final = (300, 600)
"""Seconds, the same for a streaming list, whose initial events must not be cut short."""

SHORT_WATCH: Final = 1.0
"""Seconds: a watch that ends sooner and without an event is an error."""

PAGE_SIZE: Final = 500


class Backoff:
    """The delay before the next try. One for each watch."""

    def __init__(self) -> None:
        self._delay = BACKOFF_FIRST
        self._last = float("-inf")

    def next(self, now: float, chance: float, error: Exception | None = None) -> float:
        """Seconds after an error, with jitter from ``chance``, which is 0 up to 1."""
        if isinstance(error, Unreachable) and not isinstance(error, NoLogin):
            return UNREACHABLE * (1.0 + chance)
        if now - self._last > BACKOFF_RESET:
            self._delay = BACKOFF_FIRST
        delay = self._delay * (1.0 + chance)
        self._delay = min(self._delay * 2.0, BACKOFF_CAP)
        self._last = now + delay
        return delay


class Next(Enum):
    """What follows a failure."""

    WATCH = "back off, then watch again from the last version"
    LIST = "back off, then relist"
    LIST_LATEST = "the last version is useless: list the latest at once"


def after_watch(error: Exception) -> Next:
    """What follows when a watch was refused, or ended with an ERROR event."""
    if isinstance(error, Unreachable):
        return Next.WATCH
    if isinstance(error, ApiError) and error.status == 429:
        return Next.WATCH
    return Next.LIST


def after_list(error: Exception) -> Next:
    """What follows when a list, or a streaming list, failed.

    ``WATCH`` here means the streaming list again; a plain list is retried later in any case.
    """
    if isinstance(error, ApiError) and (is_expired(error) or is_too_large(error)):
        return Next.LIST_LATEST
    return after_watch(error)


def has_none(error: Exception, watched: Watched) -> bool:
    """Whether a failed list means that there are no objects: the API does not serve the kind, or
    refuses one that is optional."""
    if not isinstance(error, ApiError):
        return False
    return error.status == 404 or (watched.optional and error.status == 403)


def is_expired(error: ApiError) -> bool:
    """Whether the requested version is too old (or malformed): 410, by code or either reason."""
    return error.status == 410 or error.reason in ("Expired", "Gone")


def is_too_large(error: ApiError) -> bool:
    """Whether the requested version is newer than what this API server has seen."""
    if "ResourceVersionTooLarge" in error.causes:
        return True
    if error.status != 504 and error.reason != "Timeout":
        return False
    return "Too large resource version" in (*error.causes, error.message) or (
        "Too large resource version" in error.message
    )


def went_back(old: str, new: str) -> bool:
    """Whether versions run backwards, because the cluster was restored from a backup.

    Versions are compared as numbers, which is official since Kubernetes 1.35; where they are not
    numbers the answer is no.
    """
    if not (old.isdecimal() and new.isdecimal()):
        return False
    return int(new) < int(old)


def list_version(version: str, lost: bool) -> str:
    """The version to list at: "0" is any that the API has cached, "" the latest."""
    if lost:
        return ""
    return version or "0"


def list_limit(version: str, paged: bool) -> int:
    """Objects a page, 0 for no limit. At a known version the API serves only an unlimited list
    from its cache; an API that sent pages anyway (``paged``) has no cache."""
    return PAGE_SIZE if paged or version in ("", "0") else 0


def watch_timeout(chance: float, *, initial: bool) -> int:
    """Seconds the API is asked to keep a watch open, from ``chance``, which is 0 up to 1."""
    low, high = INITIAL_TIMEOUT if initial else WATCH_TIMEOUT
    return int(low + chance * (high - low))
