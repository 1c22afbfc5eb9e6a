"""A query to ourselves, over our private socket, several times a second.

It takes the way of every query, through grpcio and the transport to the handler. So it shows that
this process answers (each reply is a heartbeat for the supervisor, as is a call that ends with
UNAVAILABLE) and, while one is in flight, how long calls wait (`Pressure`). It is no client's query:
the reply is `Uncounted`.

One call's HTTP/2 is written here, a hundred fixed bytes each way, so that the worker needs no gRPC
client: a headers frame of literals, a data frame, and then every frame until the stream has ended
(RFC 9113, RFC 7541 6.2.2).
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final

from grpcdns.serve.worker.transport.contract import QUERY, Pressure
from grpcdns.serve.worker.transport.packet import to_wire

_log = logging.getLogger(__name__)

EVERY: Final = 0.15
"""Seconds from one probe to the next."""
TIMEOUT: Final = 5.0

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_FRAME: Final = struct.Struct(">HBBBL")
_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_END_STREAM, _ACK, _END_HEADERS = 1, 1, 4
_RENEW: Final = 100_000
"""Calls on one connection. Stream numbers would last far longer."""


class Probe:
    """Sends ``message`` (`new_message`) to the socket ``path``, and calls ``beat`` after each reply
    from its own thread."""

    def __init__(
        self, path: str, message: bytes, pressure: Pressure, beat: Callable[[], None]
    ) -> None:
        self._path = path
        self._packet = pressure.packet = to_wire(message)
        self._pressure = pressure
        self._beat = beat
        self._stopped = threading.Event()
        self._draining = False
        self._thread = threading.Thread(target=self._run, name="probe", daemon=True)
        self.latest = 0.0
        """Seconds that the latest probe took."""

    def start(self) -> None:
        self._thread.start()

    def drain(self) -> None:
        """The server is stopping, which may take a while: no more queries, but heartbeats until
        `stop`."""
        self._draining = True

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            if self._draining:
                self._beat()
            else:
                self._connect()
            self._stopped.wait(EVERY)

    def _connect(self) -> None:
        try:
            with _Caller(self._path) as caller:
                self._probe(caller)
        except OSError as error:
            if not self._draining:
                _log.warning("the probe failed: %s", error)
        finally:
            self._pressure.sent = 0.0

    def _probe(self, caller: _Caller) -> None:
        for _ in range(_RENEW):
            self._pressure.sent = sent = time.perf_counter()
            caller.call(self._packet)
            self._pressure.sent = 0.0
            self.latest = time.perf_counter() - sent
            self._beat()
            if self._stopped.wait(EVERY) or self._draining:
                return


def new_message() -> bytes:
    """A TXT query for a name outside every zone. No client can guess it, so that none can hide its
    queries from the counters."""
    secret = os.urandom(16).hex().encode()
    name = bytes((len(secret),)) + secret + b"\x07grpcdns\x05probe\0"
    return bytes.fromhex("000000000001000000000000") + name + b"\0\x10\0\1"


class _Caller:
    """One HTTP/2 connection; one call at a time."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(TIMEOUT)
        self._stream = -1
        self._left = b""
        try:
            self._sock.connect(path)
            self._sock.sendall(_PREFACE + _frame(_SETTINGS, 0, 0))
        except OSError:
            self._sock.close()
            raise

    def __enter__(self) -> _Caller:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()

    def call(self, packet: bytes) -> None:
        """Return when the call has ended, with whatever status. Raises OSError."""
        self._stream += 2
        data = b"\0" + struct.pack(">L", len(packet)) + packet
        self._sock.sendall(
            _frame(_HEADERS, _END_HEADERS, self._stream, _REQUEST)
            + _frame(_DATA, _END_STREAM, self._stream, data)
        )
        while not self._ended():
            pass

    def _ended(self) -> bool:
        """Read and handle one frame; returns whether it ended our stream."""
        high, low, kind, flags, stream = _FRAME.unpack(self._read(9))
        body = self._read(high << 8 | low)
        if kind == _SETTINGS and not flags & _ACK:
            self._sock.sendall(_frame(_SETTINGS, _ACK, 0))
        elif kind == _PING and not flags & _ACK:
            self._sock.sendall(_frame(_PING, _ACK, 0, body))
        elif kind == _GOAWAY:
            raise ConnectionResetError("GOAWAY")
        elif kind == _DATA and body:
            window = struct.pack(">L", len(body))
            self._sock.sendall(_frame(_WINDOW, 0, 0, window))
        return stream == self._stream and (
            kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and bool(flags & _END_STREAM))
        )

    def _read(self, size: int) -> bytes:
        while len(self._left) < size:
            data = self._sock.recv(4096)
            if not data:
                raise ConnectionResetError("the connection was closed")
            self._left += data
        data, self._left = self._left[:size], self._left[size:]
        return data


def _frame(kind: int, flags: int, stream: int, body: bytes = b"") -> bytes:
    return _FRAME.pack(len(body) >> 8, len(body) & 0xFF, kind, flags, stream) + body


def _literal(name: bytes, value: bytes) -> bytes:
    """A header field without indexing and without Huffman coding (RFC 7541 6.2.2)."""
    return b"\0" + bytes((len(name),)) + name + bytes((len(value),)) + value


_REQUEST: Final = b"".join(
    _literal(name, value)
    for name, value in (
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":path", QUERY.encode()),
        (b":authority", b"localhost"),
        (b"content-type", b"application/grpc"),
        (b"te", b"trailers"),
    )
)
