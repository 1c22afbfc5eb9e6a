"""Between the transport and the core's Handler: the lock, the upstream, the worker's counters.

The transport's thread answers under the lock. The receiver applies Changes under the same lock, one
at a time, and releases it in between. A `Deferred` answer goes to the `Upstream`, which returns a
`Later`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Final, cast

import msgspec

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Change, EndpointSlice, Kind, Service, unpack
from grpcdns.core.cluster.store import Entries
from grpcdns.core.dns.wire import RCODE_NAMES, TYPE_NAMES
from grpcdns.core.handler import Deferred, Handler
from grpcdns.core.sketch import OUTCOMES
from grpcdns.histogram import Histogram
from grpcdns.serve import link
from grpcdns.serve.worker.later import Later, Uncounted
from grpcdns.serve.worker.upstream import Upstream

_log = logging.getLogger(__name__)

RESTORED_TTL: Final = 5
"""The longest TTL of an answer from a snapshot, in seconds."""
PROGRAMMING_BUCKETS: Final = tuple(0.001 * 2**power for power in range(20))
"""Upper bounds in seconds: 1 ms to 9 minutes."""
SERVICE_KINDS: Final = {False: "cluster_ip", True: "headless_with_selector"}
"""By whether a Service is headless. Only the slices that the controllers write for a selector say
when their change was triggered."""
NAMES_PERIOD: Final = 900.0
"""Seconds that names are counted for; the period before is shown, too."""
_REPORTS_EVERY: Final = 10.0


class Answerer:
    """One worker's answers, and the state that they are made from. Every method is thread-safe.

    ``probe`` is the message of our own probe, None for none.
    """

    def __init__(self, policy: Policy, upstream: str, probe: bytes | None = None) -> None:
        self._lock = threading.Lock()
        self._probe = probe
        self._policy = policy
        self._upstream = Upstream(upstream)
        self._reported = 0.0
        self._handler = Handler(policy, self._report, clock=time.monotonic)
        self.restored = 0.0
        """The time of the snapshot that answers are made from (unix seconds); 0.0: live data."""
        self.changes = 0
        self._periods = (time.time(), time.time())
        """When the period before, and this one, began (unix seconds)."""
        self.programming = {kind: Histogram(PROGRAMMING_BUCKETS) for kind in SERVICE_KINDS}
        """By whether the Service is headless."""

    def answer(self, message: bytes) -> bytes | Later | None:
        """`Servicer`: what the transports call."""
        if message == self._probe:
            return self._answer_probe(message)
        with self._lock:
            result = self._handler.handle(message)
        if isinstance(result, Deferred):
            return self._upstream.complete(result)
        return result

    @property
    def synced(self) -> bool:
        return self._handler.index.synced

    @property
    def live(self) -> bool:
        return self.synced and not self.restored

    def apply(self, change: Change) -> None:
        with self._lock:
            self._handler.apply(change)
            service = self._service_of(change) if change.triggered else None
        self.changes += 1
        if service is not None:
            self.programming[service.headless].observe(time.time() - change.triggered)

    def replace(self, kind: Kind, batches: Iterable[Entries], at: int) -> Iterator[int]:
        """Apply a complete list, one batch a step; the lock is free between steps. Yields how many
        objects were news."""
        steps = self._handler.replace(kind, batches, at)
        while True:
            with self._lock:
                news = next(steps, None)
            if news is None:
                return
            self.changes += news
            yield news

    def set_state(self, saved: float) -> None:
        """The data is from a snapshot of that time (unix seconds), or live (0.0)."""
        if saved != self.restored:
            self.restored = saved
            self._use_policy()

    def set_policy(self, policy: Policy, upstream: str) -> None:
        """Use new options, from the next query on."""
        if policy != self._policy:
            self._policy = policy
            self._use_policy()
        self._upstream.use(upstream)

    def expire(self) -> None:
        """Forget answers whose TTL would be another by now, and names that were asked long ago; to
        be called a few times a second."""
        with self._lock:
            self._handler.expire()
            now = time.time()
            if not 0 <= now - self._periods[1] < NAMES_PERIOD:
                self._periods = self._periods[1], now
                self._handler.names.turn()

    def stop(self) -> None:
        self._upstream.stop()

    def samples(self) -> Iterator[tuple[str, str, float]]:
        """The counters of the core and of the upstream, as in `link.Report`."""
        self._count_hits()
        with self._lock:
            stats = self._handler.counted_stats()
            answers, ttls = dict(stats.answers), dict(stats.ttls)
            entries, size = self._handler.memo_sizes()
            bodies = self._handler.index.store.bodies
            counts = {kind: len(bodies[kind]) for kind in Kind}
            serials = tuple(self._handler.index.serials)
        by_type: dict[str, int] = {}
        by_rcode: dict[str, int] = {}
        for (qtype, rcode), count in answers.items():
            # Fixed sets: callers must not be able to make new label values.
            type_name = TYPE_NAMES.get(qtype, "other")
            rcode_name = RCODE_NAMES.get(rcode, "other")
            by_type[type_name] = by_type.get(type_name, 0) + count
            by_rcode[rcode_name] = by_rcode.get(rcode_name, 0) + count
        yield from (("dns_requests_total", f'type="{k}"', v) for k, v in by_type.items())
        yield from (("dns_responses_total", f'rcode="{k}"', v) for k, v in by_rcode.items())
        yield from (("index_objects", f'kind="{k.name.lower()}"', v) for k, v in counts.items())
        yield "memo_hits_total", "", stats.hits
        yield "memo_misses_total", "", stats.misses
        yield "memo_evictions_total", "", stats.evictions
        yield "memo_invalidations_total", "", stats.invalidations
        yield "memo_entries", "", entries
        yield "memo_bytes", "", size
        yield "dns_oversized_total", "", stats.oversized
        yield "dns_deferred_total", "", stats.deferred
        yield "dns_unavailable_total", "", stats.unavailable
        yield "dns_panics_total", "", stats.errors
        yield from (("dns_ttl_total", f'ttl="{k.name.lower()}"', v) for k, v in ttls.items())
        yield "changes_total", "", self.changes
        yield "zone_serial", "", serials[0]
        yield "synced", "", self.synced
        yield "restored", "", bool(self.restored)
        for headless, kind in SERVICE_KINDS.items():
            yield from self.programming[headless].samples(
                "kubernetes_dns_programming_duration_seconds", f'service_kind="{kind}"'
            )
        yield from self._upstream.samples()

    def names(self, most: int) -> tuple[float, tuple[link.TopNames, ...]]:
        """Since when names are counted (unix seconds), and those asked most, by outcome."""
        self._count_hits()
        found = []
        for outcome in OUTCOMES:
            with self._lock:
                counts, error = self._handler.names.top(outcome, most)
            found.append(link.TopNames(outcome, error, tuple(counts)))
        return self._periods[0], tuple(found)

    def _count_hits(self) -> None:
        """Bring the counters up to date; queries are answered meanwhile."""
        steps = self._handler.count_hits()
        while True:
            with self._lock:
                if next(steps, self) is self:
                    return

    def _answer_probe(self, message: bytes) -> Uncounted:
        """REFUSED, as for any name outside the zones; it waits as long as a query does."""
        with self._lock:
            return Uncounted(message[:2] + b"\x80\x05" + message[4:])

    def _use_policy(self) -> None:
        cap = RESTORED_TTL if self.restored else None
        policy = msgspec.structs.replace(self._policy, ttl_cap=cap)
        with self._lock:
            self._handler.set_policy(policy)

    def _service_of(self, change: Change) -> Service | None:
        """The Service of an EndpointSlice that came; None if it has none, and no name changes."""
        if change.body is None:
            return None
        slice_ = cast("EndpointSlice", unpack(change.kind, change.body))
        return self._handler.index.service(f"{slice_.namespace}/{slice_.service}")

    def _report(self, error: BaseException) -> None:
        """Log the fault that a query met, but not for each query."""
        now = time.monotonic()
        if now - self._reported > _REPORTS_EVERY:
            self._reported = now
            _log.error("a query failed", exc_info=error)
