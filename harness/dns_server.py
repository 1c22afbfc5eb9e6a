"""A small real DNS server on loopback that can misbehave: it sends whatever a test makes."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import dns.flags
import dns.message
import dns.rcode
import dns.rrset

from harness.ports import free_address
from harness.waiting import wait_until


class Query(NamedTuple):
    """A query that came in: from which address, and whether over TCP."""

    message: dns.message.Message
    source: tuple[str, int]
    tcp: bool


Reply = Callable[[Query], Iterable[bytes]]
"""What is sent for a query: datagrams over UDP; over TCP the octets of the stream, each piece only
when the client has read the one before it (``framed`` puts the length before a message)."""


class DnsServer:
    """Answers every query with what ``reply`` gives, queries over UDP each in a thread."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.queries: list[Query] = []
        at = free_address()
        self.address = str(at)
        self.host, self.port = at
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind(at)
        self.tcp = socket.create_server(at)
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def close(self) -> None:
        for sock in (self.udp, self.tcp):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def _serve_udp(self) -> None:
        while True:
            try:
                raw, source = self.udp.recvfrom(4096)
            except OSError:
                return
            if not raw:  # shut down
                return
            threading.Thread(target=self._answer_udp, args=(raw, source), daemon=True).start()

    def _answer_udp(self, raw: bytes, source: tuple[str, int]) -> None:
        query = Query(dns.message.from_wire(raw), source, False)
        self.queries.append(query)
        for wire in self.reply(query):
            try:
                self.udp.sendto(wire, source)
            except OSError:
                return  # closed

    def _serve_tcp(self) -> None:
        while True:
            try:
                sock, source = self.tcp.accept()
            except OSError:
                return
            with sock:
                try:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    (length,) = struct.unpack("!H", sock.recv(2, socket.MSG_WAITALL))
                    raw = sock.recv(length, socket.MSG_WAITALL)
                    query = Query(dns.message.from_wire(raw), source, True)
                    self.queries.append(query)
                    for piece in self.reply(query):
                        sock.sendall(piece)
                        wait_until(lambda s=sock: _is_read(s), "read", timeout=60.0, interval=0.001)  # type: ignore[misc]
                except (OSError, struct.error):
                    pass  # the client has gone


def framed(message: bytes) -> bytes:
    """A message as TCP carries it."""
    return struct.pack("!H", len(message)) + message


def response(query: Query, *records: str, rcode: int = 0, truncated: bool = False) -> bytes:
    """A reply with these records, zone-file lines of name, TTL, class, type and data."""
    message = dns.message.make_response(query.message)
    for line in records:
        message.answer.append(dns.rrset.from_text(*line.split(maxsplit=4)))  # type: ignore[arg-type]
    message.set_rcode(dns.rcode.Rcode(rcode))
    message.flags |= dns.flags.TC if truncated else 0
    return message.to_wire(max_size=65535)


def _is_read(sock: socket.socket) -> bool:
    """Whether the other end has read all that was sent, by the kernel's table of sockets."""
    try:
        near, far = _as_listed(sock.getsockname()), _as_listed(sock.getpeername())
    except OSError:
        return True  # the client has gone
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if (fields[1], fields[2]) == (far, near):
            return fields[4].endswith(":00000000")
    return True  # closed


def _as_listed(address: tuple[str, int]) -> str:
    host = int.from_bytes(socket.inet_aton(address[0]), "little")
    return f"{host:08X}:{address[1]:04X}"
