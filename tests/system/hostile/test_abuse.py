"""Callers that break the rules of HTTP/2 and gRPC: honest callers are served meanwhile, by both
transports in this process, and by a real worker, which also stays up and small.
"""

from __future__ import annotations

import itertools
import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grpcdns.serve.worker.transport.packet import to_wire
from harness.ports import free_address
from harness.waiting import wait_until
from tests.system.hostile import http2
from tests.system.hostile.abuse import CLOSED, HOW
from tests.system.hostile.http2 import Connection
from tests.system.hostile.worker import SPARE, Worker, abused
from tests.transports import Serve, Served, method

X = to_wire(b"x")


def path_of(served: Served) -> str:
    return served.address.removeprefix("unix://")


def assert_honest(served: Served) -> None:
    """A caller on its own connection is served as always."""
    for _ in range(10):
        assert served.query(X, timeout=5.0) == X


@contextmanager
def abuse(served: Served, how: str, steps: int | None = None) -> Iterator[None]:
    """Inside, so many steps (default: all) of an abuse are done and its connection is open."""
    running = HOW[how](path_of(served))
    try:
        for _ in itertools.islice(running, steps):
            pass
    except CLOSED:
        pass
    yield
    running.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_streams_opened_and_left(serve: Serve, transport: str) -> None:
    """They hold up nobody; the lane, which can see them, cancels them (`sweep`)."""
    served = serve()
    count = 1000 if transport == "lane" else 30
    with Connection(path_of(served)) as left:
        for stream in range(1, 2 * count, 2):
            left.send(http2.opening(stream))
        left.call(2 * count + 1, X)
        assert http2.DATA in left.read_end(2 * count + 1)
        assert_honest(served)
        if transport == "lane":
            cancelled = 0

            def all_cancelled() -> bool:
                nonlocal cancelled
                cancelled += served.transport.sweep(0.0)
                return cancelled >= count

            wait_until(all_cancelled, "all are cancelled")
            left.read_end(1)
            assert_honest(served)


@pytest.mark.parametrize(
    ("how", "steps"), [("rapid_reset", 199), ("header_bomb", 99), ("connections_dropped", 6)]
)
def test_honest_callers_are_served_meanwhile(serve: Serve, how: str, steps: int) -> None:
    served = serve()
    with abuse(served, how, steps):
        assert_honest(served)
    assert_honest(served)


def test_half_closed_connection(serve: Serve) -> None:
    served = serve()
    with Connection(path_of(served)) as half:
        half.call(1, X)
        half.sock.shutdown(socket.SHUT_WR)
        try:
            half.read_end(1)
        except CLOSED:
            pass
    assert_honest(served)


def test_connections_opened_and_dropped_leak_nothing(serve: Serve) -> None:
    served = serve()
    assert_honest(served)
    before = descriptors()
    for _ in range(300):
        with Connection(path_of(served)) as connection:
            connection.call(1, X)
    wait_until(lambda: descriptors() <= before + 10, "the connections are closed")
    assert_honest(served)


@pytest.mark.parametrize("seed", range(5))
def test_rubbish_instead_of_http2(serve: Serve, seed: int) -> None:
    served = serve()
    random.seed(seed)
    with abuse(served, "rubbish"):
        assert_honest(served)


def test_headers_in_continuation_frames(serve: Serve) -> None:
    """Legal use of what a header bomb uses."""
    served = serve()
    with Connection(path_of(served)) as connection:
        middle = len(http2.REQUEST) // 2
        connection.send(
            http2.frame(http2.HEADERS, 0, 1, http2.REQUEST[:middle])
            + http2.frame(http2.CONTINUATION, http2.END_HEADERS, 1, http2.REQUEST[middle:])
            + http2.frame(http2.DATA, http2.END_STREAM, 1, http2.message(X))
        )
        assert http2.DATA in connection.read_end(1)


def test_a_message_an_octet_at_a_time(serve: Serve) -> None:
    served = serve()
    with Connection(path_of(served)) as slow:
        slow.send(http2.opening(1))
        for octet in http2.message(X):
            slow.send(http2.frame(http2.DATA, 0, 1, bytes((octet,))))
            assert_honest(served)
        slow.send(http2.frame(http2.DATA, http2.END_STREAM, 1))
        assert http2.DATA in slow.read_end(1)


def test_a_caller_that_never_reads(serve: Serve) -> None:
    """Its replies pile up behind flow control; honest callers do not notice."""
    big = b"b" * 60_000
    served = serve(lambda _: big)
    with abuse(served, "never_reads", steps=20):
        for _ in range(10):
            assert served.query(X, timeout=5.0) == to_wire(big)


def test_pings_often_but_not_too_often(serve: Serve) -> None:
    served = serve()
    with Connection(path_of(served)) as connection:
        connection.send(http2.frame(http2.PING, 0, 0, b"12345678"))
        connection.call(1, X)
        assert http2.DATA in connection.read_end(1)


def test_callers_over_tcp_are_the_same(serve: Serve) -> None:
    served = serve(address=str(free_address()))
    with served.channel() as channel:
        assert method(channel)(X, timeout=5.0) == X


# -- a real worker

SECONDS = 1.0
SLOWER = 3.0
"""How much the honest p99 may grow, from `FLOOR` on: below it is the noise of the machine."""
FLOOR = 0.005 if SPARE else 0.025
MEMORY = 160
"""MiB that an abuse may cost while it lasts; allocators keep some of it."""
DESCRIPTORS = 350
"""256 connections, and the worker's own."""

THREADLESS = {"streams_left", "slow_writers", "rapid_reset"}
"""Abuse that `--transport threads` does not withstand: grpcio gives each call a thread before its
message is there. Such a worker stops answering, and the supervisor replaces it (SECURITY.md)."""


@pytest.fixture(params=["lane", "threads"])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    with Worker.run(tmp_path, request.param) as running:
        yield running


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("how", HOW)
def test_harm_is_bounded(worker: Worker, how: str) -> None:
    if worker.transport == "threads" and how in THREADLESS:
        with abused(worker, how):
            wait_until(lambda: worker.age > SECONDS, "the harm is done", timeout=30)
        wait_until(worker.grpcdns.serving, "this worker or the next serves", timeout=30)
        return
    with worker.caller() as caller:
        caller.p99(0.3)
        rss, descriptors = worker.rss, worker.descriptors
        calm = caller.p99(SECONDS)
        with abused(worker, how):
            beside = caller.p99(SECONDS)
            at_most = worker.rss, worker.descriptors
    print(f"{how}: p99 {calm * 1e3:.2f} -> {beside * 1e3:.2f} ms, rss {rss} -> {at_most[0]} MiB, "
          f"{descriptors} -> {at_most[1]} descriptors")  # fmt: skip
    assert worker.same, "the worker was restarted"
    assert at_most[0] <= rss + MEMORY
    assert at_most[1] <= DESCRIPTORS
    assert beside <= SLOWER * max(calm, FLOOR)
    wait_until(
        lambda: worker.descriptors <= descriptors + 3, "its connections are closed", timeout=15
    )
    with worker.caller() as caller:
        caller.p99(0.1)
