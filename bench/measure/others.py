"""What others use: the backend that a Python team would write in a day (`bench.one_day`) over gRPC,
and CoreDNS with `kubernetes` in process, with one socket and with `multisocket`, over UDP.

64 callers ask the same questions of each; grpcdns with one worker and CoreDNS's plugin over gRPC
are measured beside them. Memory is that of all processes, with every name asked.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final, NamedTuple

from bench import load, servers, usage
from bench.measure.grpc import ask
from bench.samples import Results, rounds
from bench.servers import COREDNS, Server
from bench.setup import Setup, say
from bench.tables import figure, table_of

CALLERS: Final = 64
GRPC, UDP = "gRPC", "UDP"
INSIDE, SOCKETS = "in process", "in process, multisocket"
PEER: Final = {GRPC: COREDNS, UDP: INSIDE}


class Other(NamedTuple):
    server: Server
    over: str


def measure(setup: Setup) -> Results:
    results = Results("others")
    with ExitStack() as stack:
        others = [
            Other(stack.enter_context(servers.ours(setup.place)), GRPC),
            Other(stack.enter_context(servers.coredns(setup.place, names=setup.names)), GRPC),
            Other(stack.enter_context(servers.one_day(setup.place, setup.names)), GRPC),
            Other(_inside(stack, setup, INSIDE), UDP),
            Other(_inside(stack, setup, SOCKETS, "multisocket 2"), UDP),
        ]
        for other in others:  # every name, to warm up the memo and everything else
            _run(other, setup, seconds=120, count=20 * setup.size)
        for number, backwards in rounds(setup.rounds):
            for other in reversed(others) if backwards else others:
                found = _run(other, setup, seconds=setup.seconds)
                pss = usage.memory(other.server.pids).pss
                results.add(other.server.name, other.over, number, pss=pss, **found.values())
    say("others: done")
    return results


def _inside(stack: ExitStack, setup: Setup, name: str, *lines: str) -> Server:
    stanza = servers.kubernetes(setup.place)
    running = stack.enter_context(servers.front(stanza, setup.place, lines=lines))
    servers.answering(running.address, setup.names)
    return Server(name, [str(running.address)], running.process.pid, running)


def _run(other: Other, setup: Setup, *, seconds: float, count: int = 0) -> load.Run:
    udp = other.over == UDP
    return ask(other.server, setup, callers=CALLERS, seconds=seconds, count=count, udp=udp)


def table(results: Results) -> str:
    heads = (
        "over", "server", "req/s", "/ CoreDNS", "p99 us", "CPU s / million", "/ CoreDNS", "PSS MB",
    )  # fmt: skip
    rows = []
    for over in results.cases():
        peer = (PEER[over], over)
        for server in results.servers():
            if not results.find(server, over):
                continue
            cell = (server, over)
            rows.append([
                over, server,
                figure(results, *cell, "per_second"),
                results.ratio("per_second", cell, peer).text(),
                figure(results, *cell, "p99"),
                figure(results, *cell, "cpu", digits=1),
                results.ratio("cpu", cell, peer).text(),
                figure(results, *cell, "pss"),
            ])  # fmt: skip
    return table_of(heads, rows)
