"""One child process with its log in a file: start it and wait until it is ready, stop it, kill it,
freeze it.

A child dies with the *thread* that started it (`PR_SET_PDEATHSIG`), so a killed pytest leaves
nothing behind. Start it from a thread that lives as long as the child should.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Self

from harness.waiting import WaitError, wait_until

_DIE_WITH_PARENT: Final = """
import ctypes, os, sys
parent, *argv = sys.argv[1:]
ctypes.CDLL(None).prctl(1, 9)
if os.getppid() != int(parent): sys.exit(1)
try: os.execvp(argv[0], argv)
except OSError as error: sys.exit(f"{argv[0]}: {error}")
"""
"""PR_SET_PDEATHSIG = SIGKILL, then the program itself, in the same process."""


class ProcessError(AssertionError):
    """A process ended early, or never became ready; the message has its last log lines."""


class Process:
    """A command that can be started, ended in several ways, and started again."""

    def __init__(
        self,
        argv: Sequence[str | Path],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.argv = [str(part) for part in argv]
        self.name = Path(self.argv[0]).name
        self.log = log
        self._env = {**os.environ, **(env or {})}
        self._cwd = cwd
        self._child: subprocess.Popen[bytes] | None = None

    def start(self, ready: Callable[[], object] | None = None, *, timeout: float = 30.0) -> Self:
        """Starts it and waits until `ready()` is true; an exception of `ready` counts as false."""
        if self.running:
            raise RuntimeError(f"{self.name} is already running")
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-ISc", _DIE_WITH_PARENT, str(os.getpid()), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
                cwd=self._cwd,
            )
        if ready is not None:
            self._wait_ready(ready, timeout)
        return self

    def stop(self, *, timeout: float = 30.0) -> int:
        """SIGTERM, and SIGKILL after `timeout`; returns the exit code (negative: the signal)."""
        if self._child is None:
            return 0
        if self.running:
            self.thaw()
            self.send(signal.SIGTERM)
        return self.wait(timeout=timeout, then_kill=True)

    def kill(self) -> int:
        """SIGKILL, frozen or not."""
        if self._child is None:
            return 0
        if self.running:
            self.send(signal.SIGKILL)
        return self.wait(timeout=10.0)

    def freeze(self) -> None:
        """SIGSTOP: its sockets stay open and do not answer."""
        self.send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.send(signal.SIGCONT)

    def send(self, sig: signal.Signals) -> None:
        """Any other signal."""
        self._started.send_signal(sig)

    def wait(self, *, timeout: float = 30.0, then_kill: bool = False) -> int:
        """Waits until it ends by itself; returns the exit code."""
        try:
            return self._started.wait(timeout)
        except subprocess.TimeoutExpired:
            if not then_kill:
                raise ProcessError(
                    f"{self.name} still running after {timeout:g} s{self._tail()}"
                ) from None
            self._started.kill()
            return self._started.wait()

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    @property
    def pid(self) -> int:
        return self._started.pid

    @property
    def log_text(self) -> str:
        """Its whole log, over all starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def __enter__(self) -> Self:
        return self if self.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        if self._child is None:
            raise RuntimeError(f"{self.name} was never started")
        return self._child

    def _wait_ready(self, ready: Callable[[], object], timeout: float) -> None:
        def ended_or_ready() -> object:
            return not self.running or ready()

        try:
            wait_until(ended_or_ready, f"{self.name} ready", timeout=timeout)
        except WaitError as error:
            self.kill()
            raise ProcessError(f"{error}{self._tail()}") from error
        if not self.running:
            raise ProcessError(f"{self.name} ended with {self._started.returncode}{self._tail()}")

    def _tail(self, lines: int = 20) -> str:
        return "\n".join(["; its log ends:", *self.log_text.splitlines()[-lines:]])
