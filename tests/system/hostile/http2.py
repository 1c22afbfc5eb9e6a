"""HTTP/2 frames by hand (RFC 9113): what no gRPC library would send."""

from __future__ import annotations

import socket
import struct
from typing import Final, Self

from grpcdns.serve.worker.transport.contract import QUERY

DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, ACK, END_HEADERS = 1, 1, 4
CANCEL: Final = 8
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return len(body).to_bytes(3, "big") + struct.pack(">BBL", kind, flags, stream) + body


def literal(name: str, value: str) -> bytes:
    """A literal header field, without indexing (RFC 7541 6.2.2)."""
    return b"\0" + _length(len(name)) + name.encode() + _length(len(value)) + value.encode()


def _length(size: int) -> bytes:
    if size < 127:
        return bytes((size,))
    out, size = bytearray((127,)), size - 127
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes((*out, size))


REQUEST: Final = b"".join(
    literal(name, value)
    for name, value in {
        ":method": "POST",
        ":scheme": "http",
        ":path": QUERY,
        ":authority": "test",
        "content-type": "application/grpc",
        "te": "trailers",
    }.items()
)


def opening(stream: int) -> bytes:
    """The HEADERS frame of a Query, without its message."""
    return frame(HEADERS, END_HEADERS, stream, REQUEST)


def message(packet: bytes) -> bytes:
    """A gRPC message: not compressed, its length, its bytes."""
    return b"\0" + struct.pack(">L", len(packet)) + packet


class Connection:
    """A connection to a unix socket that has sent the preface and sends any octets."""

    def __init__(self, path: str, timeout: float = 10.0) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
        self._left = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def call(self, stream: int, packet: bytes) -> None:
        """A whole Query."""
        self.send(opening(stream) + frame(DATA, END_STREAM, stream, message(packet)))

    def read(self) -> tuple[int, int, int, bytes]:
        """The next frame: type, flags, stream, body. SETTINGS and PING are acknowledged."""
        head = self._read(9)
        kind, flags, stream = struct.unpack(">BBL", head[3:])
        body = self._read(int.from_bytes(head[:3], "big"))
        if kind in (SETTINGS, PING) and not flags & ACK:
            self.send(frame(kind, ACK, 0, body if kind == PING else b""))
        return kind, flags, stream, body

    def read_end(self, stream: int) -> list[int]:
        """Read until a stream has ended; returns the types of its frames."""
        kinds = []
        while True:
            kind, flags, of, _ = self.read()
            if of == stream:
                kinds.append(kind)
                if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    return kinds

    def _read(self, size: int) -> bytes:
        while len(self._left) < size:
            data = self.sock.recv(65536)
            if not data:
                raise ConnectionResetError("closed by the server")
            self._left += data
        data, self._left = self._left[:size], self._left[size:]
        return data
