"""The servers that are measured: grpcdns, CoreDNS over gRPC, the lane's echo; CoreDNS in front."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench import load, usage
from bench.setup import Place
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import ROOT
from harness.ports import Address, free_address
from harness.process import Process
from harness.waiting import wait_until

ZONES: Final = "cluster.local in-addr.arpa ip6.arpa"
ECHO, OURS, OURS_2, COREDNS = "lane's echo", "grpcdns, 1 worker", "grpcdns, 2 workers", "CoreDNS"
ONE_DAY: Final = "grpc.aio, dnslib, informer"


@dataclass
class Server:
    """A running gRPC server: its addresses, and its main process."""

    name: str
    targets: Sequence[str]
    root: int
    harness: Grpcdns | CoreDNS | None = field(default=None, repr=False)

    @property
    def pids(self) -> list[int]:
        return usage.family(self.root)


@contextmanager
def ours(
    place: Place, *, workers: int = 1, options: Sequence[str | Path] = (), ready: bool = True
) -> Iterator[Server]:
    """``grpcdns serve`` on unix sockets; with ``ready`` waits until it serves."""
    grpcdns = ours_at(place, *options, workers=workers)
    with grpcdns.start(ready=ready, timeout=300):
        name = OURS if workers == 1 else OURS_2
        yield Server(name, grpcdns.listen, grpcdns.process.pid, grpcdns)


def ours_at(place: Place, *options: str | Path, workers: int) -> Grpcdns:
    """Not started yet."""
    flags: list[str | Path] = ["--upstream", "none", *options]
    if place.kubeconfig:
        flags += ["--kubeconfig", place.kubeconfig]
    return Grpcdns(*flags, workers=workers, env=place.env, prefix=place.prefix)


def coredns_at(place: Place, corefile: str) -> CoreDNS:
    """Not started yet."""
    return CoreDNS(corefile, env=place.env, prefix=place.prefix)


@contextmanager
def coredns(place: Place, *, names: Path | None = None) -> Iterator[Server]:
    """CoreDNS's `kubernetes` plugin over gRPC; waits until the first of `names` is answered."""
    address = free_address()
    with coredns_at(place, over_grpc(address, place)) as running:
        if names is not None:
            load.waited(load.wait(str(address), names))
        yield Server(COREDNS, [str(address)], running.process.pid, running)


@contextmanager
def echo() -> Iterator[Server]:
    """The lane alone (`bench.echo`)."""
    with tempfile.TemporaryDirectory(prefix="grpcdns-echo-") as folder:
        path = Path(folder, "echo.sock")
        argv = [sys.executable, "-m", "bench.echo", f"unix://{path}"]
        process = Process(argv, log=Path(folder, "log"), cwd=ROOT)
        with process.start(path.exists):
            yield Server(ECHO, [f"unix://{path}"], process.pid)


@contextmanager
def one_day(place: Place, names: Path) -> Iterator[Server]:
    """`bench.one_day`; waits until the first of ``names`` is answered, and the rest is listed."""
    with tempfile.TemporaryDirectory(prefix="grpcdns-one-day-") as folder:
        path = Path(folder, "one-day.sock")
        argv: list[str | Path] = [*place.prefix, sys.executable, "-m", "bench.one_day"]
        argv += [f"unix://{path}", *([place.kubeconfig] if place.kubeconfig else [])]
        process = Process(argv, log=Path(folder, "log"), cwd=ROOT, env=place.env)
        with process.start(path.exists):
            wait_until(
                lambda: _all_right(f"unix://{path}", names), "every right answer", timeout=300
            )
            yield Server(ONE_DAY, [f"unix://{path}"], process.pid)


def _all_right(target: str, names: Path) -> bool:
    count = len(names.read_text().splitlines())
    try:
        load.run([target], names, callers=16, count=count, seconds=120)
    except load.LoadError:
        return False
    return True


@contextmanager
def front(
    stanza: str, place: Place, *, cache: bool = False, lines: Sequence[str] = ()
) -> Iterator[CoreDNS]:
    """CoreDNS over UDP, with ``stanza`` as the source of its answers, and more ``lines``."""
    cached = ["cache 30 {\n        servfail 0\n    }"] if cache else []
    lines = [*cached, *lines, plugin(stanza)]
    with coredns_at(place, ". {\n    " + "\n    ".join(lines) + "\n}") as running:
        yield running


def over_grpc(address: Address, place: Place) -> str:
    """A Corefile that answers from `kubernetes` over gRPC; UDP is only for readiness."""
    stanza = plugin(kubernetes(place))
    return f". {{\n    whoami\n}}\ngrpc://.:{address.port} {{\n    {stanza}\n}}"


def kubernetes(place: Place, *options: str) -> str:
    """The plugin's stanza, with more options."""
    access = [f"kubeconfig {place.kubeconfig}"] if place.kubeconfig else []
    inside = "".join(f"\n    {line}" for line in (*access, *options))
    return f"kubernetes {ZONES} {{{inside}\n}}" if inside else f"kubernetes {ZONES}"


def grpc(targets: Sequence[str]) -> str:
    return f"grpc . {' '.join(targets)} {{\n    policy round_robin\n}}"


def plugin(stanza: str) -> str:
    """A stanza, indented for a server block."""
    return stanza.replace("\n", "\n    ")


def answering(address: Address, names: Path) -> None:
    """Waits until the first of ``names`` gets its right answer over UDP."""
    wait_until(
        lambda: load.run([str(address)], names, udp=True, callers=1, count=1, seconds=1),
        "the right answer",
        timeout=60,
    )
