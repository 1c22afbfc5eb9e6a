"""A worker of a real ``grpcdns serve``: its memory, its descriptors, and honest callers of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from harness.grpcdns import Grpcdns
from harness.objects import endpoint_slice, service, write_list
from tests.conformance.cluster import OBJECTS
from tests.system.hostile import http2
from tests.system.hostile.abuse import QUERY
from tests.system.hostile.http2 import Connection, frame

WINDOW_UPDATE: Final = 8
SPARE: Final = os.getloadavg()[0] < 2 * (os.cpu_count() or 1)
"""Whether the machine is idle enough to measure; if not, bounds on time are five times as wide."""
BIG: Final = 2000
"""Endpoints of the Service ``big``: an answer of 32 KiB."""


def write_manifests(folder: Path) -> Path:
    """The cluster of tests/conformance, and a Service with a big answer."""
    points = [{"addresses": [f"10.9.{n >> 8}.{n & 255}"]} for n in range(BIG)]
    big = [
        service("big", namespace="testns", headless=True),
        *(endpoint_slice(f"big-{n}", "big", points[n : n + 100], [], namespace="testns")
          for n in range(0, BIG, 100)),
    ]  # fmt: skip
    return write_list(folder / "cluster.json", [*OBJECTS, *big])


class Caller:
    """An honest caller, on one connection, as CoreDNS keeps it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._stream = 1

    def p99(self, seconds: float) -> float:
        """The 99th percentile of the seconds that an answer takes, one query at a time."""
        took = []
        end = time.perf_counter() + seconds
        while (began := time.perf_counter()) < end:
            while not self._ask():  # shed: CoreDNS would ask the other worker
                assert time.perf_counter() - began < 5.0, "an honest caller got no answer"
            took.append(time.perf_counter() - began)
        return sorted(took)[len(took) * 99 // 100]

    def _ask(self) -> bool:
        self._connection.call(self._stream, QUERY)
        kinds = self._connection.read_end(self._stream)
        self._stream += 2
        return http2.DATA in kinds


class Worker:
    """The only worker of a `Grpcdns`."""

    def __init__(self, grpcdns: Grpcdns, transport: str) -> None:
        self.grpcdns = grpcdns
        self.transport = transport
        self._began = time.monotonic()
        self.path = grpcdns.listen[0].removeprefix("unix://")
        self.pid = grpcdns.children()["worker 0"]

    @classmethod
    @contextmanager
    def run(cls, folder: Path, transport: str, *options: str) -> Iterator[Self]:
        chosen = ("--manifests", str(write_manifests(folder)), "--transport", transport, *options)
        with Grpcdns(*chosen, workers=1, folder=folder) as grpcdns:
            yield cls(grpcdns, transport)

    @property
    def same(self) -> bool:
        """Whether it is still the same process: neither crashed nor restarted."""
        return self.grpcdns.children().get("worker 0") == self.pid

    @property
    def age(self) -> float:
        """Seconds since it was ready."""
        return time.monotonic() - self._began

    @property
    def rss(self) -> int:
        """MiB."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * 4096 >> 20

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @contextmanager
    def caller(self) -> Iterator[Caller]:
        with Connection(self.path) as connection:
            connection.send(frame(WINDOW_UPDATE, 0, 0, (1 << 30).to_bytes(4, "big")))
            yield Caller(connection)


@contextmanager
def abused(worker: Worker, how: str) -> Iterator[None]:
    """Runs an abuse of `HOW` in another process while inside."""
    argv = ["nice", sys.executable, "-m", "tests.system.hostile.abuse", how, worker.path]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            yield
        finally:
            child.kill()
