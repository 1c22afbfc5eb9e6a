"""ExternalName targets, looked up at a small real DNS server that can misbehave."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import dns.message
import dns.rcode
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Change, Kind, Namespace, Service, pack
from grpcdns.core.handler import Deferred, Handler
from grpcdns.serve.worker import upstream as module
from grpcdns.serve.worker.later import Later
from grpcdns.serve.worker.upstream import Upstream
from harness.dns_server import Query, framed, response
from harness.waiting import wait_until

TARGET = "www.example.org."


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


def lines(message: dns.message.Message) -> list[str]:
    return [line for rrset in message.answer for line in rrset.to_text().splitlines()]


CNAME = f"ext.default.svc.cluster.local. 5 IN CNAME {TARGET}"
A = f"{TARGET} 30 IN A 192.0.2.7"


def test_records_follow_the_cname(dns_server: Any, ask: Any) -> None:
    up = dns_server(lambda query: [response(query, A)])
    assert lines(ask(up.address)()) == [CNAME, A]


def test_a_chain_is_followed_and_nothing_else_is_used(dns_server: Any, ask: Any) -> None:
    chain = [f"{TARGET} 30 IN CNAME cdn.example.net.", "cdn.example.net. 60 IN A 192.0.2.8"]
    stray = ["evil.example.com. 60 IN A 192.0.2.66", f"{TARGET} 60 IN TXT x"]
    up = dns_server(lambda query: [response(query, stray[0], *reversed(chain), stray[1])])
    assert lines(ask(up.address)()) == [CNAME, *chain]


def test_a_loop_ends(dns_server: Any, ask: Any) -> None:
    loop = [f"{TARGET} 30 IN CNAME a.example.", f"a.example. 30 IN CNAME {TARGET}"]
    up = dns_server(lambda query: [response(query, *loop)])
    assert lines(ask(up.address)()) == [CNAME, *loop]


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED])
def test_no_records_leave_the_bare_cname(dns_server: Any, ask: Any, rcode: int) -> None:
    up = dns_server(lambda query: [response(query, rcode=rcode)])
    reply = ask(up.address)()
    assert lines(reply) == [CNAME]
    assert reply.rcode() == dns.rcode.NOERROR


def test_truncated_is_asked_again_over_tcp(dns_server: Any, ask: Any) -> None:
    many = [f"{TARGET} 30 IN A 192.0.2.{n}" for n in range(90)]

    def reply(query: Query) -> list[bytes]:
        return [framed(response(query, *many)) if query.tcp else response(query, truncated=True)]

    up = dns_server(reply)
    assert sorted(lines(ask(up.address)())) == sorted([CNAME, *many])
    assert [query.tcp for query in up.queries] == [False, True]


@pytest.mark.parametrize("forgery", ["id", "question", "rubbish"])
def test_forged_answers_are_ignored(dns_server: Any, ask: Any, forgery: str) -> None:
    """CVE-2023-28452: what does not fit the query is ignored; the true reply follows."""

    def reply(query: Query) -> list[bytes]:
        first = response(query, f"{TARGET} 30 IN A 192.0.2.66")
        if forgery == "id":
            first = bytes([first[0] ^ 1]) + first[1:]
        elif forgery == "question":
            first = first[:13] + b"w-w" + first[16:]
        else:
            first = b"rubbish"
        return [first, response(query, A)]

    assert lines(ask(dns_server(reply).address)()) == [CNAME, A]


def test_ids_and_ports_are_random(dns_server: Any, ask: Any) -> None:
    up = dns_server(lambda query: [response(query, A)])
    for _ in range(12):
        ask(up.address)()
    assert len({query.message.id for query in up.queries}) >= 11
    assert len({query.source[1] for query in up.queries}) >= 11


def test_same_lookups_in_flight_are_shared(dns_server: Any, ask: Any) -> None:
    go_on = threading.Event()

    def reply(query: Query) -> list[bytes]:
        go_on.wait(10.0)
        return [response(query, A)]

    up = dns_server(reply)
    replies = [ask(up.address) for _ in range(50)]
    wait_until(lambda: up.queries, "the query has come")
    go_on.set()
    assert [lines(reply()) for reply in replies] == [[CNAME, A]] * 50
    assert len(up.queries) == 1


def test_a_timeout_leaves_the_bare_cname(
    dns_server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.3)
    up = dns_server(lambda _: [])
    began = time.monotonic()
    assert lines(ask(up.address)()) == [CNAME]
    assert time.monotonic() - began < 5.0
    failed = {labels: value for _, labels, value in ask.made[0].samples()}['result="failed"']
    assert failed == 1


def test_a_refused_port_leaves_the_bare_cname(dns_server: Any, ask: Any) -> None:
    up = dns_server(lambda _: [])
    up.close()
    assert lines(ask(up.address)()) == [CNAME]


def test_too_many_at_once_fail_at_once(
    dns_server: Any, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_FLIGHT", 1)
    go_on = threading.Event()

    def reply(query: Query) -> list[bytes]:
        go_on.wait(10.0)
        return [response(query, A)] if query.message.question[0].rdtype == 1 else []

    up = dns_server(reply)
    first = ask(up.address)
    wait_until(lambda: up.queries, "the query has come")
    assert lines(ask(up.address, "AAAA")()) == [CNAME]
    go_on.set()
    assert lines(first()) == [CNAME, A]


def test_without_upstream_the_cname_comes_at_once(ask: Any) -> None:
    assert lines(ask("")()) == [CNAME]
