"""The kernel has the slice that was asked for; who chose another policy keeps it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grpcdns.serve import timeslice

CODE = """
import os, threading
from grpcdns.serve import timeslice
if {batch}:
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
os.nice(3)
took = timeslice.shorten()
found = []
thread = threading.Thread(target=lambda: found.append(timeslice.of_thread()))
thread.start()
thread.join()
print(took, timeslice.of_thread(), *found, os.nice(0), os.sched_getscheduler(0) == os.SCHED_BATCH)
"""


def run(*, batch: bool) -> list[str]:
    """In a process of its own: a thread cannot get its old slice back."""
    code = CODE.format(batch=batch)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_threads_that_come_later_have_it_too() -> None:
    took, own, thread, nice, _ = run(batch=False)
    if took == "False" or not timeslice.of_thread():
        pytest.skip("this system has no slices, or does not let us choose")
    assert own == thread
    assert int(own) <= timeslice.of_thread()
    assert int(nice) >= 3


def test_another_policy_is_left_as_it_is() -> None:
    assert run(batch=True)[0] == "False"
    assert run(batch=True)[-1] == "True"
