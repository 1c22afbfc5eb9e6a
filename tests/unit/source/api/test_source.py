"""The source as a whole: commands end if the API does not answer, kinds start in turn."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.api import source
from grpcdns.source.api.client import Unreachable
from grpcdns.source.api.login import Login
from grpcdns.source.api.source import KubernetesApi
from harness.waiting import wait_until
from tests.unit.source.api.fake_api import FakeApi, lists, refuses
from tests.unit.source.api.stage import RecordingSink
from tests.unit.source.fake_clock import FakeClock


@contextmanager
def silent(port: int = 0) -> Iterator[str]:
    """A peer that acknowledges and sends nothing."""
    with socket.create_server(("127.0.0.1", port)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def fails(host: str) -> tuple[str, float]:
    """Why the source does not start, and after how many seconds."""
    api = KubernetesApi(Config(), lambda: Login(host, verify=False), once=True)
    began = time.monotonic()
    try:
        with pytest.raises(Unreachable) as error:
            api.start(RecordingSink())
        return str(error.value), time.monotonic() - began
    finally:
        api.stop()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_silent_api_ends_a_command_in_time(scheme: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "ANSWER_TIMEOUT", 0.5)
    with silent() as address:
        why, seconds = fails(f"{scheme}://{address}")
    assert (why, seconds < 3.0) == ("timeout", True)


def test_a_dead_api_ends_a_command_at_once() -> None:
    with silent() as address:
        pass
    why, seconds = fails(f"http://{address}")
    assert (why, seconds < 2.0) == ("Connection refused", True)


def test_a_refusal_is_an_answer() -> None:
    """Not everyone may ask for the version; the lists decide."""
    clock = FakeClock()
    api = FakeApi([refuses(403), lists()], clock)
    reading = KubernetesApi(Config(), lambda: Login(api.url), once=True)
    sink = RecordingSink()
    reading.start(sink)
    try:
        wait_until(lambda: Kind.NAMESPACE in sink.store.listed, "the first kind listed")
    finally:
        reading.stop()
        api.stop()
    assert [request.path for request in api.requests][:2] == ["/version", "/api/v1/namespaces"]


class Turn:
    """What `_run_in_turn` uses of a Watch."""

    def __init__(self) -> None:
        self.tried = threading.Event()
        self.ran = threading.Event()

    def run(self) -> None:
        self.ran.set()


def test_a_kind_waits_for_the_first_list_of_the_kind_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """But not for long: a list that hangs does not hold up another."""

    def begin(before: Turn) -> threading.Event:
        turn = Turn()
        threading.Thread(target=source._run_in_turn, args=(turn, before)).start()
        return turn.ran

    before = Turn()
    monkeypatch.setattr(source, "TURN", 5.0)
    ran = begin(before)
    assert not ran.wait(0.05)
    before.tried.set()
    assert ran.wait(1.0)
    monkeypatch.setattr(source, "TURN", 0.1)
    assert begin(Turn()).wait(5.0)
