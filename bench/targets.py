"""The targets: each is a ratio within one run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from bench.bootstrap import NOTHING, Estimate
from bench.measure import cached, churn, freshness, growth, start
from bench.measure.memo import COLD
from bench.measure.memory import ASKED, SYNCED, TOGETHER
from bench.samples import Results
from bench.servers import COREDNS, ECHO, OURS, OURS_2
from bench.tables import table_of

Found = Mapping[str, Results]
ROUNDS: Final = 7
"""The fewest that decide about a target."""


class Target(NamedTuple):
    """``most``: ``bound`` is the maximum of the ratio; else the minimum."""

    what: str
    most: bool
    bound: float
    measured: Callable[[Found], Estimate]

    def row(self, found: Found) -> list[str]:
        try:
            ratio = self.measured(found)
        except KeyError:
            ratio = NOTHING
        return [self.what, self._bound, ratio.text(), self._verdict(ratio)]

    def _verdict(self, ratio: Estimate) -> str:
        """Met only if the whole interval is. A part of it, or few rounds, decide nothing."""
        if math.isnan(ratio.value):
            return "not measured"
        if ratio.rounds < ROUNDS:
            return f"undecided: {ratio.rounds} round{'s' * (ratio.rounds > 1)}"
        best, worst = (ratio.low, ratio.high) if self.most else (ratio.high, ratio.low)
        if self._holds(worst):
            return "met"
        return "undecided" if self._holds(best) else "missed"

    def _holds(self, ratio: float) -> bool:
        return ratio <= self.bound if self.most else ratio >= self.bound

    @property
    def _bound(self) -> str:
        return f"{'at most' if self.most else 'at least'} {self.bound:g}"


def _ratio(
    name: str, value: str, over: tuple[str, object], under: tuple[str, object]
) -> Callable[[Found], Estimate]:
    return lambda found: found[name].ratio(value, over, under)


def _propagation(q: float) -> Callable[[Found], Estimate]:
    """The worse of Services and slices."""

    def measured(found: Found) -> Estimate:
        results = found["propagation"]
        return max(
            results.quantile_ratio("ms", (OURS, case), (COREDNS, case), q)
            for case in results.cases()
        )

    return measured


TARGETS: Final = (
    Target("CPU per query over gRPC, 64 callers, 1 worker / CoreDNS", True, 0.7,
           _ratio("grpc", "cpu", (OURS, 64), (COREDNS, 64))),
    Target("req/s over gRPC, 64 callers, 1 worker / CoreDNS", False, 1.2,
           _ratio("grpc", "per_second", (OURS, 64), (COREDNS, 64))),
    Target("req/s over gRPC, 64 callers, 1 worker / the lane's echo", False, 0.8,
           _ratio("grpc", "per_second", (OURS, 64), (ECHO, 64))),
    Target("req/s, every name asked for the first time, 16 callers, 1 worker / CoreDNS", False, 1.0,
           _ratio("memo", "per_second", (OURS, COLD), (COREDNS, COLD))),
    Target("CPU per query, every name asked for the first time, 1 worker / CoreDNS", True, 1.0,
           _ratio("memo", "cpu", (OURS, COLD), (COREDNS, COLD))),
    Target("req/s through CoreDNS without cache, 1 worker / CoreDNS", False, 1.1,
           _ratio("udp", "per_second", (OURS, "no cache"), (COREDNS, "no cache"))),
    Target("req/s through CoreDNS without cache, 2 workers / CoreDNS", False, 1.1,
           _ratio("udp", "per_second", (OURS_2, "no cache"), (COREDNS, "no cache"))),
    Target("req/s through CoreDNS with a cache, Zipf, adaptive / kubernetes in process", False, 0.9,
           _ratio("cached", "per_second", (cached.ADAPTIVE, cached.ZIPF),
                  (cached.INSIDE, cached.ZIPF))),
    Target("p99 until an awaited name is answered, adaptive, ms", True, 150.0,
           lambda found: found["freshness"].quantile("ms", (freshness.ADAPTIVE, ""), 0.99)),
    Target("p99 under churn / idle", True, 1.5,
           _ratio("churn", "p99", (OURS, churn.CHURN), (OURS, churn.IDLE))),
    Target("p99 during a relist / idle", True, 1.5,
           _ratio("churn", "p99", (OURS, churn.FEED), (OURS, churn.IDLE))),
    Target("propagation, p50 / CoreDNS", True, 1.5, _propagation(0.5)),
    Target("propagation, p99 / CoreDNS", True, 1.0, _propagation(0.99)),
    Target("start to the first answer, in a Pod / CoreDNS", True, 0.8,
           _ratio("start", "seconds", (OURS_2, start.POD), (COREDNS, start.POD))),
    Target("start to the first answer, with a kubeconfig / CoreDNS", True, 1.0,
           _ratio("start", "seconds", (OURS_2, start.KUBECONFIG), (COREDNS, start.KUBECONFIG))),
    Target("start to the first answer, from a snapshot / CoreDNS in a Pod", True, 0.5,
           _ratio("start", "seconds", (OURS_2, start.SNAPSHOT), (COREDNS, start.POD))),
    Target("memory of feed and 2 workers, synced / CoreDNS", True, 1.0,
           _ratio("memory", "pss", (TOGETHER, SYNCED), (COREDNS, SYNCED))),
    Target("memory of feed and 2 workers, every name asked / CoreDNS", True, 1.0,
           _ratio("memory", "pss", (TOGETHER, ASKED), (COREDNS, ASKED))),
    Target("memory with a million endpoints, synced / CoreDNS", True, 0.4,
           _ratio("growth", "synced", (OURS_2, growth.MILLION), (COREDNS, growth.MILLION))),
    Target("memory with a million endpoints, every name asked / CoreDNS", True, 0.4,
           _ratio("growth", "pss", (OURS_2, growth.MILLION), (COREDNS, growth.MILLION))),
    Target("p99 while a million endpoints are listed again / idle", True, 2.0,
           lambda found: found["growth"].ratio_of(
               growth.RELIST, growth.IDLE, (OURS_2, growth.MILLION))),
)  # fmt: skip


def table(found: Found) -> str:
    heads = ("ratio, median of the rounds", "target", "measured [95 % interval]", "")
    return table_of(heads, [target.row(found) for target in TARGETS])
