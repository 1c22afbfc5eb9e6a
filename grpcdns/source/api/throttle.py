"""Limits on API requests: CoreDNS's apiserver_qps, apiserver_burst and apiserver_max_inflight.

A watch is in flight until the API begins to answer, as in CoreDNS; a list until it is read.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from grpcdns.source.clock import Clock


class Bucket:
    """A token bucket: ``burst`` tokens, refilled at ``qps`` a second. The time is passed in."""

    def __init__(self, qps: float, burst: int) -> None:
        self._qps = qps
        self._burst = float(max(burst, 1))
        self._tokens = self._burst
        self._at = 0.0

    def take(self, now: float) -> float:
        """Takes a token; returns how many seconds to wait for it."""
        if self._at:
            self._tokens = min(self._burst, self._tokens + (now - self._at) * self._qps)
        self._at = now
        self._tokens -= 1.0
        return max(0.0, -self._tokens / self._qps)


class Throttle:
    """Shared by all requests. Zero is no limit; a burst of zero is ``qps``."""

    def __init__(self, clock: Clock, qps: float = 0.0, burst: int = 0, inflight: int = 0) -> None:
        self._clock = clock
        self._bucket = Bucket(qps, burst or int(qps)) if qps else None
        self._lock = threading.Lock()
        self._inflight = threading.Semaphore(inflight) if inflight else None

    @contextmanager
    def request(self) -> Iterator[None]:
        """Waits for a token and a place in flight, and keeps the place while inside."""
        if self._bucket is not None:
            with self._lock:
                delay = self._bucket.take(self._clock.now())
            if delay > 0.0:
                self._clock.sleep(delay)
        if self._inflight is None:
            yield
            return
        with self._inflight:
            yield
