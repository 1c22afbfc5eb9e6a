"""What happens between us and the API, told once: changes of state to the log, all to the metrics.

Every kind has a thread of its own, and when the API goes away each of them finds out; the log gets
one line, and one when it is back.
"""

from __future__ import annotations

import logging
import threading
from typing import Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.source.api.client import ApiError
from grpcdns.source.clock import Clock
from grpcdns.source.sink import Sink

log = logging.getLogger("grpcdns.source")

NAMED_SKIPS: Final = 1000
"""So many objects that cannot be read are remembered, so that each is named once."""


class Journal:
    """Shared by all kinds' threads."""

    def __init__(self, sink: Sink, clock: Clock, where: str = "the Kubernetes API") -> None:
        self._sink = sink
        self._clock = clock
        self._where = where
        self._lock = threading.Lock()
        self._lost: dict[Kind | None, float] = {}
        self._lost_at = 0.0
        self._trouble: dict[Kind | None, str] = {}
        self._skipped: set[tuple[Kind, str]] = set()

    def reached(self, kind: Kind) -> None:
        """The API has answered a request for this kind as it should."""
        with self._lock:
            was_lost = bool(self._lost)
            self._lost.clear()
            trouble = self._trouble.pop(kind, None)
            away = self._clock.now() - self._lost_at
        if was_lost:
            log.info("%s answers again after %.1f s", self._where, away)
            self._sink.note("api_back", None, seconds=away)
        if trouble is not None:
            log.info("%s: the API lets us again", kind.name)

    def failed(self, kind: Kind, error: Exception) -> None:
        """A request for this kind has failed, whatever the reason."""
        if isinstance(error, ApiError) and error.status < 500 and error.status != 429:
            self._refused(kind, error)
        else:
            self._unreachable(kind, error)

    def listed(self, kind: Kind, objects: int, changes: int, seconds: float, how: str) -> None:
        """A complete list was taken over."""
        self.reached(kind)
        log.info(
            "%s: %d listed, %d changed (%s, %.2f s)", kind.name, objects, changes, how, seconds
        )
        self._sink.note("list", kind, objects=objects, changes=changes, seconds=seconds, how=how)

    def relist(self, kind: Kind, reason: str) -> None:
        """The watch cannot go on; all is listed anew."""
        log.info("%s: listing anew: %s", kind.name, reason)
        self._sink.note("relist", kind, reason=reason)

    def rewatch(self, kind: Kind, how: str) -> None:
        """A watch has ended, as watches do; silently or abruptly it is worth a number."""
        log.debug("%s: watch %s", kind.name, how)
        if how != "closed":
            self._sink.note("rewatch", kind, how=how)

    def skipped(self, kind: Kind, key: str, error: str) -> None:
        """One object cannot be read; the rest is served. It is named once."""
        self._sink.note("skipped", kind, key=key, error=error)
        with self._lock:
            known = (kind, key) in self._skipped or len(self._skipped) >= NAMED_SKIPS
            self._skipped.add((kind, key))
        if not known:
            log.warning("%s %s is left out: %s", kind.name, key or "without a name", error)

    def odd(self, kind: Kind, error: str) -> None:
        """Something in a watch that has no business there; nothing is lost by it."""
        self._sink.note("odd", kind, error=error)
        log.warning("%s: %s", kind.name, error)

    def broken(self, kind: Kind, error: Exception) -> None:
        """A fault of this program, or of the sink's: told in full."""
        log.error("%s: a fault in the watch, listing anew", kind.name, exc_info=error)
        self._sink.note("relist", kind, reason=f"fault: {error!r}")

    def repaired(self, kind: Kind, changes: int, wrong: str) -> None:
        """The consistency check was right: what the watch had lost is mended."""
        log.warning("%s: the watch had lost events, mended: %s", kind.name, wrong)
        self._sink.note("repaired", kind, changes=changes, wrong=wrong)

    def checked(self, kind: Kind, requests: int) -> None:
        """The consistency check has run."""
        self._sink.note("checked", kind, requests=requests)

    def _unreachable(self, kind: Kind, error: Exception) -> None:
        with self._lock:
            news = not self._lost
            if news:
                self._lost_at = self._clock.now()
            self._lost[kind] = self._lost_at
        if news:
            log.warning("%s is away: %s; answers stay as they are", self._where, error)
            self._sink.note("api_lost", None, error=str(error))

    def _refused(self, kind: Kind, error: ApiError) -> None:
        line = _explain(kind, error)
        with self._lock:
            news = self._trouble.get(kind) != line
            self._trouble[kind] = line
        what = "absent" if error.status == 404 else "forbidden"
        self._sink.note(what, kind, error=str(error))
        if news:
            log.log(logging.INFO if what == "absent" else logging.ERROR, "%s", line)


def _explain(kind: Kind, error: ApiError) -> str:
    """A refusal, with what to do about it."""
    if error.status == 404:
        return f"{kind.name}: the API does not serve this kind (yet)"
    if error.status == 401:
        return f"{kind.name}: the API does not know us (401): are the credentials of this cluster?"
    if "system:anonymous" in error.message:
        return f"{kind.name}: no credentials reach the API, it takes us for nobody: {error.message}"
    if error.status == 403:
        return f"{kind.name}: may not be listed or watched: {error.message}"
    return f"{kind.name}: the API refuses: {error}"
