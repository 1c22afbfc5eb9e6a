"""The objects of a namespace affect that namespace's names only, and cost others nothing.

The owner of ``evil`` may write any Service, EndpointSlice, Pod and ServiceImport there, including
odd ones that only a manifest or a broken API server lets through.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Change,
    Endpoint,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    key_of,
    pack,
)
from grpcdns.core.handler import Handler
from tests.conformance.loading import reply_to, synced
from tests.conformance.reply import Reply, query

HTTP = (Port("http", "TCP", 80),)
POLICY = Policy(external_zones=("outside.example.",), pods="verified", zonal=True)
HONEST: Sequence[Object] = (
    Service("good", "web", cluster_ips=("10.96.0.1",), ports=HTTP, external_ips=("192.0.2.1",)),
    Service("good", "db", cluster_ips=("None",), ports=HTTP),
    EndpointSlice("good", "db-a", "db", "IPv4", (Endpoint(("10.1.0.1",), hostname="db-0"),), HTTP),
    Pod("good", "db-0", "10.1.0.1"),
)
QUESTIONS = (
    ("web.good.svc.cluster.local", "A"), ("web.good.svc.cluster.local", "AAAA"),
    ("_http._tcp.web.good.svc.cluster.local", "SRV"), ("db.good.svc.cluster.local", "A"),
    ("db-0.db.good.svc.cluster.local", "A"), ("db.good.svc.cluster.local", "SRV"),
    ("nothing.good.svc.cluster.local", "A"), ("1.0.96.10.in-addr.arpa", "PTR"),
    ("web.good.outside.example", "A"), ("10-1-0-1.good.pod.cluster.local", "A"),
    ("good.svc.cluster.local", "A"), ("cluster.local", "NS"),
)  # fmt: skip


def make(*extra: Object, policy: Policy = POLICY) -> Handler:
    """A handler with the honest objects and some more."""
    return synced([Namespace("", "good"), Namespace("", "evil"), *HONEST, *extra], policy)


def ask(handler: Handler, name: str | bytes, qtype: str = "A") -> Reply:
    return reply_to(handler, query(name, qtype))


def honest_answers(handler: Handler) -> list[tuple[object, ...]]:
    return [ask(handler, *question).folded() for question in QUESTIONS]


def evil_slice(name: str, *points: Endpoint, service: str = "s") -> EndpointSlice:
    return EndpointSlice("evil", name, service, "IPv4", points, HTTP)


def headless(name: str = "s") -> Service:
    return Service("evil", name, cluster_ips=("None",), ports=HTTP)


def external(name: str, target: str) -> Service:
    return Service("evil", name, "ExternalName", ("",), target)


ODD = ("web.good", "web.good.svc.cluster.local", "*", "..", ".", "\0", "a\0b", "\u65e5\u672c",
       "\xff", "l" * 64, "x" * 5000, "/", "good/web", "_http._tcp", "-", "WEB", "svc", "\\.", '"',
       "\n", "10-1-0-1", "ns", "dns")  # fmt: skip
"""Words that equal a name of others, overflow a label, or mean something to a parser."""


@pytest.mark.parametrize("word", ODD, ids=repr)
@pytest.mark.parametrize("place", ["service", "hostname", "pod", "slice", "port", "zone", "owner"])
def test_odd_words_change_no_other_answer(word: str, place: str) -> None:
    point = Endpoint(
        ("10.66.0.1",),
        hostname=word if place == "hostname" else "",
        pod=word if place == "pod" else "",
        zone=word if place == "zone" else "",
    )
    ports = (Port(word, word, 80),) if place == "port" else HTTP
    name = word if place == "service" else "s"
    objects: Iterable[Object] = (
        Service("evil", name, cluster_ips=("None",), ports=ports),
        EndpointSlice(
            "evil",
            word if place == "slice" else "slice",
            word if place == "owner" else name,
            "IPv4",
            (point,),
            ports,
        ),
    )
    before = honest_answers(make())
    handler = make(*objects, policy=POLICY)
    assert honest_answers(handler) == before
    for qtype in ("A", "SRV", "TXT"):
        ask(handler, "s.evil.svc.cluster.local", qtype)
        ask(handler, "web.good.s.evil.svc.cluster.local", qtype)
    ask(handler, "1.0.66.10.in-addr.arpa", "PTR")
    assert honest_answers(handler) == before


def test_a_dot_in_a_label_is_no_separator() -> None:
    """A Service called ``web.good`` in ``evil`` is not ``web`` in ``good.evil``."""
    handler = make(Service("evil", "web.good", cluster_ips=("10.66.0.1",)))
    assert ask(handler, "web.good.evil.svc.cluster.local").rcode == "NXDOMAIN"
    dotted = b"\x08web.good\4evil\3svc\7cluster\5local\0"
    assert ask(handler, dotted).answer == ("web\\.good.evil.svc.cluster.local. 5 IN A 10.66.0.1",)


def test_a_hostname_is_below_its_own_service() -> None:
    handler = make(headless(), evil_slice("a", Endpoint(("10.66.0.1",), hostname="db-0")))
    assert ask(handler, "db-0.db.good.svc.cluster.local").answer == (
        "db-0.db.good.svc.cluster.local. 5 IN A 10.1.0.1",
    )
    assert ask(handler, "db-0.s.evil.svc.cluster.local").answer == (
        "db-0.s.evil.svc.cluster.local. 5 IN A 10.66.0.1",
    )


@pytest.mark.parametrize(
    ("target", "answers"),
    [
        ("loop.evil.svc.cluster.local", 0),
        ("x.loop.evil.svc.cluster.local", 0),
        ("other.evil.svc.cluster.local", 0),
        ("nothing.good.svc.cluster.local", 0),
        ("web.good.svc.cluster.local", 2),
        ("WEB.GOOD.svc.cluster.local.", 2),
        ("1.0.96.10.in-addr.arpa", 1),
        ("ns.dns.cluster.local", 0),
        ("10.96.0.1", 0),
        ("..", 0),
        ("x" * 300, 0),
        ("*.good.svc.cluster.local", 0),
        ("www.example.net", 1),
    ],
    ids=lambda value: str(value)[:40],
)
def test_external_names_only_point(target: str, answers: int) -> None:
    """Loops end, targets in the cluster give what anyone may ask for (as with the plugin), and an
    invalid name gives no answer."""
    handler = make(external("loop", target), external("other", "loop.evil.svc.cluster.local"))
    before = honest_answers(make())
    assert len(ask(handler, "loop.evil.svc.cluster.local").answer) == answers
    assert honest_answers(handler) == before


def test_a_claimed_cluster_ip_stays_with_its_service() -> None:
    """PTR of a cluster IP is its Service, whatever endpoints claim the address."""
    handler = make(headless(), evil_slice("a", Endpoint(("10.96.0.1",), hostname="mine")))
    assert ask(handler, "1.0.96.10.in-addr.arpa", "PTR").answer == (
        "1.0.96.10.in-addr.arpa. 5 IN PTR web.good.svc.cluster.local.",
    )


def test_a_claimed_endpoint_address_has_both_names() -> None:
    """As with the plugin, an address has a PTR record for each endpoint that claims it: reverse
    names prove nothing (SECURITY.md). The record of the true owner stays."""
    handler = make(headless(), evil_slice("a", Endpoint(("10.1.0.1",), hostname="a")))
    assert ask(handler, "1.0.1.10.in-addr.arpa", "PTR").answer == (
        "1.0.1.10.in-addr.arpa. 5 IN PTR a.s.evil.svc.cluster.local.",
        "1.0.1.10.in-addr.arpa. 5 IN PTR db-0.db.good.svc.cluster.local.",
    )


def test_a_pod_of_another_namespace_is_not_verified() -> None:
    handler = make(Pod("evil", "p", "10.1.0.2"))
    assert ask(handler, "10-1-0-2.good.pod.cluster.local").rcode == "NXDOMAIN"
    assert ask(handler, "10-1-0-2.evil.pod.cluster.local").rcode == "NOERROR"


def test_slices_of_another_namespace_do_not_count() -> None:
    """A slice in ``evil`` labelled with the Service name ``db`` belongs to evil's db."""
    handler = make(evil_slice("db-a", Endpoint(("10.66.0.1",)), service="db"))
    assert ask(handler, "db.good.svc.cluster.local").answer == (
        "db.good.svc.cluster.local. 5 IN A 10.1.0.1",
    )
    handler = make(evil_slice("x", Endpoint(("10.66.0.1",)), service="good/db"))
    assert len(ask(handler, "db.good.svc.cluster.local").answer) == 1


@pytest.mark.timed
@pytest.mark.slow
def test_100_000_tiny_slices_of_one_service() -> None:
    """They are loaded in small steps; the cost of queries about them is bounded, and queries about
    others cost what they did."""
    many = [evil_slice(f"s-{n:06}", Endpoint((f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}",)))
            for n in range(100_000)]  # fmt: skip
    began = time.thread_time()
    handler = make(headless(), *many)
    assert time.thread_time() - began < 30, "10 times what it takes"
    before = honest_answers(handler)
    for name, bound in (("s", 0.5), ("random-1.s", 0.02), ("random-2.s", 0.02), ("_x._tcp.s", 0.2)):
        began = time.thread_time()
        ask(handler, f"{name}.evil.svc.cluster.local", "A")
        assert time.thread_time() - began < bound, name
    began = time.thread_time()
    assert honest_answers(handler) == before
    assert time.thread_time() - began < 0.02
    # A new slice costs what it would cost alone.
    late = evil_slice("late", Endpoint(("10.66.0.1",), hostname="late"))
    began = time.thread_time()
    handler.apply(Change(Kind.ENDPOINT_SLICE, key_of(late), pack(late), 2))
    assert time.thread_time() - began < 0.02
    assert len(ask(handler, "late.s.evil.svc.cluster.local").answer) == 1


def test_6_000_endpoints_are_as_many_as_fit_in_turn() -> None:
    """NOERROR, under 64 KiB, and every address in some answer."""
    points = [Endpoint((f"10.7.{n >> 8}.{n & 255}",), hostname=f"h-{n}") for n in range(6000)]
    slices = [evil_slice(f"s-{n}", *points[n : n + 100]) for n in range(0, 6000, 100)]
    handler = make(headless(), *slices)
    seen: set[str] = set()
    for _ in range(8):
        reply = ask(handler, "s.evil.svc.cluster.local")
        assert reply.rcode == "NOERROR"
        assert len(reply.answer) > 4000
        seen.update(reply.answer)
    assert len(seen) == 6000
    assert len(ask(handler, "h-5999.s.evil.svc.cluster.local").answer) == 1
    assert handler.stats.oversized == 1


def test_every_endpoint_of_a_big_service_has_its_name() -> None:
    """Found by its label among many slices: hostname, Pod name, IPv4, IPv6, mapped address."""
    filler = [
        evil_slice(f"f-{n}", Endpoint((f"10.8.0.{n}",), hostname=f"f-{n}")) for n in range(40)
    ]
    six = EndpointSlice(
        "evil", "six", "s", "IPv6",
        (Endpoint(("fd00::",)), Endpoint(("::ffff:10.9.0.1",)), Endpoint(("2001:DB8::1",))), HTTP,
    )  # fmt: skip
    last = evil_slice(
        "z", Endpoint(("10.8.1.1",), hostname="Host"), Endpoint(("10.8.1.2",), pod="pod")
    )
    for pod_names, pod_label in ((False, "10-8-1-2"), (True, "pod")):
        policy = Policy(endpoint_pod_names=pod_names)
        handler = make(headless(), *filler, six, last, policy=policy)
        for label, qtype in (("host", "A"), (pod_label, "A"), ("fd00--0", "AAAA"), ("f-39", "A"),
                             ("--ffff-10-9-0-1", "A"), ("2001-db8--1", "AAAA")):  # fmt: skip
            reply = ask(handler, f"{label}.s.evil.svc.cluster.local", qtype)
            assert len(reply.answer) == 1, label
        assert ask(handler, "_tcp.s.evil.svc.cluster.local").rcode == "NOERROR"
        assert ask(handler, "_udp.s.evil.svc.cluster.local").rcode == "NXDOMAIN"
        assert len(ask(handler, "_http._tcp.s.evil.svc.cluster.local", "SRV").answer) > 40
