"""The effect of the memo: every question once to a server that has just started, and once again.

One worker, 16 callers. CoreDNS has no memo; it is measured in the same way for comparison.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Final

from bench import servers
from bench.cluster import questions
from bench.measure.grpc import ask
from bench.samples import Results, rounds
from bench.servers import COREDNS, OURS, Server
from bench.setup import Setup, say
from bench.tables import figure, table_of

CALLERS: Final = 16
COLD: Final = "cold"
PASSES: Final = (COLD, "warm")


def measure(setup: Setup) -> Results:
    results = Results("memo")
    count = len(questions(setup.size))
    for number, backwards in rounds(setup.rounds):
        for name in reversed((OURS, COREDNS)) if backwards else (OURS, COREDNS):
            with _start(name, setup) as server:
                for case in PASSES:
                    found = ask(server, setup, callers=CALLERS, seconds=120, count=count)
                    results.add(name, case, number, **found.values())
        say(f"memo: round {number + 1} of {setup.rounds}")
    return results


def _start(name: str, setup: Setup) -> AbstractContextManager[Server]:
    if name == OURS:
        return servers.ours(setup.place)
    return servers.coredns(setup.place, names=setup.names)


def table(results: Results) -> str:
    heads = ("pass", "server", "req/s", "p50 us", "p99 us", "CPU s / million")
    rows = []
    for case in results.cases():
        for server in results.servers():
            cells = [figure(results, server, case, value) for value in ("per_second", "p50", "p99")]
            cells.append(figure(results, server, case, "cpu", digits=1))
            rows.append([case, server, *cells])
    return table_of(heads, rows)
