"""Callers that break the rules of HTTP/2 and gRPC, and honest ones beside them."""

from __future__ import annotations

import os
import random
import socket
from pathlib import Path

import pytest

from grpcdns.serve.worker.transport.packet import to_wire
from harness.waiting import wait_until
from tests.system.hostile import http2
from tests.system.hostile.http2 import Connection
from tests.transports import Serve, Served, method

X = to_wire(b"x")


def path_of(served: Served) -> str:
    return served.address.removeprefix("unix://")


def assert_honest(served: Served) -> None:
    """A caller of its own is served as ever."""
    for _ in range(10):
        assert served.query(X, timeout=5.0) == X


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_streams_opened_and_left(serve: Serve, transport: str) -> None:
    """They hold nobody up; the lane, which can see them, throws them out (`sweep`)."""
    served = serve()
    count = 1000 if transport == "lane" else 30
    with Connection(path_of(served)) as left:
        for stream in range(1, 2 * count, 2):
            left.send(http2.frame(http2.HEADERS, http2.END_HEADERS, stream, http2.REQUEST))
        left.call(2 * count + 1, X)
        assert http2.DATA in left.read_end(2 * count + 1)
        assert_honest(served)
        if transport == "lane":
            thrown = 0

            def all_thrown() -> bool:
                nonlocal thrown
                thrown += served.transport.sweep(0.0)
                return thrown >= count

            wait_until(all_thrown, "all are thrown out")
            left.read_end(1)
            assert_honest(served)


def test_rapid_reset(serve: Serve) -> None:
    """CVE-2023-44487: streams reset as soon as they are opened."""
    served = serve()
    with Connection(path_of(served)) as connection:
        try:
            for stream in range(1, 20_001, 2):
                connection.send(
                    http2.frame(http2.HEADERS, http2.END_HEADERS, stream, http2.REQUEST)
                    + http2.frame(http2.RST_STREAM, 0, stream, http2.CANCEL.to_bytes(4, "big"))
                )
        except (BrokenPipeError, ConnectionResetError):
            pass  # thrown out
        assert_honest(served)
    assert_honest(served)


def test_half_closed_and_reset_connections(serve: Serve) -> None:
    served = serve()
    with Connection(path_of(served)) as half:
        half.call(1, X)
        half.sock.shutdown(socket.SHUT_WR)
        try:
            half.read_end(1)
        except (BrokenPipeError, ConnectionResetError):
            pass
    for stop in (9, 24, 60, 200):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path_of(served))
            whole = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2.frame(http2.SETTINGS, 0, 0)
            whole += http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.REQUEST)
            sock.sendall(whole[:stop])
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
    rubbish = random.Random(seed).randbytes(4096)
    for prefix in (b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5.0)
            sock.connect(path_of(served))
            try:
                sock.sendall(prefix + rubbish)
                while sock.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError, TimeoutError):
                pass
    assert_honest(served)


def test_header_bomb(serve: Serve) -> None:
    """A header block without end, in CONTINUATION frames (CVE-2024-27316)."""
    served = serve()
    with Connection(path_of(served)) as connection:
        connection.send(http2.frame(http2.HEADERS, 0, 1, http2.REQUEST))
        field = http2.literal("x-bomb", "b" * 4000)
        try:
            for _ in range(5000):
                connection.send(http2.frame(http2.CONTINUATION, 0, 1, field))
        except (BrokenPipeError, ConnectionResetError, TimeoutError):
            pass
        assert_honest(served)
    assert_honest(served)


def test_headers_in_continuation_frames(serve: Serve) -> None:
    """The honest form of it."""
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
        slow.send(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.REQUEST))
        for octet in http2.message(X):
            slow.send(http2.frame(http2.DATA, 0, 1, bytes((octet,))))
            assert_honest(served)
        slow.send(http2.frame(http2.DATA, http2.END_STREAM, 1))
        assert http2.DATA in slow.read_end(1)


def test_a_caller_that_never_reads(serve: Serve) -> None:
    """Its replies pile up in flow control, not in ours: honest callers do not notice."""
    big = b"b" * 60_000
    served = serve(lambda _: big)
    with Connection(path_of(served)) as deaf:
        deaf.sock.settimeout(0.2)
        try:
            for stream in range(1, 2001, 2):
                deaf.call(stream, X)
        except (TimeoutError, BrokenPipeError, ConnectionResetError):
            pass
        for _ in range(10):
            assert served.query(X, timeout=5.0) == to_wire(big)


def test_pings_often_but_not_too_often(serve: Serve) -> None:
    served = serve()
    with Connection(path_of(served)) as connection:
        connection.send(http2.frame(http2.PING, 0, 0, b"12345678"))
        connection.call(1, X)
        assert http2.DATA in connection.read_end(1)


def test_callers_over_tcp_are_the_same(serve: Serve, tmp_path: Path) -> None:
    from harness.ports import free_address

    served = serve(address=str(free_address()))
    with served.channel() as channel:
        assert method(channel)(X, timeout=5.0) == X
