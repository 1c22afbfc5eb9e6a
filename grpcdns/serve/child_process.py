"""What feed and worker do alike as processes: arguments, signals, heartbeat, exit codes."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Final

from grpcdns import log
from grpcdns.config.options import Config, UserError
from grpcdns.serve.rundir import RunDir

DRAINED: Final = 0
USER_ERROR: Final = 2

_PR_SET_PDEATHSIG: Final = 1
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def main(name: str, run: Callable[[], int]) -> int:
    """Run a child to its exit code; a user's error is one line."""
    die_with_parent()
    few_heaps()
    try:
        return run()
    except UserError as error:
        print(f"grpcdns: {error}", file=sys.stderr)
        return USER_ERROR
    except BrokenPipeError:
        return 1
    except Exception:
        logging.getLogger(f"grpcdns.serve.{name}").exception("%s ended", name)
        return 1


def start_log(process: str, config: Config) -> None:
    log.start(process, config.log_level, config.log_format)


def die_with_parent() -> None:
    """Die when the supervisor does, however it does."""
    import ctypes

    parent = os.getppid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before that
        os._exit(1)


def few_heaps() -> None:
    """Before there are threads: glibc gives each a heap of its own (up to 8 for each processor),
    and answers that stay in them keep them from shrinking. Other C libraries have no such thing."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


UP: Final = b"+"
"""The heartbeat of a process that has started."""


class Heartbeat:
    """Tells the supervisor, over the pipe it gave us, that we are alive. A no-op without one."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    def beat(self, *, up: bool = True) -> None:
        """``up``: the start is over, nothing the user wrote was in its way."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, UP if up else b".")
        except BlockingIOError:
            pass  # it has not read for long; it will find plenty
        except OSError:
            self._fd = None


def read_config(run: RunDir) -> Config:
    try:
        return run.config()
    except (OSError, ValueError) as error:
        raise UserError(f"{run.path}/config.json: {error}; run `grpcdns serve`") from error
