"""How long a client waits for a name that it asked for too early, through CoreDNS with `cache`.

A name below a headless Service is asked for every 100 ms before its slice is written, as the peers
of a StatefulSet's new member do. Time counts from the API's response to the first right answer,
which is asked for every 5 ms from then on. Every server gets the same names at the same time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final

from bench import servers
from bench.cluster import questions
from bench.samples import Results
from bench.setup import Setup, say
from bench.tables import table_of
from grpcdns.corefile.cache import cache_lines
from harness.dns import ask, section
from harness.objects import endpoint_slice, port, service
from harness.ports import Address

NAMES: Final = 12
"""At once, in each round."""
BEFORE: Final = 1.0
"""Seconds for which a name is asked for before its slice is written."""
PATIENCE: Final = 40.0
SPACE: Final = "team-0"
ADAPTIVE, FIXED = "grpcdns, adaptive", "grpcdns, fixed"
PLUGIN_5, PLUGIN_30 = "kubernetes, ttl 5", "kubernetes, ttl 30"


def measure(setup: Setup) -> Results:
    results = Results("freshness")
    with ExitStack() as stack:
        fronts = _fronts(stack, setup)
        for address in fronts.values():
            servers.answering(address, setup.names)
        names = NAMES if setup.seconds >= 2 else 2
        for number in range(setup.rounds):
            # New names each round: a cache still has the right answers of the round before.
            numbers = range(number * NAMES, number * NAMES + names)
            made = [service(f"await-{n}", namespace=SPACE, headless=True, ports=[port(80)])
                    for n in numbers]  # fmt: skip
            for one in made:
                setup.cluster.api.create(one)
            time.sleep(1.0)  # all servers know the Services
            with ThreadPoolExecutor(names) as pool:
                for found in pool.map(lambda n: _await(setup, fronts, n), numbers):
                    for server, milliseconds in found.items():
                        results.add(server, "", number, ms=milliseconds)
            setup.cluster.api.delete_all([*made, *(_slice(n) for n in numbers)])
            say(f"freshness: round {number + 1} of {setup.rounds}")
    return results


def _fronts(stack: ExitStack, setup: Setup) -> dict[str, Address]:
    place = setup.place
    adaptive = stack.enter_context(servers.ours(place, options=("--ttl-mode", "adaptive")))
    fixed = stack.enter_context(servers.ours(place))
    sized = "\n    ".join(cache_lines(len(questions(setup.size))))
    plain = "cache {\n        servfail 0\n    }"
    stanzas = {
        ADAPTIVE: (servers.grpc(adaptive.targets), sized),
        FIXED: (servers.grpc(fixed.targets), plain),
        PLUGIN_5: (servers.kubernetes(place, "ttl 5"), "cache 30"),
        # A run too short to be a measurement does not wait half a minute either.
        PLUGIN_30: (
            servers.kubernetes(place, f"ttl {30 if setup.seconds >= 2 else 6}"),
            "cache 30",
        ),
    }
    return {
        name: stack.enter_context(servers.front(stanza, place, lines=[cache])).address
        for name, (stanza, cache) in stanzas.items()
    }


def _slice(number: int) -> dict[str, Any]:
    points = [
        {"addresses": [f"10.253.0.{number + 1}"], "hostname": "db-0", "conditions": {"ready": True}}
    ]
    return endpoint_slice(
        f"await-{number}-a", f"await-{number}", points, [port(80)], namespace=SPACE
    )


def _await(setup: Setup, fronts: Mapping[str, Address], number: int) -> dict[str, float]:
    """Milliseconds from the API's response, by server."""
    name = f"db-0.await-{number}.{SPACE}.svc.cluster.local."
    written = threading.Event()
    found: dict[str, float] = {}

    def watch(server: str, address: Address) -> None:
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            if section(ask(address, name)):
                found[server] = time.monotonic()
                return
            written.wait(0.1) if not written.is_set() else time.sleep(0.005)

    watching = [threading.Thread(target=watch, args=pair) for pair in fronts.items()]
    for thread in watching:
        thread.start()
    time.sleep(BEFORE)
    setup.cluster.api.create(_slice(number))
    accepted = time.monotonic()
    written.set()
    for thread in watching:
        thread.join()
    return {server: max(0.0, at - accepted) * 1000 for server, at in found.items()}


def table(results: Results) -> str:
    heads = ("behind CoreDNS's cache", "p50 ms", "p99 ms", "max ms", "names")
    rows = []
    for server in results.servers():
        cells = [results.quantile("ms", (server, ""), q).text(0) for q in (0.5, 0.99, 1.0)]
        rows.append([server, *cells, str(len(results.find(server)))])
    return table_of(heads, rows)
