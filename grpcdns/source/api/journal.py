"""Reports what happens with the API, once: changes of state to the log, everything to the metrics.

Every kind has a thread, and each of them notices when the API goes away; the log gets one line for
all of them, and one when the API is back.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.source.api.client import ApiError
from grpcdns.source.clock import Clock
from grpcdns.source.kinds import WATCHED
from grpcdns.source.sink import Sink

log = logging.getLogger("grpcdns.source")

NAMED_SKIPS: Final = 1000
"""How many unreadable objects are remembered, so that each is logged once."""


class Journal:
    """Shared by all kinds' threads. With ``once`` the sink alone gets the failures: a command that
    reads the cluster once ends with them."""

    def __init__(self, sink: Sink, clock: Clock, *, once: bool = False) -> None:
        self._sink = sink
        self._once = once
        self._clock = clock
        self._lock = threading.Lock()
        self._lost: set[Kind] = set()
        self._lost_at = 0.0
        self._refusals: dict[Kind, str] = {}
        self._listed: set[Kind] = set()
        self._skipped: set[tuple[Kind, str]] = set()

    def reached(self, kind: Kind) -> None:
        """The API answered a request for this kind without an error."""
        with self._lock:
            was_lost = bool(self._lost)
            self._lost.clear()
            refusal = self._refusals.pop(kind, None)
            away = self._clock.now() - self._lost_at
        if was_lost:
            log.info("the Kubernetes API answers again after %.1f s", away)
            self._sink.note("api_back", None, seconds=away)
        if refusal is not None:
            log.info("%s: the API no longer refuses this kind", _name(kind))

    def failed(self, kind: Kind, error: Exception) -> None:
        """A request for this kind failed, whatever the reason."""
        if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
            self._refused(kind, error)
        else:
            self._unreachable(kind, error)

    def listed(self, kind: Kind, objects: int, changes: int, seconds: float, how: str) -> None:
        """The sink has taken a complete list. The first ones make one line of the feed's, together:
        the sync."""
        self.reached(kind)
        level = logging.INFO if kind in self._listed else logging.DEBUG
        self._listed.add(kind)
        line = "%s: %d listed, %d changed (%s, %.2f s)"
        log.log(level, line, _name(kind), objects, changes, how, seconds)
        self._sink.note("list", kind, objects=objects, changes=changes, seconds=seconds, how=how)

    def reading(self, kind: Kind, objects: int, total: int) -> None:
        """A first list is taking long: ``objects`` so far, of ``total`` (0: not known)."""
        of = f" of about {total}" if total > objects else ""
        log.info("%s: %d objects listed so far%s", _name(kind), objects, of)

    def relist(self, kind: Kind, reason: str) -> None:
        """The watch cannot go on."""
        log.info("%s: relisting: %s", _name(kind), reason)
        self._sink.note("relist", kind, reason=reason)

    def rewatch(self, kind: Kind, how: str) -> None:
        """A watch ended. They all do; only silent and dropped ones are counted."""
        log.debug("%s: watch %s", _name(kind), how)
        if how != "closed":
            self._sink.note("rewatch", kind, how=how)

    def skipped(self, kind: Kind, key: str, error: str) -> None:
        """One object cannot be read; the rest is served. It is logged once."""
        self._sink.note("skipped", kind, key=key, error=error)
        with self._lock:
            known = (kind, key) in self._skipped or len(self._skipped) >= NAMED_SKIPS
            self._skipped.add((kind, key))
        if not known:
            named = key or "without a name"
            log.warning("%s %s cannot be read and is skipped: %s", _name(kind), named, error)

    def odd(self, kind: Kind, error: str) -> None:
        """A watch sent something that is no event of its kind; it is ignored."""
        self._sink.note("odd", kind, error=error)
        log.warning("%s: ignored in the watch: %s", _name(kind), error)

    def broken(self, kind: Kind, error: Exception) -> None:
        """A bug of ours, or of the sink's: logged with its traceback."""
        log.error("%s: internal error in the watch, relisting", _name(kind), exc_info=error)
        self._sink.note("relist", kind, reason=f"internal error: {error!r}")

    def repaired(self, kind: Kind, changes: int, wrong: str) -> None:
        """The list that the consistency check asked for has repaired what the watch had missed."""
        log.warning("%s: the watch missed events, now repaired: %s", _name(kind), wrong)
        self._sink.note("repaired", kind, changes=changes, wrong=wrong)

    def checked(self, kind: Kind, requests: int) -> None:
        """The consistency check has run."""
        self._sink.note("checked", kind, requests=requests)

    def _unreachable(self, kind: Kind, error: Exception) -> None:
        with self._lock:
            news = not self._lost
            if news:
                self._lost_at = self._clock.now()
            self._lost.add(kind)
        if news:
            how = "fails" if isinstance(error, ApiError) else "is unreachable"
            if not self._once:
                log.warning("the Kubernetes API %s: %s; retrying", how, error)
            self._sink.note("api_lost", None, error=str(error))

    def _refused(self, kind: Kind, error: ApiError) -> None:
        line = f"{_name(kind)}: {_explain(error, kind)}"
        with self._lock:
            news = self._refusals.get(kind) != line
            self._refusals[kind] = line
        absent = error.status == 404
        if not WATCHED[kind].optional:
            self._sink.note("absent" if absent else "forbidden", kind, error=str(error))
            if news and not self._once:
                log.log(logging.WARNING if absent else logging.ERROR, "%s", line)
        elif news:
            log.info("%s; going on without", line)


def _name(kind: Kind) -> str:
    return WATCHED[kind].name


def _explain(error: ApiError, kind: Kind) -> str:
    """A refusal, with what to do about it."""
    if error.status == 404:
        return f"the API does not serve {' or '.join(WATCHED[kind].api_versions)} (yet)"
    if error.status == 401:
        return "the API rejects the credentials (401): do they belong to this cluster?"
    if "system:anonymous" in error.message:
        return f"the API has received no credentials: {error.message}"
    if error.status == 403:
        return f"not allowed to list and watch: {error.message}"
    return f"the API refuses: {error}"
