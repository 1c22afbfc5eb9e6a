"""One DNS query to a server, as a client sends it."""

from __future__ import annotations

import socket

import dns.edns
import dns.flags
import dns.message
import dns.query

from harness.ports import Address


def ask(
    address: Address | tuple[str, int],
    qname: str,
    qtype: str = "A",
    *,
    tcp: bool = False,
    edns: int | None = None,
    payload: int = 1232,
    options: list[dns.edns.Option] | None = None,
    qclass: str = "IN",
    timeout: float = 5.0,
) -> dns.message.Message:
    """Sends one query, without retry. `edns` is the EDNS version; None sends no OPT record."""
    query = dns.message.make_query(qname, qtype, qclass)
    if edns is not None:
        query.use_edns(edns, payload=payload, options=options)
    host, port = address
    if tcp:
        return dns.query.tcp(query, host, timeout=timeout, port=port)
    return dns.query.udp(query, host, timeout=timeout, port=port)


def section(answer: dns.message.Message, name: str = "answer") -> list[str]:
    """The records of a section as zone-file lines, sorted."""
    rrsets = getattr(answer, name)
    return sorted(line for rrset in rrsets for line in rrset.to_text().splitlines())


def read_tcp(sock: socket.socket) -> bytes:
    """One message from a connection (RFC 1035 4.2.2); raises ConnectionResetError when it ends."""
    data = b""
    while len(data) < 2 or len(data) < 2 + int.from_bytes(data[:2], "big"):
        part = sock.recv(65536)
        if not part:
            raise ConnectionResetError("closed before the end of a message")
        data += part
    return data[2:]
