"""Growth: start, memory, throughput and p99 while the cluster changes, for several sizes of it.

Each size is a separate cluster in a real kube-apiserver (`bench.fill`), with one start of grpcdns
with two workers and one of CoreDNS. "synced" is measured as soon as all answer, "asked" after every
worker was asked every question. The p99 are those of an open loop (`bench.measure.churn`): idle,
while slices are updated, and while all is listed again, for which the feed is killed. CoreDNS lists
again only when the API server is restarted, which is measured there. BENCH_GROWTH sets other sizes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Final

from bench import servers, usage
from bench.cluster import ENDPOINTS, questions
from bench.measure import churn, start
from bench.measure.grpc import ask
from bench.samples import Results
from bench.servers import COREDNS, OURS_2, Server
from bench.setup import Setup, make, say
from bench.tables import figure, table_of
from harness.grpcdns import Grpcdns

SIZES: Final = tuple(map(int, os.environ.get("BENCH_GROWTH", "1000,10000,50000,100000").split(",")))
CALLERS: Final = 64
MILLION: Final = 100_000
"""Services with a million endpoints."""
IDLE, UPDATES, RELIST = "p99 idle", "p99 updates", "p99 relist"
RELISTED: Final = 5000
"""Services that are listed again within a second, on the slowest machine."""


def measure(setup: Setup, sizes: Sequence[int] = SIZES) -> Results:
    results = Results("growth")
    for size in sizes:
        if size == setup.size:
            _measure(setup, results)
        else:
            with make(size, 1, setup.seconds) as other:
                _measure(other, results)
        say(f"growth: {size:,} done")
    return results


def _measure(setup: Setup, results: Results) -> None:
    started = start.measure(setup.once())

    def add(server: Server, pids: list[int], relist: AbstractContextManager[None] | None) -> None:
        (found,) = started.find(server.name, started.cases()[0])
        values = {"start": found.values["seconds"], **_ask(server, setup, pids)}
        results.add(server.name, setup.size, 0, **values, **_change(server, setup, relist))

    with servers.ours(setup.place, workers=2) as ours:
        assert isinstance(ours.harness, Grpcdns)
        children = list(ours.harness.children().values())
        add(ours, children, churn.during_relist(ours.harness))
    with servers.coredns(setup.place, names=setup.names) as peer:
        add(peer, peer.pids, None)


def _ask(server: Server, setup: Setup, pids: list[int]) -> dict[str, float]:
    synced = usage.memory(pids).pss
    # Every worker gets half of the questions of a pass, by turns: three warm up both memos.
    ask(server, setup, callers=16, seconds=300, count=3 * len(questions(setup.size)))
    found = ask(server, setup, callers=CALLERS, seconds=setup.seconds)
    return {**found.values(), **usage.memory(pids)._asdict(), "synced": synced}


def _change(
    server: Server, setup: Setup, relist: AbstractContextManager[None] | None
) -> dict[str, float]:
    found = Results("churn")
    seconds = max(setup.seconds, 4.0)
    churn.note(found, server, IDLE, 0, setup, seconds, churn.nothing())
    churn.note(found, server, UPDATES, 0, setup, seconds, churn.updates(setup))
    if relist is not None:
        seconds = max(seconds, setup.size / RELISTED)
        churn.note(found, server, RELIST, 0, setup, seconds, relist)
    return {one.case: one.values["p99"] for one in found.samples}


def table(results: Results) -> str:
    """The figures, and below them how they grow with the endpoints."""
    heads = (
        "Services", "server", "start s", "PSS MB, synced", "asked", "peak RSS MB", "req/s",
        "CPU s / million", "p99 us, idle", "50 updates/s", "relist",
    )  # fmt: skip
    rows = []
    for case in results.cases():
        for server in results.servers():
            cells = [figure(results, server, case, "start", digits=2)]
            values = ("synced", "pss", "peak", "per_second")
            cells += [figure(results, server, case, one) for one in values]
            cells.append(figure(results, server, case, "cpu", digits=1))
            cells += [figure(results, server, case, one) for one in (IDLE, UPDATES, RELIST)]
            rows.append([f"{int(case):,}", server, *cells])
    return table_of(heads, rows) + "\n\n" + _slopes(results)


def _slopes(results: Results) -> str:
    """What 100,000 endpoints more cost, between the smallest and the largest size."""
    values = ("start", "synced", "pss")
    found = {
        server: [_slope(results, server, value) for value in values] for server in results.servers()
    }
    rows = [[server, *map(_text, slopes)] for server, slopes in found.items()]
    if OURS_2 in found and COREDNS in found:
        pairs = zip(found[OURS_2], found[COREDNS], strict=True)
        ratios = [ours / peer if ours and peer else None for ours, peer in pairs]
        rows.append(["ratio", *map(_text, ratios)])
    heads = ("100,000 endpoints more", "start s", "PSS MB, synced", "asked")
    return table_of(heads, rows)


def _slope(results: Results, server: str, value: str) -> float | None:
    found = [(int(case), results.spread(server, case, value)) for case in results.cases()]
    ends = [(size, one.median) for size, one in found if one is not None]
    if len(ends) < 2:
        return None
    (small, low), (large, high) = min(ends), max(ends)
    return (high - low) / ((large - small) * ENDPOINTS / 100_000)


def _text(figure: float | None) -> str:
    return "-" if figure is None else f"{figure:,.2f}"
