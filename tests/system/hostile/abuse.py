"""Abusive callers of a worker's socket: a table of generators, and a process that runs one.

    python -m tests.system.hostile.abuse HOW SOCKET

The process prints ``ready`` after the first step and goes on until it is killed.
"""

from __future__ import annotations

import random
import signal
import socket
import struct
import sys
from collections.abc import Callable, Generator
from typing import Final

from grpcdns.serve.worker.transport.packet import to_wire
from tests.conformance.reply import query
from tests.system.hostile import http2
from tests.system.hostile.http2 import PREFACE, Connection, frame, opening

QUERY: Final = to_wire(query("svc1.testns.svc.cluster.local", "A"))
BIG: Final = to_wire(query("big.testns.svc.cluster.local", "A"))
STREAMS: Final = 10_000
PER_CONNECTION: Final = 1000
CLOSED: Final = (BrokenPipeError, ConnectionResetError, TimeoutError, ConnectionRefusedError)
"""What an abuser gets when the server has had enough of it."""

Steps = Generator[None]
"""An abuse in steps: the first ones build it up, later ones keep it up."""


def oversized(path: str) -> Steps:
    """Messages over 65,539 octets, a little and a lot."""
    with Connection(path) as connection:
        for turn, size in enumerate((65_540, 1 << 20, 16 << 20)):
            stream = 2 * turn + 1
            length = b"\0" + struct.pack(">L", size)
            connection.send(opening(stream) + frame(http2.DATA, 0, stream, length))
            for _ in range(min(size, 60_000) // 16_000):
                connection.send(frame(http2.DATA, 0, stream, bytes(16_000)))
            yield


def streams_left(path: str) -> Steps:
    """10,000 streams on ten connections, without a message."""
    connections = []
    for first in range(0, STREAMS, PER_CONNECTION):
        connection = Connection(path)
        connections.append(connection)
        for stream in range(min(PER_CONNECTION, STREAMS - first)):
            connection.send(opening(2 * stream + 1))
    yield
    for connection in connections:
        drain(connection.sock)


def header_bomb(path: str) -> Steps:
    """A header block without end, in CONTINUATION frames (CVE-2024-27316)."""
    with Connection(path) as connection:
        connection.send(frame(http2.HEADERS, 0, 1, http2.REQUEST))
        field = http2.literal("x-bomb", "b" * 8000)
        for turn in range(1000):
            connection.send(frame(http2.CONTINUATION, 0, 1, field))
            if turn % 10 == 0:
                yield


def slow_writers(path: str) -> Steps:
    """200 calls whose messages arrive an octet at a time."""
    connections = [Connection(path) for _ in range(20)]
    streams = range(1, 20, 2)
    for connection in connections:
        for stream in streams:
            connection.send(opening(stream))
    yield
    for octet in http2.message(QUERY)[:-1]:
        for connection in connections:
            for stream in streams:
                connection.send(frame(http2.DATA, 0, stream, bytes((octet,))))
        yield


def never_reads(path: str) -> Steps:
    """Big answers requested, with a flow-control window of 0."""
    with Connection(path) as connection:
        connection.send(frame(http2.SETTINGS, 0, 0, struct.pack(">HL", 4, 0)))
        for stream in range(1, 2 * PER_CONNECTION, 2):
            connection.call(stream, BIG)
            if stream % 100 == 1:
                yield
        yield
        drain(connection.sock)


def rapid_reset(path: str) -> Steps:
    """Calls that are reset as soon as they are made (CVE-2023-44487)."""
    reset = http2.CANCEL.to_bytes(4, "big")
    with Connection(path) as connection:
        for stream in range(1, 20_000, 2):
            connection.send(opening(stream) + frame(http2.RST_STREAM, 0, stream, reset))
            if stream % 100 == 1:
                yield


def connections_dropped(path: str) -> Steps:
    """Connections opened and dropped, some in the middle of a call."""
    whole = PREFACE + frame(http2.SETTINGS, 0, 0)
    whole += frame(http2.HEADERS, http2.END_HEADERS | http2.END_STREAM, 1, http2.REQUEST)
    for stop in (0, 10, 24, 33, 60, len(whole)):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(whole[:stop])
        yield


def connections_left(path: str) -> Steps:
    """Connections that send nothing, as many as possible."""
    left = []
    for _ in range(1000):
        sock = socket.socket(socket.AF_UNIX)
        sock.settimeout(1.0)
        try:
            sock.connect(path)
        except OSError:
            sock.close()
            break
        left.append(sock)
    yield
    while True:  # held open
        yield


def rubbish(path: str) -> Steps:
    """Random octets, after the preface or instead of it, and another protocol."""
    for start in (b"", PREFACE, PREFACE + frame(http2.SETTINGS, 0, 0), b"GET / HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(1.0)
            sock.connect(path)
            sock.sendall(start + random.randbytes(8000))
            yield


def pings(path: str) -> Steps:
    """PING and SETTINGS frames that each require an answer (CVE-2019-9512, -9515)."""
    with Connection(path) as connection:
        for _ in range(1000):
            connection.send(20 * (frame(http2.PING, 0, 0, bytes(8)) + frame(http2.SETTINGS, 0, 0)))
            yield


HOW: Final[dict[str, Callable[[str], Steps]]] = {
    abuse.__name__: abuse
    for abuse in (
        oversized, streams_left, header_bomb, slow_writers, never_reads, rapid_reset,
        connections_dropped, connections_left, rubbish, pings,
    )
}  # fmt: skip


def drain(sock: socket.socket) -> None:
    """Read until the server closes the connection."""
    sock.settimeout(None)
    try:
        while sock.recv(1 << 16):
            pass
    except OSError:
        pass


def main(how: str, path: str) -> None:
    said = False
    while True:
        try:
            for _ in HOW[how](path):
                if not said:
                    print("ready", flush=True)
                    said = True
                # 200 steps a second: the harm is in what is sent, not in how much.
                signal.sigtimedwait((), 0.005)
        except CLOSED:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
