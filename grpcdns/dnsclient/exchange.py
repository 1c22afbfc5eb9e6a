"""One question to one DNS server: over UDP, and over TCP when the answer does not fit.

    message = await exchange(query, "10.96.0.10", 53, seconds=2.0)

Protection against forged replies (RFC 5452): the socket is connected, so the kernel drops
datagrams of other sources, and its port is random. A reply must have the query's ID, opcode and
question, with the case of every letter. Any other datagram is ignored: it may be a late reply to
another question. A reply that differs only in case comes from a forger or from a server that does
not keep the case: the query is sent again over TCP, which cannot be forged off the path.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from typing import Final

from grpcdns.core.dns.wire import FORMERR, HEADER, NOTIMP, REFUSED, SERVFAIL
from grpcdns.dnsclient.messages import BadMessage, Message, parse_message

_LONGEST: Final = 65535
_TRUNCATED: Final = 0x02
_WITHOUT_QUESTION: Final = (FORMERR, SERVFAIL, NOTIMP, REFUSED)


class NoReply(Exception):
    """The server gave no usable reply: why, in one line."""


class TimedOut(NoReply):
    """Timeout: the query or its reply may be lost."""


async def exchange(
    query: bytes, host: str, port: int, seconds: float, *, tcp: bool = False
) -> Message:
    """The reply to a query of one question (`messages.make_query`).

    ``host`` is an IP address, ``seconds`` the timeout of the whole exchange, TCP included. ``tcp``:
    not over UDP first. Raises NoReply.
    """
    try:
        async with asyncio.timeout(seconds):
            message = None if tcp else await _over_udp(query, host, port)
            return message if message is not None else await _over_tcp(query, host, port)
    except TimeoutError as error:
        raise TimedOut(f"no answer in {seconds:g} s") from error
    except OSError as error:
        if error.errno == errno.ECONNREFUSED:
            raise NoReply("connection refused: no DNS server listens there") from error
        raise NoReply(os.strerror(error.errno) if error.errno else str(error)) from error
    except BadMessage as error:
        raise NoReply(f"the reply is not a DNS message: {error}") from error


async def _over_udp(query: bytes, host: str, port: int) -> Message | None:
    """The reply; None if the query must be sent over TCP."""
    loop = asyncio.get_running_loop()
    with _socket(host, socket.SOCK_DGRAM) as sock:
        sock.connect((host, port))
        await loop.sock_sendall(sock, query)
        while True:
            reply = await loop.sock_recv(sock, _LONGEST)
            if _is_reply(query, reply):
                # What is cut off need not be a whole message (RFC 2181 9).
                return None if reply[2] & _TRUNCATED else parse_message(reply)
            if _is_reply(query, reply, any_case=True):
                return None


async def _over_tcp(query: bytes, host: str, port: int) -> Message:
    """The reply. Each message has its length in two octets before it (RFC 1035 4.2.2)."""
    loop = asyncio.get_running_loop()
    with _socket(host, socket.SOCK_STREAM) as sock:
        await loop.sock_connect(sock, (host, port))
        await loop.sock_sendall(sock, struct.pack("!H", len(query)) + query)
        (length,) = struct.unpack("!H", await _receive(sock, 2))
        reply = await _receive(sock, length)
    if not _is_reply(query, reply, any_case=True):
        raise NoReply("the reply over TCP is to another question")
    return parse_message(reply)


async def _receive(sock: socket.socket, length: int) -> bytes:
    """Exactly ``length`` octets. Raises NoReply if the connection ends before."""
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < length:
        piece = await loop.sock_recv(sock, length - len(received))
        if not piece:
            raise NoReply(f"the connection ended after {len(received)} of {length} octets")
        received += piece
    return bytes(received)


def _socket(host: str, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    sock.setblocking(False)
    return sock


def _is_reply(query: bytes, reply: bytes, *, any_case: bool = False) -> bool:
    """Whether ``reply`` has the query's ID, opcode and question. An error may have no question: a
    server that cannot read a query cannot repeat it."""
    if len(reply) < HEADER or reply[:2] != query[:2] or reply[2] & 0xF8 != 0x80 | query[2] & 0x78:
        return False
    if reply[4:6] == b"\0\0" and reply[3] & 15 in _WITHOUT_QUESTION:
        return True
    end = query.index(b"\0", HEADER) + 5
    asked, repeated = query[HEADER:end], reply[HEADER:end]
    same = asked.lower() == repeated.lower() if any_case else asked == repeated
    return reply[4:6] == b"\0\1" and same
