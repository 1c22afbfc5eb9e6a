"""The load generators: `bench/load`, in Go, and dnsperf."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from harness.build import Program, build
from harness.paths import ROOT
from harness.ports import Address

PROGRAM: Final = Program("load", ROOT / "bench" / "load")


class LoadError(Exception):
    """The generator failed, or too many answers were wrong."""


class Run(msgspec.Struct, frozen=True):
    """The result of a run: latencies in microseconds, CPU time in seconds."""

    callers: int
    seconds: float
    answers: int
    per_second: float
    p50: float
    p99: float
    p999: float
    max: float
    errors: dict[str, int]
    late_p99: float
    server_user: float
    server_system: float
    client_cpu: float

    @property
    def failed(self) -> int:
        return sum(self.errors.values())

    @property
    def cpu_per_million(self) -> float:
        """The servers' CPU seconds, user and system, per million answers."""
        return (self.server_user + self.server_system) / max(self.answers, 1) * 1e6

    def values(self) -> dict[str, float]:
        """For a `Sample`."""
        return {
            "per_second": self.per_second,
            "p50": self.p50,
            "p99": self.p99,
            "p999": self.p999,
            "cpu": self.cpu_per_million,
            "errors": self.failed,
        }


def run(
    targets: Iterable[str],
    names: Path,
    *,
    callers: int = 64,
    seconds: float = 5.0,
    warmup: float = 0.0,
    count: int = 0,
    rate: float = 0.0,
    zipf: float = 0.0,
    udp: bool = False,
    echo: bool = False,
    pids: Iterable[int] = (),
    tolerate: float = 0.0,
) -> Run:
    """One run against servers at ``targets``. Raises `LoadError` for wrong answers.

    ``tolerate`` is the share of questions that may fail. ``zipf`` is the exponent of the law by
    which questions are drawn; 0: in turn.
    """
    command = [binary(), "run", "-names", names, "-callers", callers, "-count", count]
    command += ["-for", f"{seconds}s", "-warmup", f"{warmup}s", "-rate", rate, "-zipf", zipf]
    command += ["-pids", ",".join(map(str, pids))]
    command += [flag for flag, wanted in (("-udp", udp), ("-echo", echo)) if wanted]
    for target in targets:
        command += ["-target", target]
    found = msgspec.json.decode(_output(command, seconds + warmup + 30), type=Run)
    if found.failed > tolerate * (found.answers + found.failed):
        raise LoadError(f"{found.failed} of {found.answers + found.failed}: {found.errors}")
    return found


def wait(target: str, names: Path, patience: float = 300.0) -> subprocess.Popen[str]:
    """Starts asking the first question of the file; see `waited`."""
    command = [binary(), "wait", "-target", target, "-names", names, "-patience", f"{patience}s"]
    return subprocess.Popen(_words(command), stdout=subprocess.PIPE, text=True)


def waited(waiting: subprocess.Popen[str]) -> float:
    """When the right answer came, in Unix seconds."""
    out, _ = waiting.communicate(timeout=330)
    if waiting.returncode:
        raise LoadError("no right answer came")
    return float(json.loads(out)["at"])


class Probed(msgspec.Struct, frozen=True):
    """A change, in milliseconds: ``request``, from the request to the API's response; ``event``,
    from the response to the event at a plain watch (negative: the event came first); ``after``,
    from the event to the first right answer, None if there was none; ``ask``: what that answer took
    itself."""

    request: float
    event: float
    after: float | None
    ask: float


class Probe:
    """Changes objects and waits until the answer of one server follows (bench/load/probe.go)."""

    def __init__(self, targets: Mapping[str, str], api: Mapping[str, str | Path]) -> None:
        command: list[Any] = [binary(), "probe"]
        for name, target in targets.items():
            command += ["-target", f"{name}={target}"]
        for name, value in api.items():
            command += [f"-{name}", value]
        self._process = subprocess.Popen(
            _words(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def step(self, target: str, **step: Any) -> Probed:
        """One change, and the answer of a target. Raises `LoadError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"target": target, **step}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise LoadError("the probe ended")
        return msgspec.json.decode(line, type=Probed)

    def __enter__(self) -> Probe:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin is not None
            self._process.stdin.close()


def dnsperf(address: Address, names: Path, *, seconds: float, callers: int = 64) -> float:
    """Answers per second over UDP. Raises `LoadError` for lost questions."""
    program = find_dnsperf()
    if program is None:
        raise LoadError("no dnsperf")
    command = [program, "-s", address.host, "-p", address.port, "-d", names]
    command += ["-l", max(1, round(seconds)), "-q", callers, "-c", 4, "-t", 5]
    out = _output(command, seconds + 30)
    lost = re.search(r"Queries lost:\s+(\d+)", out)
    rate = re.search(r"Queries per second:\s+([\d.]+)", out)
    if rate is None or lost is None or int(lost[1]) > 0 or "SERVFAIL" in out:
        raise LoadError(f"dnsperf: {out[-600:]}")
    return float(rate[1])


@cache
def find_dnsperf() -> str | None:
    """dnsperf from PATH, or installed by apt when allowed; None, with a message, without it."""
    found = shutil.which("dnsperf")
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "-qq", "dnsperf"], check=False, capture_output=True)
        found = shutil.which("dnsperf")
    if found is None:
        print("NO DNSPERF: bench/load sends the UDP queries instead", file=sys.stderr)
    return found


@cache
def binary() -> Path:
    return build(PROGRAM)


def _output(command: Iterable[object], timeout: float) -> str:
    done = subprocess.run(
        _words(command), check=False, capture_output=True, text=True, timeout=timeout
    )
    if done.returncode:
        raise LoadError(done.stderr.strip()[-600:])
    return done.stdout


def _words(command: Iterable[object]) -> list[str]:
    return [str(word) for word in command]
