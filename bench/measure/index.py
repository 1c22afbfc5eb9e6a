"""The index alone, in a separate process: a synthetic cluster of up to 5,000,000 endpoints.

Objects as the feed packs them are applied as a worker applies a list. Then each Service is asked
for once, without the memo's help, and once more, from the memo as far as its bound allows.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

import dns.message

from bench import usage
from bench.cluster import ENDPOINTS, Name
from bench.samples import Results
from bench.setup import Setup, say
from bench.tables import figure, table_of
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Port,
    Service,
    key_of,
    pack,
)
from grpcdns.core.cluster.store import Entries
from grpcdns.core.handler import Handler
from harness.paths import ROOT

SIZES: Final = (10_000, 100_000, 500_000)
"""Services; ten endpoints each."""
ASKED: Final = 10_000
INDEX: Final = "index"


def measure(setup: Setup) -> Results:
    results = Results("index")
    sizes = SIZES if setup.seconds >= 2 else (setup.size,)
    for size in sizes:
        for number in range(min(setup.rounds, 3)):
            command = [sys.executable, "-m", "bench.measure.index", str(size)]
            done = subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
            results.add(INDEX, size * ENDPOINTS, number, **json.loads(done.stdout))
        say(f"index: {size * ENDPOINTS:,} endpoints done")
    return results


def alone(size: int) -> dict[str, float]:
    """The figures of one process: memory in MB, times in seconds or microseconds."""
    handler = Handler(Policy())
    kinds: dict[Kind, Iterable[Object]] = {
        Kind.NAMESPACE: [Namespace("", f"team-{n}") for n in range(size // 100 + 1)],
        Kind.SERVICE: (_service(Name(n)) for n in range(size)),
        Kind.ENDPOINT_SLICE: (_slice(Name(n)) for n in range(size)),
    }
    gc.disable()
    before = usage.memory([os.getpid()]).rss
    took = 0.0
    for kind, objects in kinds.items():
        steps = handler.replace(kind, _packed(iter(objects)), 1)
        began = time.perf_counter()
        for _ in steps:
            pass
        took += time.perf_counter() - began
    gc.collect()
    used = usage.memory([os.getpid()]).rss - before
    asked = [dns.message.make_query(Name(n).qname, "A").to_wire() for n in range(min(size, ASKED))]
    cold, warm = _time(handler, asked), _time(handler, asked)
    return {"seconds": took, "mb": used, "bytes": used * 1e6 / (size * ENDPOINTS)} | {
        "cold": cold / len(asked) * 1e6,
        "warm": warm / len(asked) * 1e6,
    }


def _time(handler: Handler, asked: list[bytes]) -> float:
    began = time.perf_counter()
    for message in asked:
        handler.handle(message)
    return time.perf_counter() - began


def _packed(objects: Iterator[Object]) -> Iterator[Entries]:
    """In batches, as a worker gets them."""
    while batch := tuple(islice(objects, 256)):
        yield [(key_of(obj), pack(obj)) for obj in batch]


_PORTS: Final = (Port("http", "TCP", 80), Port("https", "TCP", 443))


def _service(name: Name) -> Service:
    addresses = ("None",) if name.headless else (name.cluster_ip,)
    return Service(name.namespace, name.name, cluster_ips=addresses, ports=_PORTS)


def _slice(name: Name) -> EndpointSlice:
    endpoints = tuple(
        Endpoint(
            (name.endpoint_ip(n),),
            hostname=f"{name.name}-{n}" if name.headless else "",
            pod=f"{name.name}-{n}",
            zone=f"zone-{n % 3}",
        )
        for n in range(ENDPOINTS)
    )
    return EndpointSlice(
        name.namespace, f"{name.name}-x7k2p", name.name, endpoints=endpoints, ports=_PORTS
    )


def table(results: Results) -> str:
    heads = (
        "endpoints", "load s", "MB", "bytes per endpoint", "cold us per query",
        "warm us per query",
    )  # fmt: skip
    rows = []
    for case in results.cases():
        values = (("seconds", 1), ("mb", 0), ("bytes", 0), ("cold", 1), ("warm", 2))
        cells = [figure(results, INDEX, case, value, digits=digits) for value, digits in values]
        rows.append([f"{int(case):,}", *cells])
    return table_of(heads, rows)


if __name__ == "__main__":
    print(json.dumps(alone(int(sys.argv[1]))))
