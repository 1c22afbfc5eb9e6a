"""Over gRPC: the lane's echo, grpcdns with one and two workers, and CoreDNS, with 1 to 256 callers.

A closed loop, with one connection to each socket, as CoreDNS has. All servers stay up; for each
number of callers they are measured one after the other, forwards and backwards in turn.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench import load, servers
from bench.samples import Results, rounds
from bench.servers import COREDNS, ECHO, OURS, OURS_2, Server
from bench.setup import Setup, say
from bench.tables import figure, table_of

CALLERS: Final = (1, 16, 64, 256)
WARMUP: Final = 0.3
SHED: Final = 0.02
"""The share of calls that may end with UNAVAILABLE: a worker that has had no processor for a
quarter of a second sheds the calls that have waited for so long. The table has their number."""


def measure(setup: Setup) -> Results:
    results = Results("grpc")
    with ExitStack() as stack:
        running = [
            stack.enter_context(servers.echo()),
            stack.enter_context(servers.ours(setup.place)),
            stack.enter_context(servers.ours(setup.place, workers=2)),
            stack.enter_context(servers.coredns(setup.place, names=setup.names)),
        ]
        for server in running:  # every name, to warm up the memos and everything else
            ask(server, setup, callers=16, seconds=60, count=20 * setup.size)
        for callers in CALLERS:
            for number, backwards in rounds(setup.rounds):
                for server in reversed(running) if backwards else running:
                    found = ask(server, setup, callers=callers, seconds=setup.seconds)
                    results.add(server.name, callers, number, **found.values())
            say(f"grpc: {callers} callers: {_short(results, callers)}")
    return results


def ask(
    server: Server,
    setup: Setup,
    *,
    callers: int,
    seconds: float,
    count: int = 0,
    udp: bool = False,
) -> load.Run:
    return load.run(
        server.targets,
        setup.names,
        callers=callers,
        seconds=seconds,
        warmup=0 if count else WARMUP,
        count=count,
        echo=server.name == ECHO,
        udp=udp,
        pids=server.pids,
        tolerate=SHED,
    )


def _short(results: Results, callers: int) -> str:
    found = ((name, results.spread(name, callers, "per_second")) for name in results.servers())
    return ", ".join(f"{name} {one.median:,.0f}" for name, one in found if one)


def table(results: Results) -> str:
    heads = (
        "callers",
        "server",
        "req/s",
        "p50 us",
        "p99 us",
        "p99.9 us",
        "CPU s / million",
        "shed",
    )
    rows = []
    for callers in results.cases():
        for server in results.servers():
            values = ("per_second", "p50", "p99", "p999")
            cells = [figure(results, server, callers, value) for value in values]
            cells.append(figure(results, server, callers, "cpu", digits=1))
            cells.append(figure(results, server, callers, "errors"))
            rows.append([callers, server, *cells])
    return table_of(heads, rows) + "\n\n" + _ratios(results)


def _ratios(results: Results) -> str:
    heads = ("callers", "compared", "req/s", "CPU per query", "p99")
    rows = []
    for callers in results.cases():
        for over, under in ((OURS, COREDNS), (OURS_2, COREDNS), (OURS, ECHO)):
            cells = [
                results.ratio(value, (over, callers), (under, callers)).text()
                for value in ("per_second", "cpu", "p99")
            ]
            rows.append([callers, f"{over} / {under}", *cells])
    return table_of(heads, rows)
