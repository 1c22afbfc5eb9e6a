"""What counting names costs a worker: CPU time of a query with and without it, and memory.

    python -m bench.measure.names [--queries 10000000]

The core alone, so that the whole query (gRPC included) costs a smaller part. Both ways take turns
in one process; each figure is the best of the rounds. Then so many queries for a million names by
a Zipf law, half of them names that are not there, with the resident memory on the way.
"""

from __future__ import annotations

import argparse
import gc
import random
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Final

import dns.message

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, Service, key_of, pack
from grpcdns.core.handler import Handler
from grpcdns.core.sketch import AskedNames

SERVICES: Final = 10_000
NAMES: Final = 1_000_000
ROUNDS: Final = 9
_STEP: Final = 10_000
"""Queries after which the hits of the memo are counted."""
_PAGE: Final = 4096


class Nothing(AskedNames):
    """Counts nothing."""

    def add(self, key: bytes, outcome: int, count: int = 1) -> None:
        pass


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=1_000_000)
    given = parser.parse_args(argv)
    gc.disable()  # as in a worker
    there = [query(f"svc-{number}.ns.svc.cluster.local.") for number in range(SERVICES)]
    absent = [query(f"no-{number}.ns.svc.cluster.local.") for number in range(SERVICES)]
    outside = [query(f"no-{number}.example.com.") for number in range(SERVICES)]
    for name, messages, warm in (
        ("from the memo, counted every 10,000", there, True),
        ("first answers", there, False),
        ("NXDOMAIN, never the same name", absent, False),
        ("REFUSED, never the same name", outside, False),
    ):
        counted, plain = compare(messages, warm=warm)
        print(f"{name}: {plain:.2f} us, counted {counted:.2f} us, {counted - plain:+.2f}")
    gc.collect()
    flat(given.queries)


def compare(messages: Sequence[bytes], *, warm: bool) -> tuple[float, float]:
    """Microseconds a query, with names counted and without."""
    found: dict[bool, list[float]] = {True: [], False: []}
    for number in range(ROUNDS):
        for counts in (True, False) if number % 2 else (False, True):
            handler = made()
            if not counts:
                handler.names = Nothing()
            if warm:
                ask(handler, messages)
            found[counts].append(ask(handler, messages))
    return min(found[True]), min(found[False])


def ask(handler: Handler, messages: Sequence[bytes]) -> float:
    """Microseconds of CPU time a query; the hits of the memo are counted on the way."""
    handle: Callable[[bytes], object] = handler.handle
    began = time.process_time()
    for start in range(0, len(messages), _STEP):
        for message in messages[start : start + _STEP]:
            handle(message)
        handler.counted()
    return (time.process_time() - began) / len(messages) * 1e6


def flat(queries: int) -> None:
    """Memory after each tenth of the queries."""
    handler = made()
    law = list(accumulate(1 / rank for rank in range(1, NAMES + 1)))
    draw = random.Random(1)
    sizes = []
    for _ in range(10):
        for _ in range(queries // 10 // _STEP):
            for rank in draw.choices(range(NAMES), cum_weights=law, k=_STEP):
                word = "svc" if rank % 2 else "no"
                handler.handle(query_fast(f"{word}-{rank}.ns.svc.cluster.local"))
            handler.counted()
        sizes.append(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE >> 20)
    print(f"{queries:,} queries for {NAMES:,} names, MB after each tenth: {sizes}")


def made() -> Handler:
    handler = Handler(Policy())
    for kind in (Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE):
        objects: Sequence[Namespace | Service] = ()
        if kind is Kind.NAMESPACE:
            objects = [Namespace("", "ns")]
        elif kind is Kind.SERVICE:
            objects = [
                Service("ns", f"svc-{n}", cluster_ips=(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",))
                for n in range(SERVICES)
            ]
        list(handler.replace(kind, [[(key_of(one), pack(one)) for one in objects]], 1))
    return handler


def query(name: str) -> bytes:
    return dns.message.make_query(name, "A", id=1).to_wire()


def query_fast(name: str) -> bytes:
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    return b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


if __name__ == "__main__":
    main()
