"""CPU time and memory of processes, from /proc."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_MB: Final = 1e6


class Memory(NamedTuple):
    """Megabytes (10**6). In ``pss``, a page shared by n processes counts 1/n."""

    rss: float
    pss: float
    peak: float


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:
            continue
        for child in children:
            found += family(int(child))
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """The sum of their user and system time so far."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += (int(fields[11]) + int(fields[12])) / _TICKS
    return total


def cpu_wait_seconds(pids: Iterable[int]) -> float:
    """How long their threads have been runnable without a processor so far."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            try:
                total += int((task / "schedstat").read_text().split()[1])
            except OSError:  # it has ended
                continue
    return total / 1e9


def memory(pids: Iterable[int]) -> Memory:
    """The sum over all processes."""
    rss = pss = peak = 0.0
    for pid in pids:
        rolled = _fields(Path(f"/proc/{pid}/smaps_rollup"))
        rss += rolled["Rss"]
        pss += rolled["Pss"]
        peak += _fields(Path(f"/proc/{pid}/status"))["VmHWM"]
    return Memory(rss, pss, peak)


def _fields(path: Path) -> dict[str, float]:
    """The lines ``Name:   123 kB`` of a file in /proc, in megabytes."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition(":")
        if value.endswith(" kB"):
            found[name] = int(value[:-3]) * 1024 / _MB
    return found
