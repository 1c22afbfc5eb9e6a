"""What counting names costs a worker: CPU time of a query over gRPC, and memory.

    python -m bench.measure.names [--seconds 60] [--queries 10000000]     0 leaves out that part

CPU time: one process serves a closed loop of 16 callers over a unix socket, as a worker does, and
counts names or not, in turn, a twentieth of a second each. Each pair gives a ratio and a
difference: the median of the pairs, with its 95 % interval. What hits the memo is counted in its
entry, and the sketch gets the hits every ten seconds: that is measured separately.

Memory: so many queries for a million names by a Zipf law, without gRPC, and the resident memory on
the way. The periods turn after each fifth, so both are full.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import accumulate
from pathlib import Path
from typing import Final

from bench import bootstrap, load, usage
from bench.setup import say
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, Service, key_of, pack
from grpcdns.core.handler import Handler
from grpcdns.core.sketch import AskedNames
from grpcdns.serve.worker.transport.experiments import set_experiments
from harness.waiting import wait_until

SERVICES: Final = 10_000
NAMES: Final = 1_000_000
ABSENT: Final = 100_000
"""Names that are not there, asked in turn: more than the memo keeps, so each is answered anew."""
CALLERS: Final = 16
SLICE: Final = 0.05
"""Seconds for which names are counted, or not."""
LOADS: Final = {
    "from the memo": [f"svc-{number}.ns.svc.cluster.local. A" for number in range(SERVICES)],
    "NXDOMAIN, each of another name": [
        f"no-{number}.ns.svc.cluster.local. A NXDOMAIN" for number in range(ABSENT)
    ],
    "REFUSED, each of another name": [
        f"no-{number}.example.com. A REFUSED" for number in range(ABSENT)
    ],
}
"""The questions of each load, as `bench.load` reads them."""
_STEP: Final = 10_000
"""Queries after which the hits of the memo are counted."""
_TENTHS: Final = 10
_ROUNDS: Final = 100


class Nothing(AskedNames):
    """Counts nothing."""

    def add(self, key: bytes, outcome: int, count: int = 1) -> None:
        pass

    def refuse(self, key: bytes) -> None:
        pass


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--queries", type=int, default=1_000_000)
    given = parser.parse_args(argv)
    gc.disable()  # as in a worker
    for name, questions in LOADS.items() if given.seconds else ():
        print(f"{name}: {compare(questions, given.seconds)}", flush=True)
    print(f"the hits of {SERVICES:,} entries of the memo: {compare_hits()}", flush=True)
    gc.collect()
    if given.queries:
        sizes = flat(given.queries)
        print(f"{given.queries:,} queries for {NAMES:,} names, MB after each tenth: {sizes}")


# -- CPU time


def compare(questions: Sequence[str], seconds: float) -> str:
    """CPU time of a query, and how much more of it one takes that is counted."""
    handler = made()
    ways = {True: handler.names, False: Nothing()}
    pairs: list[tuple[float, float]] = []
    with serving(handler) as server, asked(server, questions, seconds) as ended:
        while True:
            took = {}
            for counts in (True, False) if len(pairs) % 2 else (False, True):
                handler.names = ways[counts]
                took[counts] = server.cpu_per_query(SLICE)
            if ended():
                break
            pairs.append((took[True], took[False]))
    return figures(pairs, "us a query")


def compare_hits() -> str:
    """CPU time of counting what hit the memo, once each 10 s in a worker."""
    handler = made()
    ways = {True: handler.names, False: Nothing()}
    queries = [query(f"svc-{number}.ns.svc.cluster.local") for number in range(SERVICES)]
    pairs = []
    for number in range(_ROUNDS):
        took = {}
        for counts in (True, False) if number % 2 else (False, True):
            handler.names = ways[counts]
            for message in queries:
                handler.handle(message)
            began = time.process_time()
            handler.counted()
            took[counts] = (time.process_time() - began) * 1e3
        pairs.append((took[True], took[False]))
    return figures(pairs, "ms")


def figures(pairs: Sequence[tuple[float, float]], unit: str) -> str:
    """Of what took so long counted and not."""
    plain = bootstrap.median([off for _, off in pairs])
    more = bootstrap.median([on - off for on, off in pairs])
    percent = bootstrap.median([100 * (on / off - 1) for on, off in pairs])
    return (
        f"{plain.text()} {unit}, counted {more.text()} more, {percent.text()} %"
        f" ({len(pairs)} pairs)"
    )


class Server:
    """A handler behind the transport of a worker, in this process."""

    def __init__(self, handler: Handler, folder: Path) -> None:
        set_experiments()  # before grpc is imported, as in a worker
        from grpcdns.serve.worker.transport.contract import Pressure
        from grpcdns.serve.worker.transport.health import Health
        from grpcdns.serve.worker.transport.lane import Lane
        from grpcdns.serve.worker.transport.server import Listeners

        self.target = f"unix://{folder}/0.sock"
        self._handler = handler
        self._lock = threading.Lock()
        health = Health()
        health.set(serving=True)
        self.lane = Lane(Listeners([self.target], health), self._answer, Pressure())

    def cpu_per_query(self, seconds: float) -> float:
        """Microseconds that a query takes during the next ``seconds``."""
        began, answers = time.process_time(), self.answers
        time.sleep(seconds)
        return (time.process_time() - began) / max(1, self.answers - answers) * 1e6

    @property
    def answers(self) -> int:
        return sum(self.lane.stats.buckets)

    def _answer(self, message: bytes) -> bytes | None:
        with self._lock:
            found = self._handler.handle(message)
        assert found is None or isinstance(found, bytes)
        return found


@contextmanager
def serving(handler: Handler) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="grpcdns-names-") as folder:
        server = Server(handler, Path(folder))
        server.lane.start()
        try:
            yield server
        finally:
            server.lane.stop(1.0)


@contextmanager
def asked(server: Server, questions: Sequence[str], seconds: float) -> Iterator[Callable[[], bool]]:
    """The questions are asked for so long; says whether that has ended. Raises `LoadError` for
    wrong answers."""
    with tempfile.NamedTemporaryFile("w", prefix="grpcdns-names-") as file:
        file.write("\n".join(questions))
        file.flush()
        ask = partial(load.run, [server.target], Path(file.name), callers=CALLERS)
        ask(count=len(questions), seconds=120)  # each once, so that the memo has what it keeps
        before = server.answers
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(ask, seconds=seconds)
            wait_until(lambda: loading.done() or server.answers > before, "the first answer")
            yield loading.done
            loading.result()


# -- memory


def flat(queries: int) -> list[int]:
    """Megabytes after each tenth of the queries."""
    handler = made()
    law = list(accumulate(1 / rank for rank in range(1, NAMES + 1)))
    draw = random.Random(1)
    sizes = []
    for tenth in range(1, _TENTHS + 1):
        for _ in range(queries // _TENTHS // _STEP):
            for rank in draw.choices(range(NAMES), cum_weights=law, k=_STEP):
                word = "svc" if rank % 2 else "no"
                handler.handle(query(f"{word}-{rank}.ns.svc.cluster.local"))
            handler.counted()
        sizes.append(round(usage.memory([os.getpid()]).rss))
        say(f"{queries * tenth // _TENTHS:,} queries: {sizes[-1]} MB")
        if tenth % 2 == 0:
            handler.names.turn()
    return sizes


def made() -> Handler:
    """A handler that knows `SERVICES` Services."""
    handler = Handler(Policy())
    objects: dict[Kind, Sequence[Namespace | Service]] = {
        Kind.NAMESPACE: [Namespace("", "ns")],
        Kind.SERVICE: [
            Service("ns", f"svc-{n}", cluster_ips=(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",))
            for n in range(SERVICES)
        ],
        Kind.ENDPOINT_SLICE: [],
    }
    for kind, each in objects.items():
        list(handler.replace(kind, [[(key_of(one), pack(one)) for one in each]], 1))
    return handler


def query(name: str) -> bytes:
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split("."))
    return b"\0\1\1\0\0\1\0\0\0\0\0\0" + labels + b"\0\0\1\0\1"


if __name__ == "__main__":
    main()
