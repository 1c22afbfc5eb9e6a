"""A short time slice for threads that pass changes on: they run sooner when they wake up, and for
less long. Threads that answer queries keep the usual one: several replies to a switch cost less.

A change takes some tens of microseconds of work in the feed and again in each worker, and each has
to wake up for it. On a busy machine the wait for a processor is longer than the work: up to the
slice of the thread that runs, some milliseconds. Linux 6.12 and newer let a thread with a shorter
slice run at once, and take the time back later; that needs no privilege. Older ones ignore it.
"""

from __future__ import annotations

import ctypes
import os
import struct
from typing import Final

SLICE: Final = 100_000
"""Nanoseconds: the least that Linux takes."""
_SCHED_OTHER: Final = 0
_ATTR: Final = struct.Struct("=IIQiIQQQ")
"""sched_attr (sched_setattr(2)): size, policy, flags, nice, priority, runtime, deadline, period."""
_GENERIC: Final = (274, 275)
_CALLS: Final = {
    "x86_64": (314, 315),
    "aarch64": _GENERIC,
    "riscv64": _GENERIC,
    "loongarch64": _GENERIC,
    "ppc64le": (355, 356),
    "s390x": (345, 346),
}
"""The numbers of sched_setattr and sched_getattr, by machine: C libraries have no functions."""


def shorten(nanoseconds: int = SLICE) -> bool:
    """Ask for that slice for this thread and those that it starts; returns whether the system took
    it. Another policy than the usual one, an operator's choice, is left as it is."""
    calls = _CALLS.get(os.uname().machine)
    if calls is None or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    call = ctypes.CDLL(None).syscall
    attr = ctypes.create_string_buffer(_ATTR.size)
    if call(calls[1], 0, attr, _ATTR.size, 0) != 0:
        return False
    _, policy, flags, nice, priority, _, deadline, period = _ATTR.unpack(attr.raw)
    if policy != _SCHED_OTHER:
        return False
    wanted = (_ATTR.size, policy, flags, nice, priority, nanoseconds, deadline, period)
    return bool(call(calls[0], 0, ctypes.create_string_buffer(_ATTR.pack(*wanted)), 0) == 0)


def of_thread(thread: int = 0) -> int:
    """The slice of a thread by its ID (0: this one) in nanoseconds; 0 where there is none."""
    calls = _CALLS.get(os.uname().machine)
    attr = ctypes.create_string_buffer(_ATTR.size)
    if calls is None or ctypes.CDLL(None).syscall(calls[1], thread, attr, _ATTR.size, 0) != 0:
        return 0
    return int(_ATTR.unpack(attr.raw)[5])
