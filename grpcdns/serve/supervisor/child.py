"""One child process of the supervisor: its start, heartbeats, restarts and end. No loop in here.

It gets two pipes: one for heartbeats, and one in place of stderr (`Stderr`). Its last two arguments
are file descriptors: the supervisor's stderr, for its log, and the pipe for heartbeats.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final

from grpcdns.config import options
from grpcdns.log import STDERR
from grpcdns.serve.child_process import REFUSED, UP
from grpcdns.serve.procfs import cpu_used, cpu_wait, is_ready, state
from grpcdns.serve.supervisor import forked
from grpcdns.serve.supervisor.stderr import Stderr

LIVED: Final = 5.0
"""A child that dies after this many seconds is restarted at once."""
_FIRST_DELAY: Final = 0.1
_MAX_DELAY: Final = 5.0
_PATIENCE: Final = 10
"""A child that waits for a CPU may be silent this many times longer."""
_ROOT: Final = str(Path(options.__file__).parents[2])


class Child:
    """``silence``: the most seconds without a heartbeat; ``grace``: the most before the first.
    ``log_fd``: where it logs to, an inheritable file descriptor. ``fork``: it is a copy of this
    process if that has no other thread (`forked`), else a new interpreter."""

    def __init__(
        self,
        name: str,
        module: str,
        args: tuple[str, ...],
        *,
        silence: float,
        grace: float,
        log_fd: int = STDERR,
        fork: bool = False,
    ) -> None:
        self.name = name
        self.silence = silence
        self.grace = grace
        self.pid = 0
        self.since = 0.0
        self.restarts = 0
        self.was_up = False
        """Whether its start was ever complete, restarts included."""
        self.beat_fd = -1
        self.refusal = ""
        """Why its latest start was refused; "" while it was not."""
        self.due = 0.0
        """When to start it (`time.monotonic`), while it is not running."""
        self.stderr: Stderr | None = None
        """Its fd 2, while it runs."""
        self._module = module
        self._args = (*args, str(log_fd))
        self._log_fd = log_fd
        self._fork = fork
        self._started = 0.0
        self._heard = 0.0
        self._beating = False
        self._young_deaths = 0
        self._strain: tuple[float, int, float] | None = None
        """When its silence began; its wait for a CPU (ns) and its CPU time (s) by then."""

    def start(self) -> None:
        """Start it. Raises OSError."""
        stderr = Stderr(self.name)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_inheritable(writer, True)
        args = (*self._args, str(writer))
        try:
            if self._fork and forked.is_possible():
                kept = (self._log_fd, writer)
                self.pid = forked.fork(self._module, args, _ROOT, stderr.writer, kept)
            else:
                self.pid = self._spawn(args, stderr.writer)
        except OSError:
            os.close(reader)
            os.close(stderr.fd)
            raise
        finally:
            os.close(writer)
            os.close(stderr.writer)
        self.beat_fd = reader
        self.stderr = stderr
        self.since = time.time()
        self._started = self._heard = time.monotonic()
        self._beating = False
        self._strain = None

    def _spawn(self, args: tuple[str, ...], stderr: int) -> int:
        return os.posix_spawn(
            sys.executable,
            (sys.executable, "-P", "-m", self._module, *args),
            {**os.environ, "PYTHONPATH": forked.path_with(_ROOT)},
            file_actions=((os.POSIX_SPAWN_DUP2, stderr, STDERR),),
            setpgroup=0,  # the terminal's signals are for the supervisor alone
            setsigmask=(),
            setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE),
        )

    def hear(self) -> None:
        """Read the heartbeats in the pipe."""
        try:
            heard = os.read(self.beat_fd, 4096)
        except BlockingIOError:
            return
        beats, _, refusal = heard.partition(REFUSED)
        if refusal:
            self.refusal = refusal.decode(errors="replace")
        if beats:
            self._heard = time.monotonic()
            self._beating = True
        if UP in beats:
            self.was_up = True
            self.refusal = ""

    def forgive(self) -> None:
        """Start its silence from now: it was not the child's fault."""
        self._heard = time.monotonic()

    def frozen(self, now: float) -> str | None:
        """Why it must be killed; None while it is well."""
        silent = now - self._heard
        if silent <= self.silence / 2:
            self._strain = None
            return None
        if state(self.pid) == "T":
            return "was stopped"
        if not self._beating:
            return "did not come up" if silent > self.grace else None
        if self._strain is None:
            self._strain = (now, cpu_wait(self.pid), cpu_used(self.pid))
        if silent <= self.silence or self._starves(now, silent):
            return None
        return f"gave no heartbeat for {silent:.2f} s"

    def _starves(self, now: float, silent: float) -> bool:
        """Whether it is silent because it gets no CPU: killing it would not help."""
        if self._strain is None or silent > _PATIENCE * self.silence:
            return False
        since, waited, used = self._strain
        if cpu_wait(self.pid) - waited > 0.3e9 * (now - since):
            return True
        # A wait is counted when it ends: one that goes on shows as runnable without CPU time.
        return is_ready(self.pid) and cpu_used(self.pid) - used < 0.5 * (now - since)

    def reap(self) -> int | None:
        """Its exit code once it has ended (negative: the signal), None while it runs."""
        if not self.pid:
            return None
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            pid, status = self.pid, 1 << 8
        if not pid:
            return None
        self.hear()  # the last words
        if self.stderr is not None:
            self.stderr.finish()
            self.stderr = None
        self.pid = 0
        os.close(self.beat_fd)
        self.beat_fd = -1
        return os.waitstatus_to_exitcode(status)

    def plan_restart(self) -> float:
        """It has died: set when to start it again, and return in how many seconds."""
        now = time.monotonic()
        if now - self._started >= LIVED:
            self._young_deaths = 0
            delay = 0.0
        else:
            delay = min(_FIRST_DELAY * 2**self._young_deaths, _MAX_DELAY)
            delay *= random.uniform(0.5, 1.0)  # noqa: S311 - jitter
            self._young_deaths += 1
        self.restarts += 1
        self.due = now + delay
        return delay

    def send(self, number: int) -> None:
        if self.pid:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                pass
