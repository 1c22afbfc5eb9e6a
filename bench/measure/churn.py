"""Latency while the cluster changes: idle, 50 slice updates a second, and a relist of everything.

An open loop at a fixed rate: the latency of a question counts from when it was due, also when the
server was busy then. For the relist the API server is killed and restarted. Its watch cache is then
empty, so every watch is refused as too old (410) and every client relists. grpcdns is also measured
while its feed is killed: the new one lists everything and compares it with the worker. "CPU wait"
is how long, for each answer, the threads of the answering process were runnable without a
processor.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Final

from bench import load, servers, usage
from bench.cluster import Name, slice_of
from bench.samples import Results, rounds
from bench.servers import Server
from bench.setup import Setup, say
from bench.tables import figure, table_of
from harness.grpcdns import Grpcdns

RATE: Final = 2000.0
CALLERS: Final = 64
UPDATES: Final = 50.0
IDLE, CHURN, RELIST, FEED = "idle", "50 updates/s", "API server restarted", "feed killed"


def measure(setup: Setup) -> Results:
    results = Results("churn")
    with ExitStack() as stack:
        running = [
            stack.enter_context(servers.ours(setup.place)),
            stack.enter_context(servers.coredns(setup.place, names=setup.names)),
        ]
        for server in running:
            _ask(server, setup, 1.0)
        for number, backwards in rounds(setup.rounds):
            for server in reversed(running) if backwards else running:
                # In one second, a single stall of 10 ms would be the p99.
                seconds = max(setup.seconds, 4.0)
                note(results, server, IDLE, number, setup, seconds, nothing())
                note(results, server, CHURN, number, setup, seconds, updates(setup))
                note(results, server, RELIST, number, setup, seconds * 1.5, _restart(setup))
                _settle(setup, running)
                if isinstance(server.harness, Grpcdns):
                    during = during_relist(server.harness)
                    note(results, server, FEED, number, setup, seconds, during)
                    _settle(setup, running)
            say(f"churn: round {number + 1} of {setup.rounds}")
    return results


def note(
    results: Results,
    server: Server,
    case: str,
    number: int,
    setup: Setup,
    seconds: float,
    during: AbstractContextManager[None],
) -> None:
    """Ask for so long, and enter ``during`` meanwhile."""
    answering = [_answering(server)]
    before = usage.cpu_wait_seconds(answering)
    with ThreadPoolExecutor(1) as pool:
        asking = pool.submit(_ask, server, setup, seconds)
        with during:
            found = asking.result()
    waited = (usage.cpu_wait_seconds(answering) - before) / found.answers * 1e6
    rest = {"max": found.max, "late": found.late_p99, "waited": waited}
    results.add(server.name, case, number, **found.values(), **rest)


def _answering(server: Server) -> int:
    """The process that answers."""
    if isinstance(server.harness, Grpcdns):
        return server.harness.children()["worker 0"]
    return server.root


def _ask(server: Server, setup: Setup, seconds: float) -> load.Run:
    return load.run(
        server.targets,
        setup.names,
        callers=CALLERS,
        seconds=seconds,
        rate=RATE,
        pids=server.pids,
        tolerate=0.2,  # during a change an answer may have one endpoint fewer than in the file
    )


@contextmanager
def nothing() -> Iterator[None]:
    yield


@contextmanager
def updates(setup: Setup) -> Iterator[None]:
    """Changes the first endpoint of slices and changes it back, `UPDATES` times a second."""

    def update(number: int) -> None:
        name = Name(number // 2 % setup.size)
        obj = slice_of(name, f"10.250.{name.number >> 8 & 255}.{name.number & 255}")
        if number % 2:
            obj = slice_of(name)
        setup.cluster.api.patch(obj, {"endpoints": obj["endpoints"]})

    with _every(1 / UPDATES, update):
        yield


@contextmanager
def _every(seconds: float, act: Callable[[int], None]) -> Iterator[None]:
    """Calls ``act`` with 0, 1, 2... in a thread, at fixed times, an even number of times."""
    stopped = threading.Event()

    def loop() -> None:
        number, due = 0, time.monotonic()
        while not stopped.wait(max(0.0, due - time.monotonic())) or number % 2:
            act(number)
            number, due = number + 1, due + seconds

    thread = threading.Thread(target=loop)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()


@contextmanager
def _restart(setup: Setup) -> Iterator[None]:
    """The API server is killed and restarted."""
    setup.cluster.apiserver.kill()
    setup.cluster.start_apiserver()
    yield


@contextmanager
def during_relist(grpcdns: Grpcdns) -> Iterator[None]:
    """The feed is killed, and a new one lists everything."""
    os.kill(grpcdns.children()["feed"], signal.SIGKILL)
    yield


def _settle(setup: Setup, running: list[Server]) -> None:
    """Waits until a change reaches every server."""
    name = Name(0)
    mark = f"10.251.0.{time.monotonic_ns() % 200 + 1}"
    obj = slice_of(name, mark)
    setup.cluster.api.patch(obj, {"endpoints": obj["endpoints"]})
    asked = setup.folder / "settled"
    asked.write_text(f"{mark.replace('.', '-')}.{name.qname} A NXDOMAIN\n")
    back = slice_of(name)
    setup.cluster.api.patch(back, {"endpoints": back["endpoints"]})
    for server in running:
        load.waited(load.wait(server.targets[0], asked))


def table(results: Results) -> str:
    heads = (
        "while", "server", "p50 us", "p99 us", "p99.9 us", "max us", "p99 / idle", "CPU wait us",
    )  # fmt: skip
    rows = []
    for case in results.cases():
        for server in results.servers():
            if not results.find(server, case):
                continue
            values = ("p50", "p99", "p999", "max")
            cells = [figure(results, server, case, value) for value in values]
            ratio = results.ratio("p99", (server, case), (server, IDLE))
            waited = figure(results, server, case, "waited")
            rows.append([case, server, *cells, ratio.text(), waited])
    return table_of(heads, rows)
