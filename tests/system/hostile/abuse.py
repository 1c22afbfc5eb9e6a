"""Callers that mean harm, each a process of its own.

    python -m tests.system.hostile.abuse HOW SOCKET

Each says ``ready`` when its harm is done or under way, and goes on until it is killed.
"""

from __future__ import annotations

import random
import signal
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from typing import Final

from grpcdns.serve.worker.transport.packet import to_wire
from tests.conformance.reply import query
from tests.system.hostile import http2
from tests.system.hostile.http2 import END_HEADERS, END_STREAM, Connection, frame

QUERY: Final = to_wire(query("svc1.testns.svc.cluster.local", "A"))
BIG: Final = to_wire(query("big.testns.svc.cluster.local", "A"))
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
STREAMS: Final = 10_000
PER_CONNECTION: Final = 1000
_CLOSED = (BrokenPipeError, ConnectionResetError, TimeoutError, ConnectionRefusedError)

Step = Iterator[None]
"""Harm in steps: the first ones build it up, later ones keep it up. What ends is begun again."""


def oversized(path: str) -> Step:
    """Messages over 65,539 octets, a little and a lot."""
    with Connection(path) as connection:
        for turn, size in enumerate((65_540, 1 << 20, 16 << 20)):
            stream = 2 * turn + 1
            head = frame(http2.HEADERS, END_HEADERS, stream, http2.REQUEST)
            connection.send(head + frame(http2.DATA, 0, stream, b"\0" + struct.pack(">L", size)))
            for _ in range(min(size, 60_000) // 16_000):
                connection.send(frame(http2.DATA, 0, stream, bytes(16_000)))
            yield


def streams_left(path: str) -> Step:
    """10,000 streams opened, on a few connections, and no message ever sent."""
    connections = []
    for first in range(0, STREAMS, PER_CONNECTION):
        connection = Connection(path)
        connections.append(connection)
        for stream in range(min(PER_CONNECTION, STREAMS - first)):
            connection.send(frame(http2.HEADERS, END_HEADERS, 2 * stream + 1, http2.REQUEST))
    yield
    for connection in connections:
        drain(connection.sock)


def header_bomb(path: str) -> Step:
    """A header block that never ends."""
    with Connection(path) as connection:
        connection.send(frame(http2.HEADERS, 0, 1, http2.REQUEST))
        field = http2.literal("x-bomb", "b" * 8000)
        for turn in range(1000):
            connection.send(frame(http2.CONTINUATION, 0, 1, field))
            if turn % 10 == 0:
                yield


def slow_writers(path: str) -> Step:
    """200 calls whose messages come an octet at a time."""
    connections = [Connection(path) for _ in range(20)]
    streams = range(1, 20, 2)
    for connection in connections:
        for stream in streams:
            connection.send(frame(http2.HEADERS, END_HEADERS, stream, http2.REQUEST))
    yield
    for octet in http2.message(QUERY)[:-1]:
        for connection in connections:
            for stream in streams:
                connection.send(frame(http2.DATA, 0, stream, bytes((octet,))))
        yield


def never_reads(path: str) -> Step:
    """Big answers asked for without end, and no window for them to go into."""
    with Connection(path) as connection:
        connection.send(frame(http2.SETTINGS, 0, 0, struct.pack(">HL", 4, 0)))
        for stream in range(1, 2 * PER_CONNECTION, 2):
            connection.call(stream, BIG)
            if stream % 100 == 1:
                yield
        yield
        drain(connection.sock)


def rapid_reset(path: str) -> Step:
    """CVE-2023-44487: calls made and reset in one breath."""
    reset = http2.CANCEL.to_bytes(4, "big")
    with Connection(path) as connection:
        for stream in range(1, 20_000, 2):
            connection.send(
                frame(http2.HEADERS, END_HEADERS, stream, http2.REQUEST)
                + frame(http2.RST_STREAM, 0, stream, reset)
            )
            if stream % 100 == 1:
                yield


def connections_dropped(path: str) -> Step:
    """Connections made and dropped, some with half a call on them."""
    whole = PREFACE + frame(http2.SETTINGS, 0, 0)
    whole += frame(http2.HEADERS, END_HEADERS | END_STREAM, 1, http2.REQUEST)
    for stop in (0, 10, 24, 33, 60, len(whole)):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(whole[:stop])
        yield


def connections_left(path: str) -> Step:
    """Connections that say nothing, as many as there can be."""
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
    while True:  # held, none made anew
        yield


def rubbish(path: str) -> Step:
    """Noise, after the preface or instead of it, and another protocol."""
    for start in (b"", PREFACE, PREFACE + frame(http2.SETTINGS, 0, 0), b"GET / HTTP/1.1\r\n\r\n"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(1.0)
            sock.connect(path)
            sock.sendall(start + random.randbytes(8000))
            yield


def pings(path: str) -> Step:
    """CVE-2019-9512, -9515: pings and settings that each want an answer."""
    with Connection(path) as connection:
        for _ in range(1000):
            connection.send(20 * (frame(http2.PING, 0, 0, bytes(8)) + frame(http2.SETTINGS, 0, 0)))
            yield


HOW: Final[dict[str, Callable[[str], Step]]] = {
    harm.__name__: harm
    for harm in (
        oversized, streams_left, header_bomb, slow_writers, never_reads, rapid_reset,
        connections_dropped, connections_left, rubbish, pings,
    )
}  # fmt: skip


def drain(sock: socket.socket) -> None:
    """Read until the server has had enough of us."""
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
                # 200 steps a second: harm by what is sent, not by how much of it.
                signal.sigtimedwait((), 0.005)
        except _CLOSED:
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
