"""What /proc says about a process: its state, and how long it used a CPU or waited for one."""

from __future__ import annotations

import os
from pathlib import Path


def state(pid: int, task: str = "") -> str:
    """The state letter in /proc: R (running or runnable), S, D, T (stopped)...; "": it is gone."""
    fields = _stat(pid, f"task/{task}/" if task else "")
    return fields[0] if fields else ""


def is_ready(pid: int) -> bool:
    """Whether one of its threads is running or runnable."""
    return any(state(pid, task) == "R" for task in _tasks(pid))


def cpu_used(pid: int) -> float:
    """Seconds of CPU time that its threads have used."""
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") if fields else 0.0


def cpu_wait(pid: int) -> int:
    """Nanoseconds that its threads have waited for a CPU while runnable."""
    total = 0
    for task in _tasks(pid):
        try:
            fields = Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()
            total += int(fields[1])
        except (OSError, IndexError, ValueError):
            pass
    return total


def _tasks(pid: int) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []


def _stat(pid: int, part: str = "") -> list[str]:
    """The fields of /proc's stat from the third on: the name before them may contain blanks."""
    try:
        stat = Path(f"/proc/{pid}/{part}stat").read_text()
    except OSError:
        return []
    return stat.rpartition(")")[2].split()


def resident_memory(pid: int) -> int:
    """Bytes of memory that are in RAM; 0: it is gone."""
    fields = _stat(pid)
    return int(fields[21]) * os.sysconf("SC_PAGE_SIZE") if fields else 0


def open_files(pid: int) -> int:
    """File descriptors in use; 0 when they cannot be read."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0
