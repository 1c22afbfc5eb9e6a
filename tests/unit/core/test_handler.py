"""What a handler does when it cannot answer, what it counts, what events of Services do (oe)."""

from __future__ import annotations

import msgspec
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Change,
    Kind,
    Namespace,
    Service,
    ServiceCIDR,
    key_of,
    pack,
)
from grpcdns.core.handler import Deferred, Handler
from tests.conformance.loading import fail, reply_to
from tests.conformance.reply import query, read_reply
from tests.unit.core.making import SVC, T, change, get, made, rdata, with_


def test_not_synced_gives_nothing() -> None:
    """A question about the cluster gets no reply until every needed kind is listed; others do."""
    handler = Handler(Policy(pods="verified"), report=fail)
    for kind in (Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD):
        assert handler.handle(query(f"s.{T}", "A")) is None
        assert get(handler, "example.com.").rcode == "REFUSED"
        list(handler.replace(kind, [], 1))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert handler.stats.unavailable == 4


def test_fault_is_reported_and_answered() -> None:
    """A body that cannot be unpacked: SERVFAIL for its question, and for no other."""
    faults: list[BaseException] = []
    for report in (faults.append, None):
        handler = made([SVC])
        handler._report = report
        handler.index.store.bodies[Kind.SERVICE]["ns/s"] = b"\xc1"
        assert get(handler, f"s.{T}").rcode == "SERVFAIL"
        assert get(handler, f"t.{T}").rcode == "NXDOMAIN"
        assert handler.stats.errors == 1
    assert [type(fault) for fault in faults] == [msgspec.DecodeError]


def test_counters() -> None:
    handler = made([SVC])
    for _ in range(3):
        get(handler, f"s.{T}")
        get(handler, f"s.{T}", "TYPE65400")
    stats = handler.counted()
    assert (stats.hits, stats.misses) == (4, 2)
    assert stats.answers[1, 0] == 3
    assert sum(stats.answers.values()) == 6
    assert handler.counted().hits == 4


def test_a_deferred_answer_is_not_kept() -> None:
    handler = made([Service("ns", "s", "ExternalName", ("",), "www.example.net")])
    reply: bytes | Deferred | None = None
    for number in range(2):
        reply = handler.handle(query(f"s.{T}", "A"))
        assert isinstance(reply, Deferred)
        assert [(one.target, one.qtype) for one in reply.lookups] == [
            (("www", "example", "net"), 1)
        ]
        assert rdata(read_reply(reply.complete([None]))) == ["www.example.net."]
        assert handler.stats.deferred == number + 1
    assert isinstance(reply, Deferred)
    with pytest.raises(ValueError, match="zip"):
        reply.complete([])


@pytest.mark.parametrize(
    ("events", "address"),
    [
        pytest.param([change(SVC)], "10.0.0.1", id="oe-01"),
        pytest.param([change(SVC), change(with_(SVC, cluster_ips=("10.0.0.2",)))], "10.0.0.2",
                     id="oe-02"),
        pytest.param([change(SVC), change(SVC, gone=True)], None, id="oe-03"),
        pytest.param([change(SVC), None], None, id="oe-04"),
    ],
)  # fmt: skip
def test_service_events(events: list[Change | None], address: str | None) -> None:
    handler = Handler(Policy(), report=fail)
    for kind in Kind:
        assert list(handler.replace(kind, [], 1)) == []
    handler.apply(change(Namespace("", "ns")))
    for event in events:
        if event is None:
            assert list(handler.replace(Kind.SERVICE, [], 2)) == [1]
        else:
            handler.apply(event)
    reply = reply_to(handler, query("s.ns.svc.cluster.local.", "A"))
    assert [record.split(" ")[-1] for record in reply.answer] == ([address] if address else [])


def test_objects_before_an_unreadable_one_are_applied() -> None:
    """The next object cannot be unpacked; the memo drops the answer about the first nonetheless."""
    handler = Handler(Policy(), fail)
    objects: list[tuple[str, bytes]] = [("/ns", pack(Namespace("", "ns")))]
    for kind in (Kind.ENDPOINT_SLICE, Kind.SERVICE, Kind.NAMESPACE):
        list(handler.replace(kind, [objects] if kind is Kind.NAMESPACE else [], 1))
    assert reply_to(handler, query("s.ns.svc.cluster.local.", "A")).answer == ()
    with pytest.raises(msgspec.DecodeError):
        list(handler.replace(Kind.SERVICE, [[(key_of(SVC), pack(SVC)), ("ns/x", b"?")]], 2))
    assert reply_to(handler, query("s.ns.svc.cluster.local.", "A")).answer


def test_zones_auto_follows_the_service_networks() -> None:
    """From the next query on, the memo included; all addresses while none is known."""
    handler = made([SVC], zones=("cluster.local.", "auto"))
    inside, outside = "1.0.0.10.in-addr.arpa.", "1.0.0.11.in-addr.arpa."

    def rcodes() -> list[str]:
        return [get(handler, name, "PTR").rcode for name in (inside, outside)]

    def networks(*cidrs: str) -> Change:
        return change(ServiceCIDR("", "kubernetes", cidrs))

    assert rcodes() == ["NOERROR", "NXDOMAIN"]
    handler.apply(networks("10.0.0.0/16"))
    assert rcodes() == ["NOERROR", "REFUSED"]
    handler.apply(networks("10.0.0.0/16", "11.0.0.0/8"))
    assert rcodes() == ["NOERROR", "NXDOMAIN"]
    handler.apply(networks("12.0.0.0/8"))
    assert rcodes() == ["REFUSED", "REFUSED"]
    assert get(handler, f"s.{T}").rcode == "NOERROR"
    list(handler.replace(Kind.SERVICE_CIDR, [], 3))
    assert rcodes() == ["NOERROR", "NXDOMAIN"]


def test_other_zones_do_not_follow_them() -> None:
    handler = made([SVC], zones=("cluster.local.", "0.10.in-addr.arpa."))
    assert get(handler, "1.0.0.10.in-addr.arpa.", "PTR").rcode == "NOERROR"
    handler.apply(change(ServiceCIDR("", "kubernetes", ("12.0.0.0/8",))))
    assert get(handler, "1.0.0.10.in-addr.arpa.", "PTR").rcode == "NOERROR"
    assert get(handler, "1.0.0.12.in-addr.arpa.", "PTR").rcode == "REFUSED"
