"""Child processes: started, stopped, frozen, and never left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from harness.ports import free_address, free_port
from harness.process import Process, ProcessError
from harness.waiting import WaitError, wait_until

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("up", flush=True)
time.sleep(60)
"""


def python(code: str, log: Path) -> Process:
    return Process([sys.executable, "-c", code], log=log)


def test_ready_then_stopped(tmp_path: Path) -> None:
    process = python("import time; print('up', flush=True); time.sleep(60)", tmp_path / "log")
    process.start(lambda: "up" in process.log_text)
    assert process.running
    assert process.stop() == -signal.SIGTERM
    process.start(lambda: process.log_text.count("up") == 2)
    assert process.kill() == -signal.SIGKILL


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    process = python(STUBBORN, tmp_path / "log").start()
    wait_until(lambda: "up" in process.log_text, "up")
    assert process.stop(timeout=0.2) == -signal.SIGKILL


def test_a_frozen_one_can_be_thawed_and_stopped(tmp_path: Path) -> None:
    process = python("import time; time.sleep(60)", tmp_path / "log").start()
    process.freeze()
    state = Path(f"/proc/{process.pid}/stat")
    wait_until(lambda: state.read_text().split(") ")[1][0] == "T", "frozen")
    assert process.stop() == -signal.SIGTERM


def test_one_that_ends_early_shows_its_log(tmp_path: Path) -> None:
    process = python("import sys; sys.exit('no such flag')", tmp_path / "log")
    with pytest.raises(ProcessError, match=r"ended with 1(.|\n)*no such flag"):
        process.start(lambda: False)


def test_a_missing_program(tmp_path: Path) -> None:
    process = Process(["/nowhere/server"], log=tmp_path / "log")
    with pytest.raises(ProcessError, match="/nowhere/server"):
        process.start(lambda: False)


def test_a_child_dies_with_its_parent(tmp_path: Path) -> None:
    parent = f"""
import sys, time
from pathlib import Path
from harness.process import Process
child = Process(["sleep", "60"], log=Path({str(tmp_path / "log")!r}))
child.start(lambda: Path(f"/proc/{{child.pid}}/comm").read_text() == "sleep\\n")
print(child.pid, flush=True)
time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        child = int(running.stdout.readline())
        assert Path(f"/proc/{child}").exists()
        running.kill()
    wait_until(lambda: _is_gone(child), "the child gone")


def test_ports_are_free_and_different() -> None:
    ports = {free_port() for _ in range(50)}
    assert len(ports) == 50
    address = free_address()
    with socket.socket() as server:
        server.bind(address)


def test_waiting_reports_what_did_not_happen() -> None:
    with pytest.raises(WaitError, match="the moon: not within 0 s"):
        wait_until(lambda: None, "the moon", timeout=0)


def _is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return ") Z" in Path(f"/proc/{pid}/stat").read_text()
