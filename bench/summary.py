"""The summary at the top of docs/benchmarks.md: grpcdns and CoreDNS, one figure each."""

from __future__ import annotations

from collections.abc import Mapping

from bench.measure import cached, freshness, propagation, start
from bench.measure.memory import ASKED, TOGETHER
from bench.measure.propagation import SLICE
from bench.measure.udp import CASES, INSIDE
from bench.samples import Results
from bench.servers import COREDNS, OURS, OURS_2
from bench.tables import table_of

HEADS = ("", "grpcdns", "CoreDNS over gRPC", "CoreDNS without gRPC")


def table(found: Mapping[str, Results]) -> str:
    """Medians; "-" where nothing was measured."""
    rows = [
        [
            "requests per second over gRPC (1 worker)",
            *_medians(found, "grpc", "per_second", (OURS, 64), (COREDNS, 64)),
            "-",
        ],
        [
            "server CPU time per request over gRPC, us (1 worker)",
            *_medians(found, "grpc", "cpu", (OURS, 64), (COREDNS, 64)),
            "-",
        ],
        *(
            [
                f"requests per second over UDP, {case}",
                *_medians(
                    found, "udp", "per_second", (OURS_2, case), (COREDNS, case), (INSIDE, case)
                ),
            ]
            for case in CASES
        ),
        [
            "requests per second over UDP, cache, names by a Zipf law, adaptive TTLs",
            *_medians(found, "cached", "per_second", (cached.ADAPTIVE, cached.ZIPF)),
            "-",
            *_medians(found, "cached", "per_second", (cached.INSIDE, cached.ZIPF)),
        ],
        [
            "wait for a name that was asked for too early, p99, ms, adaptive TTLs",
            _awaited(found, freshness.ADAPTIVE),
            "-",
            _awaited(found, freshness.PLUGIN_30),
        ],
        ["from the event of a change to the answer, ms", *_propagation(found), "-"],
        [
            "from the start to the first answer, s",
            *_medians(found, "start", "seconds", (OURS_2, start.POD), (COREDNS, start.POD)),
            "-",
        ],
        [
            "memory, every name asked, MB",
            *_medians(found, "memory", "pss", (TOGETHER, ASKED), (COREDNS, ASKED)),
            "-",
        ],
    ]
    return table_of(HEADS, rows)


def _medians(
    found: Mapping[str, Results], name: str, value: str, *cells: tuple[str, object]
) -> list[str]:
    if name not in found:
        return ["-"] * len(cells)
    spreads = [found[name].spread(server, case, value) for server, case in cells]
    return [_text(spread.median) if spread else "-" for spread in spreads]


def _propagation(found: Mapping[str, Results]) -> list[str]:
    if "propagation" not in found:
        return ["-", "-"]
    results = found["propagation"]
    return [_text(propagation.quantile(results, one, SLICE, 0.5)) for one in (OURS, COREDNS)]


def _awaited(found: Mapping[str, Results], server: str) -> str:
    if "freshness" not in found:
        return "-"
    return _text(found["freshness"].quantile("ms", (server, ""), 0.99).value)


def _text(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"
