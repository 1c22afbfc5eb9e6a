"""The exchange over UDP, then TCP, with a small real DNS server that can misbehave."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

import dns.message
import dns.rcode
import pytest

from grpcdns.core.dns.names import name_from_text
from grpcdns.dnsclient.exchange import NoReply, TimedOut, exchange
from grpcdns.dnsclient.messages import Message, make_query
from harness.dns_server import DnsServer, Query, Reply, framed, response
from harness.ports import free_address

NAME = name_from_text("www.example.org")
A = "www.example.org. 30 IN A 192.0.2.7"
EVIL = "www.example.org. 30 IN A 192.0.2.66"

Serve = Callable[[Reply], DnsServer]


def ask(server: DnsServer, *, seconds: float = 60.0, mix_case: bool = True) -> Message:
    query = make_query(NAME, 1, mix_case=mix_case)
    return asyncio.run(exchange(query, server.host, server.port, seconds))


def found(message: Message) -> list[str]:
    return [record.to_text().lower().replace(" in a ", " IN A ") for record in message.answer]


# -- UDP


def test_the_answer(dns_server: Serve) -> None:
    server = dns_server(lambda query: [response(query, A)])
    assert found(ask(server)) == [A]
    (query,) = server.queries
    assert not query.tcp
    assert query.message.edns == 0


def test_ids_ports_and_case_are_random(dns_server: Serve) -> None:
    server = dns_server(lambda query: [response(query, A)])
    for _ in range(16):
        ask(server)
    queries = server.queries
    assert len({query.message.id for query in queries}) >= 15
    assert len({query.source[1] for query in queries}) >= 15
    assert len({str(query.message.question[0].name) for query in queries}) >= 13


def _other_id(query: Query) -> bytes:
    wire = response(query, EVIL)
    return bytes([wire[0] ^ 1]) + wire[1:]


def _edited(old: bytes, new: bytes) -> Callable[[Query], bytes]:
    return lambda query: response(query, EVIL).replace(old, new, 1)


def _flags(clear: int, put: int) -> Callable[[Query], bytes]:
    def make(query: Query) -> bytes:
        wire = bytearray(response(query, EVIL))
        wire[2] = wire[2] & ~clear | put
        return bytes(wire)

    return make


def _without_question(query: Query) -> bytes:
    return struct.pack("!6H", query.message.id, 0x8180, 0, 0, 0, 0)


FORGERIES: dict[str, Callable[[Query], bytes]] = {
    "empty": lambda _: b"",
    "rubbish": lambda _: b"rubbish",
    "longer rubbish": lambda _: os.urandom(512),
    "another ID": _other_id,
    "a late reply to another question": _edited(b"\x03org", b"\x03com"),
    "another type": _edited(b"\0\1\0\1\xc0\x0c", b"\0\x1c\0\1\xc0\x0c"),
    "another class": _edited(b"\0\1\0\1\xc0\x0c", b"\0\1\0\3\xc0\x0c"),
    "a query": _flags(0x80, 0),
    "another opcode": _flags(0, 0x10),
    "no question": _without_question,
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_what_does_not_fit_is_ignored(dns_server: Serve, forgery: str) -> None:
    """CVE-2023-28452: the true reply is still awaited."""
    made = FORGERIES[forgery]
    server = dns_server(lambda query: [made(query), response(query, A)])
    for _ in range(3):
        assert found(ask(server, mix_case=False)) == [A]


def test_another_source_is_dropped(dns_server: Serve) -> None:
    """The socket is connected: the kernel drops what another address sends to its port."""

    def reply(query: Query) -> list[bytes]:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.sendto(response(query, EVIL), query.source)
        return [response(query, A)]

    assert found(ask(dns_server(reply))) == [A]


def test_another_case_is_queried_over_tcp(dns_server: Serve) -> None:
    """A forger may guess ID and port, but not the case. TCP proves the source: a server that loses
    the case is still usable."""

    def reply(query: Query) -> list[bytes]:
        wire = response(query, A if query.tcp else EVIL)
        end = 12 + len("www.example.org") + 2
        wire = wire[:12] + wire[12:end].swapcase() + wire[end:]
        return [framed(wire) if query.tcp else wire]

    server = dns_server(reply)
    assert found(ask(server)) == [A]
    assert [query.tcp for query in server.queries] == [False, True]


@pytest.mark.parametrize("rcode", ["FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"])
def test_an_error_may_be_without_question(dns_server: Serve, rcode: str) -> None:
    number = dns.rcode.from_text(rcode)
    server = dns_server(lambda query: [struct.pack("!6H", query.message.id, 0x8180 | number,
                                                   0, 0, 0, 0)])  # fmt: skip
    assert ask(server).rcode == number


def test_rubbish_in_an_answer_is_reported_at_once(dns_server: Serve) -> None:
    server = dns_server(lambda query: [response(query, A)[:-2]])
    with pytest.raises(NoReply, match="not a DNS message") as raised:
        ask(server, seconds=60.0)
    assert not isinstance(raised.value, TimedOut)


def test_silence_ends_with_a_timeout(dns_server: Serve) -> None:
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"no answer in 0\.2 s"):
        ask(dns_server(lambda _: []), seconds=0.2)
    assert 0.2 <= time.monotonic() - began < 5.0


def test_a_refused_port_is_reported_at_once() -> None:
    """ICMP port unreachable, reported to the connected socket."""
    host, port = free_address()
    with pytest.raises(NoReply, match="connection refused") as raised:
        asyncio.run(exchange(make_query(NAME, 1), host, port, 60.0))
    assert not isinstance(raised.value, TimedOut)


def test_an_address_without_route_is_reported_at_once() -> None:
    with pytest.raises(NoReply):
        asyncio.run(exchange(make_query(NAME, 1), "255.255.255.255", 53, 60.0))


def test_a_large_datagram(dns_server: Serve) -> None:
    """A server may exceed the size that we offer: the datagram is read whole."""
    many = [f"www.example.org. 30 IN A 10.{n >> 8}.{n & 255}.1" for n in range(4000)]
    assert found(ask(dns_server(lambda query: [response(query, *many)]))) == many


# -- TCP


def over_tcp(*pieces: Callable[[Query], bytes]) -> Reply:
    """Truncated over UDP, these octets of a stream over TCP."""

    def reply(query: Query) -> list[bytes]:
        if not query.tcp:
            return [response(query, truncated=True)]
        return [piece(query) for piece in pieces]

    return reply


def test_truncated_is_queried_over_tcp(dns_server: Serve) -> None:
    server = dns_server(over_tcp(lambda query: framed(response(query, A))))
    assert found(ask(server)) == [A]
    first, second = server.queries
    assert (first.tcp, second.tcp) == (False, True)
    assert first.message.to_wire() == second.message.to_wire()


def test_a_truncated_answer_may_end_anywhere(dns_server: Serve) -> None:
    def reply(query: Query) -> list[bytes]:
        if query.tcp:
            return [framed(response(query, A))]
        return [response(query, EVIL, truncated=True)[:-3]]

    assert found(ask(dns_server(reply))) == [A]


def test_short_reads(dns_server: Serve) -> None:
    """One octet at a time, the length included."""

    def reply(query: Query) -> list[bytes]:
        if not query.tcp:
            return [response(query, truncated=True)]
        return [bytes([octet]) for octet in framed(response(query, A))]

    assert found(ask(dns_server(reply))) == [A]


def test_a_message_of_65535_octets(dns_server: Serve) -> None:
    def longest(query: Query) -> bytes:
        records = [f"www.example.org. 30 IN A 10.{n >> 8}.{n & 255}.1" for n in range(4089)]
        left = 65535 - len(response(query, *records)) - 13
        wire = response(query, *records, f'www.example.org. 30 IN TXT "{"x" * left}"')
        assert len(wire) == 65535
        return framed(wire)

    message = ask(dns_server(over_tcp(longest)))
    assert len(message.answer) == 4090


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (lambda _: b"", "after 0 of 2 octets"),
        (lambda _: b"\0", "after 1 of 2 octets"),
        (lambda query: framed(response(query, A))[:-1], r"after \d+ of \d+ octets"),
        (lambda _: framed(b""), "another question"),
        (lambda query: framed(_other_id(query)), "another question"),
        (lambda query: framed(response(query, A).replace(b"\x07", b"\x06", 1)), "another question"),
        (lambda query: framed(response(query, A)[:-1]), "not a DNS message"),
    ],
    ids=["nothing", "half a length", "cut", "empty", "another ID", "another question", "rubbish"],
)
def test_what_is_no_reply_over_tcp(dns_server: Serve, sent: Any, said: str) -> None:
    with pytest.raises(NoReply, match=said):
        ask(dns_server(over_tcp(sent)), seconds=60.0)


def test_one_timeout_is_for_all_of_it(dns_server: Serve) -> None:
    """A late answer over UDP and none over TCP: both share the timeout."""
    stop = threading.Event()

    def reply(query: Query) -> list[bytes]:
        if query.tcp:
            stop.wait(20.0)
            return []
        stop.wait(0.2)
        return [response(query, truncated=True)]

    began = time.monotonic()
    try:
        with pytest.raises(TimedOut, match=r"no answer in 0\.4 s"):
            ask(dns_server(reply), seconds=0.4)
        assert 0.4 <= time.monotonic() - began < 5.0
    finally:
        stop.set()


# -- many


def test_many_at_once_without_a_thread_each(dns_server: Serve) -> None:
    wait = threading.Event()

    def reply(query: Query) -> list[bytes]:
        wait.wait(20.0)
        return [response(query, A)]

    server = dns_server(reply)

    async def all_of_them() -> tuple[int, list[Message]]:
        before = {thread.name for thread in threading.enumerate() if "asyncio" in thread.name}
        queries = [make_query(NAME, 1, mix_case=True) for _ in range(100)]
        tasks = [
            asyncio.create_task(exchange(query, server.host, server.port, 30.0))
            for query in queries
        ]
        while len(server.queries) < 100:
            await asyncio.sleep(0.01)
        after = {thread.name for thread in threading.enumerate() if "asyncio" in thread.name}
        wait.set()
        return len(after - before), await asyncio.gather(*tasks)

    threads, messages = asyncio.run(all_of_them())
    assert threads == 0
    assert [found(message) for message in messages] == [[A]] * 100


def test_sockets_are_closed(dns_server: Serve) -> None:
    server = dns_server(over_tcp(lambda query: framed(response(query, A))))
    ask(server)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        ask(server)
    server.close()
    for _ in range(5):
        with pytest.raises(NoReply):
            ask(server)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_over_ipv6() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server:
        try:
            server.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        port = server.getsockname()[1]

        def serve() -> None:
            raw, source = server.recvfrom(4096)
            query = Query(dns.message.from_wire(raw), ("::1", port), False)
            server.sendto(response(query, A), source)

        thread = threading.Thread(target=serve)
        thread.start()
        assert found(asyncio.run(exchange(make_query(NAME, 1), "::1", port, 10.0))) == [A]
        thread.join()
