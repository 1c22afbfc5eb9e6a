"""Growth: start, memory and throughput for several sizes of the cluster.

Each size is a separate cluster, with one start of grpcdns with two workers and one of CoreDNS.
BENCH_GROWTH sets other sizes than 1,000, 10,000 and 50,000.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final

from bench import servers, usage
from bench.measure import start
from bench.measure.grpc import ask
from bench.samples import Results
from bench.servers import COREDNS, OURS_2, Server
from bench.setup import Setup, make, say
from bench.tables import figure, table_of
from harness.grpcdns import Grpcdns

SIZES: Final = tuple(map(int, os.environ.get("BENCH_GROWTH", "1000,10000,50000").split(",")))
CALLERS: Final = 64


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
    for server in (OURS_2, COREDNS):
        (found,) = started.find(server, started.cases()[0])
        results.add(server, setup.size, 0, start=found.values["seconds"])
    with servers.ours(setup.place, workers=2) as ours:
        assert isinstance(ours.harness, Grpcdns)
        _ask(ours, setup, results, list(ours.harness.children().values()))
    with servers.coredns(setup.place, names=setup.names) as peer:
        _ask(peer, setup, results, peer.pids)


def _ask(server: Server, setup: Setup, results: Results, pids: list[int]) -> None:
    ask(server, setup, callers=16, seconds=120, count=20 * setup.size)  # to warm up the memos
    found = ask(server, setup, callers=CALLERS, seconds=setup.seconds)
    results.add(server.name, setup.size, 0, **found.values(), **usage.memory(pids)._asdict())


def table(results: Results) -> str:
    heads = ("Services", "server", "start s", "PSS MB", "peak RSS MB", "req/s", "CPU s / million")
    rows = []
    for case in results.cases():
        for server in results.servers():
            cells = [figure(results, server, case, "start", digits=2)]
            cells += [figure(results, server, case, one) for one in ("pss", "peak", "per_second")]
            cells.append(figure(results, server, case, "cpu", digits=1))
            rows.append([f"{int(case):,}", server, *cells])
    return table_of(heads, rows)
