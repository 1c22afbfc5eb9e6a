"""Readers: they ask many questions at once and record question, answer, and the instants before and
after. One kind asks a worker's socket over HTTP/2 by hand, the other CoreDNS over UDP.

    Socket(...)     one connection; a batch is one write, and the frames that come back
    Udp(...)        one socket; a batch is as many messages

Answers are read once for each different message: dnspython is slow, and most messages are repeated.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from grpcdns.pb.dns_pb2 import DnsPacket
from harness.ports import Address
from tests.chaos.history import NO_REPLY, UNAVAILABLE, History, now
from tests.chaos.model import Question, text
from tests.system.hostile.http2 import (
    ACK,
    DATA,
    END_STREAM,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    frame,
    message,
    opening,
)

WINDOW_UPDATE: Final = 8
WIDE: Final = struct.pack(">HL", 4, 1 << 20)
"""SETTINGS_INITIAL_WINDOW_SIZE."""
PATIENCE: Final = 5.0
"""Seconds for a batch, as CoreDNS's clients have."""
BATCH: Final = 48
"""Questions."""
_LAST_STREAM: Final = 1 << 30


class Asker(Protocol):
    """Asks a batch: the raw replies in order, None for each that did not come, b"" for an error."""

    def ask(self, wires: Sequence[bytes]) -> list[bytes | None]: ...
    def close(self) -> None: ...


class Reader:
    """A thread that asks one target in batches until ``ended``.

    ``connect`` makes an Asker, again after each failure, and raises OSError while it cannot.
    ``rate``: batches a second; 0 is as many as come back.
    """

    def __init__(
        self,
        history: History,
        to: str,
        connect: Callable[[], Asker],
        questions: Sequence[Question],
        *,
        name: str,
        seed: int,
        rate: float,
        size: int = BATCH,
    ) -> None:
        self._history, self._to, self._connect, self._name = history, to, connect, name
        self._chance = random.Random(f"{seed}/{name}")
        self._pause = 1 / rate if rate else 0.0
        self._size = size
        self._ids = [history.question(*one) for one in questions]
        self._wires = [query(one) for one in questions]
        self._texts: dict[bytes, int] = {}
        self.failed: BaseException | None = None
        self._connection = 0
        self.ended = threading.Event()
        self.answered = threading.Event()
        """It has a connection, and had the answers to a batch."""
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        self.ended.set()
        self.thread.join(PATIENCE + 5)

    def _run(self) -> None:
        asker: Asker | None = None
        try:
            while not self.ended.wait(self._pause * self._chance.uniform(0.5, 1.5)):
                if asker is None:
                    try:
                        asker = self._connect()
                        self._connection += 1
                    except OSError:
                        self._record([0], [None], now())
                        self.ended.wait(0.1)
                        continue
                if self._batch(asker):
                    self.answered.set()
                else:
                    asker.close()
                    asker = None
        except BaseException as error:
            self.failed = error
        finally:
            if asker is not None:
                asker.close()

    def _batch(self, asker: Asker) -> bool:
        """Whether the connection is still good."""
        chosen = self._chance.sample(range(len(self._wires)), self._size)
        began = now()
        replies = asker.ask([self._wires[one] for one in chosen])
        self._record(chosen, replies, began)
        return None not in replies

    def _record(self, chosen: list[int], replies: list[bytes | None], began: float) -> None:
        at = [began, now()]
        answers = [self._read(reply) for reply in replies]
        asked = [self._ids[one] for one in chosen]
        self._history.add(
            "asked", at=at, to=self._to, c=f"{self._name}/{self._connection}", q=asked, a=answers
        )

    def _read(self, reply: bytes | None) -> int:
        if reply is None:
            return self._history.answer(NO_REPLY)
        known = self._texts.get(reply)
        if known is None:
            if len(self._texts) > 100_000:
                self._texts.clear()
            known = self._texts[reply] = self._history.answer(as_text(reply))
        return known


def query(question: Question) -> bytes:
    """With room for an answer in one message."""
    return dns.message.make_query(*question, id=0, use_edns=0, payload=4096).to_wire()


def as_text(reply: bytes) -> str:
    """A reply as `model` writes it; UNAVAILABLE for a call that was refused."""
    if not reply:
        return UNAVAILABLE
    read = dns.message.from_wire(reply)
    if read.flags & dns.flags.TC:
        return "TRUNCATED"
    rcode = dns.rcode.to_text(read.rcode())
    if rcode not in ("NOERROR", "NXDOMAIN"):
        return rcode
    soa = any(one.rdtype == dns.rdatatype.SOA for one in read.authority)
    own = _data(read.answer)
    return text(rcode, own, [one.replace("SRV ", "") for one in _named(read.additional)], soa=soa)


def _data(section: list[dns.rrset.RRset]) -> list[str]:
    found = []
    for rrset in section:
        kind = dns.rdatatype.to_text(rrset.rdtype)
        for one in rrset:
            data = one.to_text()
            if kind == "SRV":  # priority and weight are for the conformance tests
                data = " ".join(data.split()[2:])
            found.append(f"{kind} {data}")
    return found


def _named(section: list[dns.rrset.RRset]) -> list[str]:
    return [
        f"{rrset.name} {one.to_text()}"
        for rrset in section
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
        for one in rrset
    ]


class Socket:
    """A worker's unix socket."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(PATIENCE)
        try:
            self._sock.connect(path)
            self._sock.sendall(PREFACE + frame(SETTINGS, 0, 0, WIDE))
        except OSError:
            self._sock.close()
            raise
        self._stream = 1
        self._left = b""
        self._used = 0

    def close(self) -> None:
        self._sock.close()

    def ask(self, wires: Sequence[bytes]) -> list[bytes | None]:
        first = self._stream
        self._stream += 2 * len(wires)
        frames = []
        if self._used > 30_000:
            frames.append(frame(WINDOW_UPDATE, 0, 0, struct.pack(">L", self._used)))
            self._used = 0
        for at, wire in enumerate(wires):
            stream = first + 2 * at
            packet = DnsPacket(msg=wire).SerializeToString()
            frames.append(opening(stream))
            frames.append(frame(DATA, END_STREAM, stream, message(packet)))
        bodies = [b""] * len(wires)
        ended: list[bool] = [False] * len(wires)
        try:
            self._sock.sendall(b"".join(frames))
            self._receive(first, bodies, ended)
        except OSError:
            pass
        if self._stream > _LAST_STREAM:
            ended = [False] * len(wires)
        return [_dns(body) if done else None for body, done in zip(bodies, ended, strict=True)]

    def _receive(self, first: int, bodies: list[bytes], ended: list[bool]) -> None:
        left, until = len(ended), time.monotonic() + PATIENCE
        while left:
            kind, flags, stream, body = self._frame(until)
            if kind == DATA:
                self._used += len(body)
            if kind in (SETTINGS, PING) and not flags & ACK:
                self._sock.sendall(frame(kind, ACK, 0, body if kind == PING else b""))
            at = (stream - first) // 2
            if stream < first or at >= len(ended):
                continue
            if kind == DATA:
                bodies[at] += body
            if kind == RST_STREAM or (kind in (DATA, HEADERS) and flags & END_STREAM):
                left -= not ended[at]
                ended[at] = True

    def _frame(self, until: float) -> tuple[int, int, int, bytes]:
        while True:
            if len(self._left) >= 9:
                size = 9 + int.from_bytes(self._left[:3])
                if len(self._left) >= size:
                    kind, flags, stream = struct.unpack(">BBL", self._left[3:9])
                    body, self._left = self._left[9:size], self._left[size:]
                    return kind, flags, stream, body
            self._sock.settimeout(max(0.01, until - time.monotonic()))
            data = self._sock.recv(262_144)
            if not data:
                raise ConnectionResetError("closed by the worker")
            self._left += data


class Udp:
    """CoreDNS, wherever it is at the moment."""

    def __init__(self, address: Callable[[], Address]) -> None:
        self._address = address
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._next = 0

    def close(self) -> None:
        self._sock.close()

    def ask(self, wires: Sequence[bytes]) -> list[bytes | None]:
        address = self._address()
        replies: list[bytes | None] = [None] * len(wires)
        first = self._next
        self._next = (first + len(wires)) & 0xFFFF
        for at, wire in enumerate(wires):
            serial = (first + at) & 0xFFFF
            try:
                self._sock.sendto(serial.to_bytes(2) + wire[2:], tuple(address))
            except OSError:  # an ICMP error about an earlier one
                pass
        left, until = len(wires), time.monotonic() + PATIENCE
        while left and (rest := until - time.monotonic()) > 0:
            if not select.select([self._sock], [], [], rest)[0]:
                break
            try:
                data = self._sock.recv(65535)
            except OSError:
                continue
            at = (int.from_bytes(data[:2]) - first) & 0xFFFF
            if at < len(wires) and replies[at] is None:
                replies[at] = b"\0\0" + data[2:]
                left -= 1
        return replies


def _dns(body: bytes) -> bytes:
    """The DNS message in a gRPC message with a DnsPacket; b"" if there is none."""
    return DnsPacket.FromString(body[5:]).msg
