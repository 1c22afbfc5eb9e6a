"""Through CoreDNS with `cache`, over UDP, as clients ask: grpcdns with an adaptive and with a fixed
TTL, and `kubernetes` in process with kubeadm's own Corefile (`ttl 30`, `cache 30`).

Names are asked by a Zipf law (s = 1), as clients do that share a few Services, and in turn, which
is the worst case for a cache. The hit rate is read from CoreDNS's own metrics. CPU time is that of
the CoreDNS in front and of the server behind it, together.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from bench import load, servers, usage
from bench.cluster import questions
from bench.samples import Results, rounds
from bench.setup import Setup, say
from bench.tables import figure, table_of
from grpcdns.corefile.cache import cache_lines
from harness.metrics import samples
from harness.ports import Address, free_address

CALLERS: Final = 64
ZIPF, TURN = "Zipf", "in turn"
LAWS: Final = {ZIPF: 1.0, TURN: 0.0}
ADAPTIVE, FIXED, INSIDE = "grpcdns, adaptive", "grpcdns, fixed", "kubernetes in process"


class Path(NamedTuple):
    """A CoreDNS in front with a cache, its metrics, and all processes involved."""

    name: str
    address: Address
    metrics: Address
    roots: Sequence[int]


def measure(setup: Setup) -> Results:
    results = Results("cached")
    with ExitStack() as stack:
        paths = [_adaptive(stack, setup), _fixed(stack, setup), _inside(stack, setup)]
        for path in paths:
            servers.answering(path.address, setup.names)
            _run(path, setup, 2.0, TURN)
        for number, backwards in rounds(setup.rounds):
            for path in reversed(paths) if backwards else paths:
                for law in LAWS:
                    _measure(results, path, setup, law, number)
    say("cached: done")
    return results


def _adaptive(stack: ExitStack, setup: Setup) -> Path:
    """As `grpcdns corefile` writes it: a cache with room for every name, and a minimum TTL of 0."""
    server = stack.enter_context(servers.ours(setup.place, options=("--ttl-mode", "adaptive")))
    block = "\n    ".join(cache_lines(len(questions(setup.size))))
    return _front(stack, ADAPTIVE, servers.grpc(server.targets), setup, block, server.root)


def _fixed(stack: ExitStack, setup: Setup) -> Path:
    server = stack.enter_context(servers.ours(setup.place))
    block = "cache {\n        servfail 0\n    }"
    return _front(stack, FIXED, servers.grpc(server.targets), setup, block, server.root)


def _inside(stack: ExitStack, setup: Setup) -> Path:
    return _front(stack, INSIDE, servers.kubernetes(setup.place, "ttl 30"), setup, "cache 30")


def _front(stack: ExitStack, name: str, stanza: str, setup: Setup, cache: str, *roots: int) -> Path:
    metrics = free_address()
    lines = [cache, f"prometheus {metrics}"]
    running = stack.enter_context(servers.front(stanza, setup.place, lines=lines))
    return Path(name, running.address, metrics, (running.process.pid, *roots))


def _measure(results: Results, path: Path, setup: Setup, law: str, number: int) -> None:
    pids = [pid for root in path.roots for pid in usage.family(root)]
    hits, asked = _cache(path)
    before, began = usage.cpu_seconds(pids), time.monotonic()
    run = _run(path, setup, max(setup.seconds, 0.3), law)
    took, used = time.monotonic() - began, usage.cpu_seconds(pids) - before
    hits_after, asked_after = _cache(path)
    results.add(
        path.name,
        law,
        number,
        per_second=run.per_second,
        cpu=used / (run.per_second * took) * 1e6,
        hit_rate=100 * (hits_after - hits) / max(asked_after - asked, 1),
        p99=run.p99,
    )


def _run(path: Path, setup: Setup, seconds: float, law: str) -> load.Run:
    return load.run(
        [str(path.address)],
        setup.names,
        callers=CALLERS,
        seconds=seconds,
        zipf=LAWS[law],
        udp=True,
        tolerate=0.001,
    )


def _cache(path: Path) -> tuple[float, float]:
    """Hits of CoreDNS's cache, and the requests that it saw."""
    found = samples(path.metrics)

    def total(name: str) -> float:
        return sum(value for series, value in found.items() if series.startswith(name))

    return total("coredns_cache_hits_total"), total("coredns_cache_requests_total")


def table(results: Results) -> str:
    heads = (
        "names asked", "server", "req/s", "hits %", "p99 us", "CPU s / million",
        "req/s / in process",
    )  # fmt: skip
    rows = []
    for law in results.cases():
        for server in results.servers():
            cells = [
                figure(results, server, law, "per_second"),
                figure(results, server, law, "hit_rate", digits=1),
                figure(results, server, law, "p99"),
                figure(results, server, law, "cpu", digits=1),
                results.ratio("per_second", (server, law), (INSIDE, law)).text(),
            ]
            rows.append([law, server, *cells])
    return table_of(heads, rows)
