"""ExternalName targets asked of a DNS server: a small real one that can misbehave."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.message
import dns.rcode
import dns.rrset
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Change, Kind, Namespace, Service, pack
from grpcdns.core.handler import Deferred, Handler
from grpcdns.serve.worker import upstream as module
from grpcdns.serve.worker.later import Later
from grpcdns.serve.worker.upstream import Upstream
from harness.ports import free_address
from harness.waiting import wait_until

Reply = Callable[[dns.message.Message, bool], list[bytes]]
TARGET = "www.example.org."


class Server:
    """Answers every query with what ``reply(query, over_tcp)`` gives."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[dns.message.Message, tuple[str, int], bool]] = []
        at = free_address()
        self.address = str(at)
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
        query = dns.message.from_wire(raw)
        self.asked.append((query, source, False))
        for wire in self.reply(query, False):
            self.udp.sendto(wire, source)

    def _serve_tcp(self) -> None:
        while True:
            try:
                sock, source = self.tcp.accept()
            except OSError:
                return
            with sock:
                (length,) = struct.unpack(">H", sock.recv(2))
                query = dns.message.from_wire(sock.recv(length))
                self.asked.append((query, source, True))
                for wire in self.reply(query, True):
                    sock.sendall(struct.pack(">H", len(wire)) + wire)


@pytest.fixture
def server() -> Iterator[Callable[[Reply], Server]]:
    made: list[Server] = []

    def make(reply: Reply) -> Server:
        made.append(Server(reply))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def ask() -> Iterator[Callable[..., Any]]:
    """`ask(address)`: the reply to an A query for an ExternalName, when it has come."""
    made: list[Upstream] = []

    def start(address: str, qtype: str = "A") -> Callable[[], dns.message.Message]:
        if not made:
            made.append(Upstream(address))
        replies: list[bytes | None] = []
        found = made[0].complete(deferred(qtype))
        if isinstance(found, Later):
            found.then(replies.append)
        else:
            replies.append(found)

        def reply() -> dns.message.Message:
            wait_until(lambda: replies, "the reply has come")
            assert replies[0] is not None
            return dns.message.from_wire(replies[0])

        return reply

    start.made = made  # type: ignore[attr-defined]
    yield start
    for one in made:
        one.stop()


def deferred(qtype: str) -> Deferred:
    handler = Handler(Policy(no_endpoints=True))
    for kind, one in (
        (Kind.NAMESPACE, Namespace("", "default")),
        (
            Kind.SERVICE,
            Service("default", "ext", type="ExternalName", external_name=TARGET.rstrip(".")),
        ),
    ):
        for _ in handler.replace(kind, [], 1):
            pass
        handler.apply(Change(kind, f"{one.namespace}/{one.name}", pack(one), 1))
    query = dns.message.make_query("ext.default.svc.cluster.local.", qtype)
    result = handler.handle(query.to_wire())
    assert isinstance(result, Deferred)
    return result


def answer(query: dns.message.Message, *lines: str, **changes: int) -> bytes:
    message = dns.message.make_response(query)
    for line in lines:
        message.answer.append(dns.rrset.from_text(*line.split(maxsplit=4)))  # type: ignore[arg-type]
    if "rcode" in changes:
        message.set_rcode(dns.rcode.Rcode(changes["rcode"]))
    if "id" in changes:
        message.id = changes["id"]
    return message.to_wire(max_size=65535)


def lines(message: dns.message.Message) -> list[str]:
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


CNAME = f"ext.default.svc.cluster.local. 5 IN CNAME {TARGET}"
A = f"{TARGET} 30 IN A 192.0.2.7"


def test_records_follow_the_cname(server: Any, ask: Any) -> None:
    up = server(lambda query, _tcp: [answer(query, A)])
    assert lines(ask(up.address)()) == [CNAME, A]


def test_a_chain_is_followed_and_nothing_else_is_taken(server: Any, ask: Any) -> None:
    chain = [f"{TARGET} 30 IN CNAME cdn.example.net.", "cdn.example.net. 60 IN A 192.0.2.8"]
    stray = ["evil.example.com. 60 IN A 192.0.2.66", f"{TARGET} 60 IN TXT x"]
    up = server(lambda query, _tcp: [answer(query, stray[0], *reversed(chain), stray[1])])
    assert lines(ask(up.address)()) == [CNAME, *chain]


def test_a_loop_ends(server: Any, ask: Any) -> None:
    loop = [f"{TARGET} 30 IN CNAME a.example.", f"a.example. 30 IN CNAME {TARGET}"]
    up = server(lambda query, _tcp: [answer(query, *loop)])
    assert lines(ask(up.address)()) == [CNAME, *loop]


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_no_records_leave_the_bare_cname(server: Any, ask: Any, rcode: int) -> None:
    up = server(lambda query, _tcp: [answer(query, rcode=rcode)])
    reply = ask(up.address)()
    assert lines(reply) == [CNAME]
    assert reply.rcode() == dns.rcode.NOERROR


def test_truncated_is_asked_again_over_tcp(server: Any, ask: Any) -> None:
    many = [f"{TARGET} 30 IN A 192.0.2.{n}" for n in range(90)]

    def reply(query: dns.message.Message, tcp: bool) -> list[bytes]:
        if tcp:
            return [answer(query, *many)]
        message = dns.message.make_response(query)
        message.flags |= 0x0200
        return [message.to_wire()]

    up = server(reply)
    assert sorted(lines(ask(up.address)())) == sorted([CNAME, *many])
    assert [tcp for *_, tcp in up.asked] == [False, True]


@pytest.mark.parametrize("forgery", ["id", "question", "rubbish"])
def test_forged_answers_are_not_taken(server: Any, ask: Any, forgery: str) -> None:
    """CVE-2023-28452: what does not fit the query is passed over; the true one comes after it."""

    def reply(query: dns.message.Message, _tcp: bool) -> list[bytes]:
        evil = f"{TARGET} 30 IN A 192.0.2.66"
        if forgery == "id":
            first = answer(query, evil, id=query.id ^ 1)
        elif forgery == "question":
            other = dns.message.make_query("other.example.", "A", id=query.id)
            first = answer(other, evil)
        else:
            first = b"rubbish"
        return [first, answer(query, A)]

    assert lines(ask(server(reply).address)()) == [CNAME, A]


def test_ids_and_ports_are_not_to_be_guessed(server: Any, ask: Any) -> None:
    up = server(lambda query, _tcp: [answer(query, A)])
    for _ in range(12):
        ask(up.address)()
    assert len({query.id for query, *_ in up.asked}) >= 11
    assert len({source[1] for _, source, _ in up.asked}) >= 11


def test_same_lookups_under_way_are_shared(server: Any, ask: Any) -> None:
    go_on = threading.Event()

    def reply(query: dns.message.Message, _tcp: bool) -> list[bytes]:
        go_on.wait(10.0)
        return [answer(query, A)]

    up = server(reply)
    replies = [ask(up.address) for _ in range(50)]
    wait_until(lambda: up.asked, "it has been asked")
    go_on.set()
    assert [lines(reply()) for reply in replies] == [[CNAME, A]] * 50
    assert len(up.asked) == 1


def test_silence_ends_with_the_bare_cname(
    server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    up = server(lambda _query, _tcp: [])
    began = time.monotonic()
    assert lines(ask(up.address)()) == [CNAME]
    assert time.monotonic() - began < 5.0
    failed = {labels: value for _, labels, value in ask.made[0].samples()}['result="failed"']
    assert failed == 1


def test_nobody_there_ends_with_the_bare_cname(server: Any, ask: Any) -> None:
    up = server(lambda _query, _tcp: [])
    up.close()
    assert lines(ask(up.address)()) == [CNAME]


def test_too_many_at_once_fail_at_once(
    server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 1)
    go_on = threading.Event()

    def reply(query: dns.message.Message, _tcp: bool) -> list[bytes]:
        go_on.wait(10.0)
        return [answer(query, A)] if query.question[0].rdtype == 1 else []

    up = server(reply)
    first = ask(up.address)
    wait_until(lambda: up.asked, "it has been asked")
    assert lines(ask(up.address, "AAAA")()) == [CNAME]
    go_on.set()
    assert lines(first()) == [CNAME, A]


def test_without_upstream_the_cname_comes_at_once(ask: Any) -> None:
    assert lines(ask("")()) == [CNAME]
