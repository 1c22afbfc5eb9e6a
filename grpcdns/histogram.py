"""Histograms as Prometheus reads them: samples are (name, labels, value)."""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Sequence

Sample = tuple[str, str, float]
"""A name, its labels as ``a="b",c="d"`` or "", and a value."""


class Histogram:
    """Seconds, counted by upper ``bounds``, which ascend. Not thread-safe."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.counts = [0] * (len(self.bounds) + 1)
        self.seconds = 0.0

    def observe(self, seconds: float) -> None:
        self.counts[bisect.bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds

    def samples(self, name: str, labels: str = "") -> Iterator[Sample]:
        return histogram(name, self.bounds, self.counts, self.seconds, labels)


def histogram(
    name: str, bounds: Sequence[float], counts: Sequence[int], seconds: float, labels: str = ""
) -> Iterator[Sample]:
    """The samples of a histogram. ``counts`` has each observation once, the last one those above
    every bound; ``seconds`` is the sum."""
    total = 0
    before = f"{labels}," if labels else ""
    for bound, count in zip((*map(str, bounds), "+Inf"), list(counts), strict=True):
        total += count
        yield f"{name}_bucket", f'{before}le="{bound}"', total
    yield f"{name}_sum", labels, seconds
    yield f"{name}_count", labels, total
