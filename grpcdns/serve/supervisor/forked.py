"""A child as a copy of the supervisor: it need not import again what the supervisor has imported.

That is most of what a Python process does before its first own line. Nothing of the supervisor runs
in the copy: it closes what it was not given, and ends in here.

May live here: the copy, up to its first own line.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import traceback
from collections.abc import Collection, Sequence
from typing import Final, NoReturn

from grpcdns.serve.child_process import die_with_parent

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
"""What the supervisor handles and a child does not, until it has its own handlers."""


def is_possible() -> bool:
    """Whether this process has one thread: a copy would have the locks of the others, and not
    them."""
    try:
        return len(os.listdir("/proc/self/task")) == 1
    except OSError:
        return False


def fork(module: str, args: Sequence[str], root: str, stderr: int, kept: Collection[int]) -> int:
    """Returns the PID of a copy that runs ``module`` as ``python -P -m`` does, with ``root`` on its
    path, ``stderr`` in place of its fd 2 and of other descriptors only those ``kept``. Raises
    OSError."""
    # A signal between the fork and the child's own handlers stays pending.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    parent = os.getpid()
    try:
        pid = os.fork()
        if not pid:
            _run(parent, module, args, root, stderr, kept)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _run(
    parent: int, module: str, args: Sequence[str], root: str, stderr: int, kept: Collection[int]
) -> NoReturn:
    code = 1
    try:
        die_with_parent()
        if os.getppid() != parent:  # it was dead before the call
            os._exit(1)
        gc.freeze()  # pages that are not written to stay shared
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:  # not SIGPIPE, which Python ignores from its start
            signal.signal(number, signal.SIG_DFL)
        os.setpgid(0, 0)  # the terminal's signals are for the supervisor alone
        os.dup2(stderr, 2)
        _close_all_but({0, 1, 2, *kept})
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        code = _main(module, args, root)
    except BaseException:
        traceback.print_exc()
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        except (OSError, ValueError, AttributeError):
            pass  # there is none, or nobody reads it
        os._exit(code)


def _main(module: str, args: Sequence[str], root: str) -> int:
    """Run the module; returns its exit code."""
    import runpy

    os.environ["PYTHONPATH"] = path_with(root)
    if not sys.flags.safe_path:
        del sys.path[0]
    sys.path.insert(0, root)
    sys.argv = [module, *args]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def path_with(root: str) -> str:
    """PYTHONPATH for a child and its children."""
    return os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))


def _close_all_but(kept: Collection[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            try:
                os.close(int(name))
            except OSError:
                pass  # that of the listing itself
