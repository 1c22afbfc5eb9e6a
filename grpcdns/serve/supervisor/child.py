"""One child of the supervisor: started, listened to, judged, ended. It has no loop of its own."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path
from typing import Final

from grpcdns.config import options
from grpcdns.serve.child_process import UP
from grpcdns.serve.supervisor.procfs import cpu_used, cpu_wait, is_ready, state

LIVED: Final = 5.0
"""Seconds after which a child that dies is started again at once."""
_FIRST_DELAY: Final = 0.1
_MAX_DELAY: Final = 5.0
_PATIENCE: Final = 10
"""How many times the silence is borne of a child that waits for a CPU."""
_ROOT: Final = str(Path(options.__file__).parents[2])


class Child:
    """``silence``: seconds without heartbeat that are too many; ``grace``: that at the start."""

    def __init__(
        self, name: str, module: str, args: tuple[str, ...], *, silence: float, grace: float
    ) -> None:
        self.name = name
        self.silence = silence
        self.grace = grace
        self.pid = 0
        self.since = 0.0
        self.restarts = 0
        self.was_up = False
        """Whether it has ever started, in any of its lives."""
        self.beat_fd = -1
        self.due = 0.0
        """When it is to be started, while it is not running."""
        self._argv = (sys.executable, "-P", "-m", module, *args)
        self._started = 0.0
        self._heard = 0.0
        self._beating = False
        self._young_deaths = 0
        self._strain: tuple[float, int, float] | None = None
        """When it began to be silent; how long it had waited for a CPU by then, and had one."""

    def start(self) -> None:
        """Spawn it; it gets its end of a pipe to write heartbeats to."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_inheritable(writer, True)
        path = os.pathsep.join(filter(None, (_ROOT, os.environ.get("PYTHONPATH"))))
        try:
            self.pid = os.posix_spawn(
                sys.executable,
                (*self._argv, str(writer)),
                {**os.environ, "PYTHONPATH": path},
                setpgroup=0,  # the terminal's signals are for the supervisor alone
                setsigmask=(),
                setsigdef=(signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE),
            )
        except OSError:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self.beat_fd = reader
        self.since = time.time()
        self._started = self._heard = time.monotonic()
        self._beating = False
        self._strain = None

    def hear(self) -> None:
        """Read what came over the pipe."""
        try:
            heard = os.read(self.beat_fd, 4096)
        except BlockingIOError:
            return
        if heard:
            self._heard = time.monotonic()
            self._beating = True
            self.was_up = self.was_up or UP in heard

    def forgive(self) -> None:
        """It could not be heard, for a reason that is not its own."""
        self._heard = time.monotonic()

    def frozen(self, now: float) -> str | None:
        """Why it is to be killed, None when it is well."""
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
        """Whether it is silent for want of a CPU, as others are too: killing it would not help."""
        if self._strain is None or silent > _PATIENCE * self.silence:
            return False
        since, waited, used = self._strain
        if cpu_wait(self.pid) - waited > 0.3e9 * (now - since):
            return True
        # A wait is counted when it is over: one that goes on shows as being ready and not running.
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
        self.pid = 0
        os.close(self.beat_fd)
        self.beat_fd = -1
        return os.waitstatus_to_exitcode(status)

    def plan_restart(self) -> float:
        """When to start it again, for it has died; in how many seconds."""
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
