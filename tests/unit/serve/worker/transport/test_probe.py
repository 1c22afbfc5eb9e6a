"""The query to ourselves: heartbeats while the serving path answers, pressure while it does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.serve.worker.later import Later, Servicer
from grpcdns.serve.worker.transport.contract import Pressure, Transport
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.probe import Probe, new_message
from grpcdns.serve.worker.transport.server import Listeners
from harness.waiting import wait_until
from tests.transports import TRANSPORTS, unix

MESSAGE = new_message()


class Probed:
    """A transport with a probe on its private socket."""

    def __init__(self, name: str, folder: Path, answer: Servicer) -> None:
        self.beats = 0
        self.pressure = Pressure(bound=0.2)
        private = str(folder / "probe.sock")
        listeners = Listeners([unix(folder)], Health(), private=private)
        self.transport: Transport = TRANSPORTS[name](listeners, answer, self.pressure)
        self.transport.start()
        self.probe = Probe(private, MESSAGE, self.pressure, self._beat)
        self.probe.start()

    def _beat(self) -> None:
        self.beats += 1

    def close(self) -> None:
        self.probe.drain()
        self.transport.stop(0.5)
        self.probe.stop()


@pytest.fixture
def probed(transport: str, tmp_path: Path) -> Iterator[type[Probed]]:
    made: list[Probed] = []

    class Made(Probed):
        def __init__(self, answer: Servicer) -> None:
            super().__init__(transport, tmp_path, answer)
            made.append(self)

    yield Made
    for one in made:
        one.close()


def test_every_answer_is_a_beat(probed: type[Probed]) -> None:
    seen: list[bytes] = []

    def answer(message: bytes) -> bytes:
        seen.append(message)
        return message

    running = probed(answer)  # type: ignore[call-arg, arg-type]
    wait_until(lambda: running.beats >= 5, "it beats")
    assert set(seen) == {MESSAGE}
    assert 0.0 < running.probe.latest < 1.0


@pytest.mark.parametrize("bound", [0.2, 0.0], ids=["in time", "late"])
def test_it_is_no_client(probed: type[Probed], bound: float) -> None:
    """Its calls are not counted, and not shed when it is late itself."""
    answerer = Answerer(Policy(), "", MESSAGE)
    running = probed(answerer.answer)  # type: ignore[call-arg, arg-type]
    running.pressure.bound = bound
    before = running.beats
    wait_until(lambda: running.beats >= before + 5, "it beats")
    stats = running.transport.stats
    assert (stats.shed, stats.unavailable, stats.broken, stats.seconds) == (0, 0, 0, 0.0)
    assert not any(stats.buckets)
    found = {name: value for name, _, value in answerer.samples()}
    assert not any(value for name, value in found.items() if name.endswith("_total"))


def test_its_reply_is_refused_as_for_any_name_outside_the_zones() -> None:
    probing, plain = Answerer(Policy(), "", MESSAGE), Answerer(Policy(), "")
    assert probing.answer(MESSAGE) == plain.answer(MESSAGE)
    assert new_message() != new_message()


def test_unavailable_is_a_beat(probed: type[Probed]) -> None:
    running = probed(lambda _: None)  # type: ignore[call-arg, arg-type]
    wait_until(lambda: running.beats >= 3, "it beats")


def test_stuck_it_does_not_beat_and_pressure_rises(probed: type[Probed]) -> None:
    stuck, go_on = threading.Event(), threading.Event()

    def answer(message: bytes) -> bytes:
        if stuck.is_set():
            go_on.wait(20.0)
        return message

    running = probed(answer)  # type: ignore[call-arg, arg-type]
    wait_until(lambda: running.beats >= 2, "it beats")
    stuck.set()
    wait_until(lambda: running.pressure.high(time.perf_counter()), "pressure is high")
    before = running.beats
    with pytest.raises(AssertionError):
        wait_until(lambda: running.beats > before, "no beat", timeout=0.5)
    stuck.clear()
    go_on.set()
    wait_until(lambda: running.beats > before + 2, "it beats again")
    wait_until(lambda: not running.pressure.high(time.perf_counter()), "pressure is low")


def test_a_later_reply_is_a_beat_too(probed: type[Probed]) -> None:
    def answer(message: bytes) -> Later:
        later = Later()
        threading.Timer(0.05, later.set, (message,)).start()
        return later

    running = probed(answer)  # type: ignore[call-arg, arg-type]
    wait_until(lambda: running.beats >= 3, "it beats")


def test_it_beats_while_draining(probed: type[Probed]) -> None:
    running = probed(bytes)  # type: ignore[call-arg, arg-type]
    wait_until(lambda: running.beats >= 1, "it beats")
    running.probe.drain()
    running.transport.stop(0.1)
    before = running.beats
    wait_until(lambda: running.beats >= before + 3, "it beats on")
