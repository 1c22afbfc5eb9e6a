"""`bench/load`: its counts, the errors that it detects, and its timing."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import load
from bench.servers import Server
from harness.ports import Address, free_address

pytestmark = pytest.mark.servers


def test_a_closed_loop_asks_each_question_once(echo: Server, names: Path) -> None:
    found = load.run(echo.targets, names, callers=4, count=50, echo=True, pids=echo.pids)
    assert found.answers == 50
    assert found.failed == 0
    assert 0 < found.p50 <= found.p99 <= found.p999 <= found.max
    assert found.callers == 4


def test_it_ends_in_time_and_measures_the_servers_cpu(echo: Server, names: Path) -> None:
    found = load.run(echo.targets, names, callers=8, seconds=0.5, echo=True, pids=echo.pids)
    assert 0.4 < found.seconds < 5.0
    assert found.server_user + found.server_system > 0
    assert found.cpu_per_million > 0


def test_an_open_loop_keeps_its_rate(echo: Server, names: Path) -> None:
    found = load.run(echo.targets, names, callers=8, seconds=1.0, rate=200, echo=True)
    assert found.answers == 200
    assert found.seconds > 0.8


def test_a_message_that_is_no_reply_is_an_error(echo: Server, names: Path) -> None:
    with pytest.raises(load.LoadError, match="no reply"):
        load.run(echo.targets, names, callers=1, count=5)


def test_a_wrong_rcode_is_an_error(generator: Path, names: Path) -> None:
    with _udp(lambda query: query[:2] + b"\x84\x03" + query[4:]) as address:
        with pytest.raises(load.LoadError, match="rcode NXDOMAIN"):
            load.run([str(address)], names, udp=True, callers=2, count=6)
        expected = names.with_name("expected")
        expected.write_text("name-1.example. A NXDOMAIN\n")
        assert load.run([str(address)], expected, udp=True, callers=2, count=6).answers == 6


def test_too_few_answers_are_an_error(generator: Path, names: Path) -> None:
    names.write_text("name-1.example. A NOERROR 1\n")
    with (
        _udp(lambda query: query[:2] + b"\x84\x00" + query[4:]) as address,
        pytest.raises(load.LoadError, match="too few answers"),
    ):
        load.run([str(address)], names, udp=True, callers=1, count=1)


def test_a_stall_counts_for_every_query_that_waited(generator: Path, names: Path) -> None:
    """An open loop of 100 queries a second with a stall of 0.3 s: about thirty of them wait."""
    asked = 0
    stalled = threading.Event()

    def reply(query: bytes) -> bytes:
        nonlocal asked
        asked += 1
        if asked == 20:
            stalled.wait(0.3)
        return query[:2] + b"\x84\x00" + query[4:]

    with _udp(reply) as address:
        found = load.run([str(address)], names, udp=True, callers=16, seconds=1.0, rate=100)
    assert found.p50 < 100_000
    assert found.p99 > 200_000


@contextmanager
def _udp(reply: Callable[[bytes], bytes]) -> Iterator[Address]:
    """A server of one datagram at a time."""
    address = free_address()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(address)
        stopped = threading.Event()

        def serve() -> None:
            while not stopped.is_set():
                query, client = sock.recvfrom(4096)
                sock.sendto(reply(query), client)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield address
        stopped.set()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"\0" * 12, address)
            thread.join()
