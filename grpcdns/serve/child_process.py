"""What feed and worker share as processes: their end, their heartbeat, their exit codes."""

from __future__ import annotations

import faulthandler
import logging
import os
import select
import signal
from collections.abc import Callable
from typing import Final

from grpcdns import log
from grpcdns.config.options import Config, UserError
from grpcdns.serve.rundir import RunDir

_log = logging.getLogger(__name__)

DRAINED: Final = 0
USER_ERROR: Final = 2
NO_ADDRESS: Final = 3
"""A worker's address cannot be bound; `Heartbeat.refuse` has said why."""

_PR_SET_PDEATHSIG: Final = 1
_PR_SET_NAME: Final = 15
_M_ARENA_MAX: Final = -8
_ARENAS: Final = 2


def given_fds(arguments: list[str]) -> tuple[int | None, int | None]:
    """The file descriptors of the log and of the heartbeats, at the end of a child's arguments;
    None without a supervisor."""
    if not arguments:
        return None, None
    log_fd, beat_fd = map(int, arguments)
    return log_fd, beat_fd


def main(name: str, run: Callable[[], int], beat_fd: int | None) -> int:
    """Run a child process, with the name that the log gives it; returns its exit code. A
    `UserError` is the supervisor's to log, as its last line."""
    take_name(name)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor decides what it means
    faulthandler.enable()  # of a crash in C, the log then has the stack of each thread
    die_with_parent()
    if beat_fd is not None and not is_read(beat_fd):  # it was dead before the call
        return 1
    few_heaps()
    try:
        return run()
    except UserError as error:
        Heartbeat(beat_fd).refuse(str(error))
        return USER_ERROR
    except BrokenPipeError:
        return 1
    except Exception:
        _log.exception("%s ended", name)
        return 1


def start_log(process: str, config: Config, fd: int | None = None) -> None:
    """``fd``: where the log goes, if that changes. Processes that this one starts do not get it."""
    if fd is not None:
        os.set_inheritable(fd, False)
    log.start(process, config.log_level, config.log_format, fd)


def take_name(name: str) -> None:
    """What ``ps -o comm`` and ``top`` show: a copy of the supervisor has its command line."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def die_with_parent() -> None:
    """Die when the parent does, even if it is killed. The caller has to see whether it is dead
    already: this is then about another parent."""
    import ctypes

    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def is_read(fd: int) -> bool:
    """Whether any process has the other end of a pipe."""
    poll = select.poll()
    poll.register(fd, 0)
    return not poll.poll(0)  # POLLERR: there is no reader


def few_heaps() -> None:
    """Limit the number of heaps; to be called before threads are started. glibc gives each thread
    its own heap (up to 8 for each processor), and answers that stay in a heap keep it from
    shrinking. Other C libraries have no such limit."""
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, _ARENAS)


UP: Final = b"+"
"""The heartbeat of a process whose start is complete."""
REFUSED: Final = b"!"
"""Followed by the reason, in UTF-8: the last that a process writes."""


_LONGEST: Final = 4000
"""Bytes of a reason: the supervisor reads it with the heartbeats before it, at once."""


class Heartbeat:
    """Shows the supervisor that we are alive, over the pipe it gave us. A no-op without one."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_blocking(fd, False)
            os.set_inheritable(fd, False)

    def beat(self, *, up: bool = True) -> None:
        """``up``: the start is complete, so the user's options are valid."""
        if self._fd is None:
            return
        try:
            os.write(self._fd, UP if up else b".")
        except BlockingIOError:
            pass  # the pipe is full of heartbeats that the supervisor has not read
        except OSError:
            self._fd = None

    def refuse(self, reason: str) -> None:
        """The process ends because of ``reason``; without a supervisor it is logged."""
        if self._fd is None:
            log.fail(reason)
        else:
            os.write(self._fd, REFUSED + reason.encode()[:_LONGEST])


def read_config(run: RunDir) -> Config:
    try:
        return run.config()
    except (OSError, ValueError) as error:
        raise UserError(f"{run.path}/config.json: {error}; run `grpcdns serve`") from error
