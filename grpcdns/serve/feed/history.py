"""Queries of the last quarter of an hour, from the workers' counters: what the plots show.

May live here: arithmetic on samples. No clock, no threads.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Final

from grpcdns.histogram import Sample
from grpcdns.serve.status import Point

EVERY: Final = 10.0
"""Seconds from one point to the next."""
POINTS: Final = 90
_BUCKET: Final = "dns_request_duration_seconds_bucket"
_REPLIES: Final = "dns_responses_total"


class History:
    """``note`` the samples of all workers every `EVERY` seconds; ``points`` are the latest."""

    def __init__(self) -> None:
        self.points: deque[Point] = deque(maxlen=POINTS)
        self._last: dict[str, dict[str, float]] = {}
        self._at = 0.0

    def note(self, at: float, workers: Mapping[str, Iterable[Sample]]) -> None:
        """``at``: unix seconds. The first samples of a worker are where counting begins; counters
        that fell are those of a new process. A worker that gave no report this time is counted
        with the next."""
        if not workers:
            return
        rcodes: dict[str, int] = {}
        buckets: dict[float, int] = {}
        for name, samples in workers.items():
            now = counters(samples)
            before = self._last.get(name, now)
            if any(now.get(key, 0.0) < value for key, value in before.items()):
                before = {}
            self._last[name] = now
            for key, value in now.items():
                more = int(value - before.get(key, 0.0))
                family, _, label = key.partition(" ")
                if family == _REPLIES and more:
                    rcodes[label] = rcodes.get(label, 0) + more
                elif family == _BUCKET:
                    bound = float(label)
                    buckets[bound] = buckets.get(bound, 0) + more
        since, self._at = self._at, at
        if since:
            bounds = sorted(buckets.items())
            self.points.append(
                Point(
                    at=since,
                    seconds=max(0.0, at - since),
                    queries=sum(rcodes.values()),
                    rcodes=rcodes,
                    p50=quantile(bounds, 0.5),
                    p99=quantile(bounds, 0.99),
                )
            )


def counters(samples: Iterable[Sample]) -> dict[str, float]:
    """The counters that points are made from: ``family label`` and value."""
    return {
        f"{name} {label_of(labels)}": value
        for name, labels, value in samples
        if name in (_REPLIES, _BUCKET)
    }


def label_of(labels: str) -> str:
    """The value of the last label: ``x`` of ``a="b",rcode="x"``."""
    return labels.rpartition('="')[2].removesuffix('"')


def quantile(buckets: Iterable[tuple[float, int]], part: float) -> float | None:
    """The bound that ``part`` of the observations do not exceed: ``buckets`` are upper bounds,
    ascending, and how many did not exceed them. The bound before infinity for those above all;
    None without any."""
    found = list(buckets)
    if not found or not found[-1][1]:
        return None
    finite = [bound for bound, _ in found if bound != float("inf")]
    wanted = part * found[-1][1]
    reached = next(bound for bound, count in found if count >= wanted)
    return min(reached, finite[-1]) if finite else None
