"""How a child of the supervisor is judged: real processes that beat, stop, starve or die."""

from __future__ import annotations

import itertools
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from grpcdns.serve.supervisor import child as module
from grpcdns.serve.supervisor.child import Child
from harness.waiting import wait_until

BEATS = "import os, sys, time\nwhile True: os.write(int(sys.argv[-1]), b'+'); time.sleep(0.02)"
ONE_BEAT = "import os, sys, time\nos.write(int(sys.argv[-1]), b'+')\ntime.sleep(60)"
STARTING = BEATS.replace("+", ".")
SILENT = "import time; time.sleep(60)"
ENDS = "import sys; sys.exit(7)"
REFUSED = "import os, sys\nos.write(int(sys.argv[-1]), b'!+ in use!')\nsys.exit(3)"
GRACE = 5.0


Run = Callable[[str], Child]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    made: list[Child] = []

    def start(program: str) -> Child:
        (tmp_path / "program.py").write_text(program)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path))
        made.append(Child("child", "program", (), silence=0.2, grace=GRACE))
        made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.send(signal.SIGKILL)
        if one.pid:
            os.waitpid(one.pid, 0)
            os.close(one.beat_fd)


def hear(one: Child) -> bool:
    one.hear()
    return one.was_up


@pytest.mark.timed
def test_one_that_beats_is_well(run: Run) -> None:
    one = run(BEATS)
    wait_until(lambda: hear(one), "it beats")
    for _ in range(20):
        wait_until(lambda: select.select([one.beat_fd], [], [], 5.0)[0], "it beats on")
        one.hear()
        assert one.frozen(time.monotonic()) is None
    one.send(signal.SIGTERM)
    wait_until(lambda: one.reap() == -signal.SIGTERM, "it ends")
    assert one.pid == 0


def test_one_that_beats_while_it_starts_is_not_up(run: Run) -> None:
    """The user's options may still be wrong: its exit code 2 then ends everything."""
    one = run(STARTING)
    wait_until(lambda: select.select([one.beat_fd], [], [], 5.0)[0], "it beats")
    assert not hear(one)
    assert one.frozen(time.monotonic() + GRACE / 100) is None


def test_one_that_is_refused_says_why(run: Run) -> None:
    """Its last words are read when it has ended, whatever characters are in them."""
    one = run(REFUSED)
    assert wait_until(one.reap, "it ends") == 3
    assert one.refusal == "+ in use!"
    assert not one.was_up


def test_one_that_comes_up_was_not_refused(run: Run) -> None:
    one = run(BEATS)
    one.refusal = "in use"
    wait_until(lambda: hear(one), "it beats")
    assert one.refusal == ""


def test_one_that_is_stopped_is_found_by_its_state(run: Run) -> None:
    one = run(BEATS)
    wait_until(lambda: hear(one), "it beats")
    one.send(signal.SIGSTOP)

    def found() -> str | None:
        one.hear()
        return one.frozen(time.monotonic())

    assert wait_until(found, "it is found") == "was stopped"


def test_one_that_is_stopped_before_its_first_beat(run: Run) -> None:
    one = run(SILENT)
    one.send(signal.SIGSTOP)
    assert wait_until(lambda: one.frozen(time.monotonic()), "it is found") == "was stopped"


def test_one_that_hangs_is_found_by_its_silence(run: Run) -> None:
    one = run(ONE_BEAT)
    wait_until(lambda: hear(one), "it has beaten")
    why = wait_until(lambda: one.frozen(time.monotonic()), "it is found")
    assert why is not None
    assert why.startswith("gave no heartbeat for 0.")


@pytest.mark.timed
def test_one_that_waits_for_a_cpu_is_given_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel reports starvation; here its numbers are replaced."""
    one = run(ONE_BEAT)
    wait_until(lambda: hear(one), "it has beaten")
    waited = itertools.count(0, 10**9)
    monkeypatch.setattr(module, "cpu_wait", lambda _pid: next(waited))
    began = time.monotonic()
    assert one.frozen(began + 0.15) is None
    assert one.frozen(began + 0.5) is None
    assert one.frozen(began + 2.5) is not None, "but not for ever"


@pytest.mark.timed
def test_one_that_is_really_starved_is_given_time(run: Run) -> None:
    """It runs only when nothing else wants to, and something else always does."""
    one = run(BEATS)
    wait_until(lambda: hear(one), "it beats")
    spin = [sys.executable, "-c", "while True: pass"]
    with ExitStack() as stack:
        for _ in range(3 * (os.cpu_count() or 1)):
            hog = stack.enter_context(subprocess.Popen(spin))
            stack.callback(hog.kill)
        os.sched_setscheduler(one.pid, os.SCHED_IDLE, os.sched_param(0))
        end = time.monotonic() + 1.5
        silences = []
        while time.monotonic() < end:
            one.hear()
            assert one.frozen(time.monotonic()) is None
            silences.append(not select.select([one.beat_fd], [], [], 0.05)[0])
    assert any(silences)


def test_one_that_does_not_come_up(run: Run) -> None:
    one = run(SILENT)
    assert one.frozen(time.monotonic() + GRACE - 1.0) is None
    assert one.frozen(time.monotonic() + GRACE + 1.0) == "did not come up"


def test_dying_young_it_waits_longer_each_time(run: Run) -> None:
    one = run(ENDS)
    assert wait_until(one.reap, "it ends") == 7
    delays = [one.plan_restart() for _ in range(10)]
    for number, delay in enumerate(delays):
        full = min(0.1 * 2**number, 5.0)
        assert full / 2 <= delay <= full
    assert one.restarts == 10


def test_dying_old_it_is_started_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LIVED", 0.0)
    one = run(ENDS)
    assert wait_until(one.reap, "it ends") == 7
    assert one.plan_restart() == 0.0


def test_a_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    one = Child("child", "program", (), silence=0.2, grace=GRACE)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="No such file"):
        one.start()
    assert len(os.listdir("/proc/self/fd")) == before
