"""Over UDP through CoreDNS, as clients ask: CoreDNS with `grpc` to grpcdns, with `grpc` to another
CoreDNS, and with `kubernetes` itself.

Each without and with cache. dnsperf measures the requests per second (`bench/load` without
dnsperf), `bench/load` with 64 callers measures the latencies. CPU time is that of the CoreDNS in
front and of the server behind it, together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from bench import load, servers, usage
from bench.samples import Results, rounds
from bench.servers import COREDNS, OURS, OURS_2, Server
from bench.setup import Place, Setup, say
from bench.tables import figure, table_of
from harness.ports import Address

CALLERS: Final = 64
CASES: Final = ("no cache", "cache")
INSIDE: Final = "kubernetes in process"


class Path(NamedTuple):
    """A CoreDNS in front, and all processes involved."""

    name: str
    case: str
    address: Address
    roots: Sequence[int]


def measure(setup: Setup) -> Results:
    results = Results("udp")
    with ExitStack() as stack:
        behind = [
            stack.enter_context(servers.ours(setup.place)),
            stack.enter_context(servers.ours(setup.place, workers=2)),
            stack.enter_context(servers.coredns(setup.place, names=setup.names)),
        ]
        for case in CASES:
            with ExitStack() as fronts:
                paths = [_path(fronts, case, server, setup.place) for server in behind]
                paths.append(_inside(fronts, case, setup))
                _measure(setup, results, paths)
    return results


def _path(stack: ExitStack, case: str, server: Server, place: Place) -> Path:
    front = servers.front(servers.grpc(server.targets), place, cache=case == "cache")
    running = stack.enter_context(front)
    return Path(server.name, case, running.address, (running.process.pid, server.root))


def _inside(stack: ExitStack, case: str, setup: Setup) -> Path:
    front = servers.front(servers.kubernetes(setup.place), setup.place, cache=case == "cache")
    running = stack.enter_context(front)
    return Path(INSIDE, case, running.address, (running.process.pid,))


def _measure(setup: Setup, results: Results, paths: list[Path]) -> None:
    for path in paths:
        servers.answering(path.address, setup.names)
        _own(path, setup, 2.0)  # all names, to warm up the memos
    for number, backwards in rounds(setup.rounds):
        for path in reversed(paths) if backwards else paths:
            pids = [pid for root in path.roots for pid in usage.family(root)]
            before, began = usage.cpu_seconds(pids), time.monotonic()
            rate = _perf(path, setup)
            took, used = time.monotonic() - began, usage.cpu_seconds(pids) - before
            own = _own(path, setup, setup.seconds)
            results.add(
                path.name,
                path.case,
                number,
                per_second=rate,
                cpu=used / (rate * took) * 1e6,
                p50=own.p50,
                p99=own.p99,
                p999=own.p999,
            )
    say(f"udp: {paths[0].case} done")


def _perf(path: Path, setup: Setup) -> float:
    if load.find_dnsperf() is None:
        return _own(path, setup, setup.seconds).per_second
    return load.dnsperf(path.address, setup.plain, seconds=setup.seconds, callers=CALLERS)


def _own(path: Path, setup: Setup, seconds: float) -> load.Run:
    return load.run(
        [str(path.address)],
        setup.names,
        callers=CALLERS,
        seconds=seconds,
        udp=True,
        tolerate=0.001,
    )


def table(results: Results) -> str:
    heads = ("case", "behind CoreDNS", "req/s", "p50 us", "p99 us", "p99.9 us", "CPU s / million")
    rows = []
    for case in results.cases():
        for server in results.servers():
            values = ("per_second", "p50", "p99", "p999")
            cells = [figure(results, server, case, value) for value in values]
            cells.append(figure(results, server, case, "cpu", digits=1))
            rows.append([case, server, *cells])
    return table_of(heads, rows) + "\n\n" + _ratios(results)


def _ratios(results: Results) -> str:
    heads = ("case", "compared", "req/s", "CPU per query")
    rows = []
    for case in results.cases():
        for over in (OURS, OURS_2):
            for under in (COREDNS, INSIDE):
                cells = [
                    results.ratio(value, (over, case), (under, case)).text()
                    for value in ("per_second", "cpu")
                ]
                rows.append([case, f"{over} / {under}", *cells])
    return table_of(heads, rows)
