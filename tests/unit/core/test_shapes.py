"""Shapes nobody likes: crowds behind one name, Services that change what they are, objects that say
less than they should; and what a handler does when it cannot answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from unittest.mock import patch

import msgspec
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster import index
from grpcdns.core.cluster.multimap import MultiMap
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Port,
    Service,
    key_of,
    pack,
    unpack,
)
from grpcdns.core.cluster.store import Store
from grpcdns.core.dns.names import (
    BadName,
    address_from_text,
    name_from_text,
    name_to_text,
    name_to_wire,
    reverse_from_address,
)
from grpcdns.core.handler import Deferred, Handler
from tests.conformance.loading import fail, reply_to
from tests.conformance.reply import Reply, query, read_reply
from tests.unit.core.test_units import change, with_

T: Final = "ns.svc.cluster.local."
CROWD: Final = [f"10.200.{number // 250}.{number % 250}" for number in range(6000)]
HTTP: Final = (Port("http", "TCP", 80),)
SVC: Final = Service("ns", "s", cluster_ips=("10.0.0.1",), ports=HTTP)
HEADLESS: Final[Service] = with_(SVC, cluster_ips=("None",))


def made(objects: Iterable[Object], **policy: Any) -> Handler:
    handler = Handler(Policy(**policy), report=fail)
    for kind in Kind:
        list(handler.replace(kind, [], 1))
    handler.apply(change(Namespace("", "ns")))
    for obj in objects:
        handler.apply(change(obj))
    return handler


def sliced(name: str, *ips: str, service: str = "s", **fields: Any) -> EndpointSlice:
    points = tuple(Endpoint((ip,)) for ip in ips)
    return EndpointSlice("ns", name, service, endpoints=points, ports=HTTP, **fields)


def get(handler: Handler, name: str, qtype: str = "A") -> Reply:
    return reply_to(handler, query(name, qtype))


def rdata(reply: Reply) -> list[str]:
    return [record.split(" ")[-1] for record in reply.answer]


# -- crowds (F9)


@pytest.fixture(scope="module")
def crowd() -> Handler:
    slices = [sliced(f"{at}", *CROWD[at : at + 100]) for at in range(0, len(CROWD), 100)]
    return made([HEADLESS, *slices])


@pytest.mark.parametrize("edns", [False, True])
def test_crowd_comes_in_turns(crowd: Handler, edns: bool) -> None:
    oversized = crowd.stats.oversized
    seen: set[str] = set()
    firsts: set[str] = set()
    for _ in range(8):
        raw = crowd.handle(query(f"s.{T}", "A", edns=edns))
        assert isinstance(raw, bytes)
        assert 65_000 < len(raw) <= 65_535
        reply = read_reply(raw)
        assert reply.rcode == "NOERROR"
        assert reply.flags == {"qr", "aa", "rd"}
        assert reply.edns == edns
        seen |= set(rdata(reply))
        firsts.add(reply.answer[0])
    assert seen == set(CROWD)
    assert len(firsts) == 8
    assert crowd.stats.oversized - oversized == (0 if edns else 1), "counted when it is made"


def test_crowd_of_srv_records(crowd: Handler) -> None:
    """Records and their targets' addresses are left out together, in turn."""
    seen: set[str] = set()
    for _ in range(8):
        raw = crowd.handle(query(f"_http._tcp.s.{T}", "SRV"))
        assert isinstance(raw, bytes)
        reply = read_reply(raw)
        assert (reply.rcode, "tc" in reply.flags) == ("NOERROR", False)
        assert len(reply.answer) > 700
        seen |= set(rdata(reply))
    assert len(seen) > 5000
    assert {record.split(" ")[5] for record in reply.answer} == {"1"}, "weight is at least 1"


def test_crowd_s_members_and_neighbours(crowd: Handler) -> None:
    assert rdata(get(crowd, f"10-200-7-7.s.{T}")) == ["10.200.7.7"]
    assert get(crowd, f"10-201-7-7.s.{T}").rcode == "NXDOMAIN"
    assert rdata(get(crowd, "7.7.200.10.in-addr.arpa.", "PTR")) == [f"10-200-7-7.s.{T}"]
    assert get(crowd, f"_none._tcp.s.{T}", "SRV").rcode == "NXDOMAIN"
    crowd.apply(change(sliced("0"), gone=True))
    crowd.apply(change(sliced("new", "10.201.0.1")))
    seen = {ip for _ in range(8) for ip in rdata(get(crowd, f"s.{T}"))}
    assert seen == {*CROWD[100:], "10.201.0.1"}


def test_crowd_beyond_measure() -> None:
    """What one answer is made from has a bound; each member keeps its own name."""
    ips = [*CROWD, *(ip.replace("10.200", "10.201") for ip in CROWD[:3000])]
    slices = (sliced(f"{at:04}", *ips[at : at + 300]) for at in range(0, 9000, 300))
    handler = made([HEADLESS, *slices])
    seen = {ip for _ in range(8) for ip in rdata(get(handler, f"s.{T}"))}
    assert 8192 <= len(seen) < 9000
    assert rdata(get(handler, f"{ips[-1].replace('.', '-')}.s.{T}")) == [ips[-1]]


def test_answer_too_large_for_the_memo() -> None:
    handler = Handler(Policy(), report=fail, memo_bytes=1000)
    for kind in Kind:
        list(handler.replace(kind, [], 1))
    for obj in (Namespace("", "ns"), HEADLESS, sliced("a", *CROWD[:100])):
        handler.apply(change(obj))
    assert rdata(get(handler, f"s.{T}")) == rdata(get(handler, f"s.{T}"))
    assert handler.memo_sizes() == (0, 0)
    assert handler.stats.misses == 2


# -- objects that change what they are (F17, F20, F22)

NAMED: Final = Service("ns", "s", "ExternalName", ("",), "svc1.ns.svc.cluster.local")


@pytest.mark.parametrize("before", [SVC, HEADLESS, NAMED, None])
@pytest.mark.parametrize("after", [SVC, HEADLESS, NAMED, None])
def test_type_flips(before: Service | None, after: Service | None) -> None:
    target: Service = with_(SVC, name="svc1", cluster_ips=("10.0.0.9",))
    others: list[Object] = [target, sliced("a", "10.200.0.1")]
    handler = made([*others, *([before] if before else [])])
    names = [f"s.{T}", f"10-200-0-1.s.{T}", f"_http._tcp.s.{T}", "1.0.0.10.in-addr.arpa."]
    asked = [(name, qtype) for name in names for qtype in ("A", "SRV", "PTR", "CNAME", "TXT")]
    for one in asked:
        get(handler, *one)
    if after is not None:
        handler.apply(change(after, 2))
    elif before is not None:
        handler.apply(change(before, 2, gone=True))
    fresh = made([*others, *([after] if after else [])])
    for one in asked:
        assert get(handler, *one).folded() == get(fresh, *one).folded()


def test_one_address_in_two_slices() -> None:
    handler = made([HEADLESS, sliced("a", "10.200.0.1"), sliced("b", "10.200.0.1")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    handler.apply(change(sliced("a", "10.200.0.1"), gone=True))
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"10-200-0-1.s.{T}"]
    handler.apply(change(sliced("b", "10.200.0.1"), gone=True))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert get(handler, "1.0.200.10.in-addr.arpa.", "PTR").rcode == "NXDOMAIN"


def test_slice_moves_to_another_service() -> None:
    other: Service = with_(HEADLESS, name="t")
    handler = made([HEADLESS, other, sliced("a", "10.200.0.1")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    assert get(handler, f"t.{T}").rcode == "NXDOMAIN"
    handler.apply(change(sliced("a", "10.200.0.1", service="t")))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert rdata(get(handler, f"t.{T}")) == ["10.200.0.1"]


def test_hostname_changes_and_address_stays() -> None:
    """The PTR goes with it."""
    handler = made([HEADLESS, sliced("a", "10.200.0.1")])
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"10-200-0-1.s.{T}"]
    handler.apply(change(with_(sliced("a"), endpoints=(Endpoint(("10.200.0.1",), True, "web"),))))
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"web.s.{T}"]


# -- objects that say less than they should, or what cannot be


@pytest.mark.parametrize(
    "service",
    [
        Service("ns", "s", cluster_ips=()),
        Service("ns", "s", cluster_ips=("",)),
        Service("ns", "s", cluster_ips=("nonsense",)),
    ],
)
def test_service_without_addresses(service: Service) -> None:
    handler = made([service])
    assert (get(handler, f"s.{T}").rcode, get(handler, f"s.{T}").answer) == ("NOERROR", ())


@pytest.mark.parametrize("target", ["", ".", "a..b", "x" * 64, "€" * 9, ("x" * 60 + ".") * 5])
def test_external_name_that_is_none(target: str) -> None:
    handler = made([Service("ns", "s", "ExternalName", ("",), target)])
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert get(handler, f"s.{T}", "CNAME").rcode == "NXDOMAIN"


@pytest.mark.parametrize("target", ["a..b", "", "x" * 64])
def test_load_balancer_that_is_none(target: str) -> None:
    service: Service = with_(SVC, external_ips=(target, "192.0.2.1"))
    handler = made([service], external_zones=("outside.example.",))
    assert rdata(get(handler, "s.ns.outside.example.")) == ["192.0.2.1"]


def test_endpoint_that_is_no_address() -> None:
    handler = made([HEADLESS, sliced("a", "nonsense", "10.200.0.1", "::ffff:10.200.0.2")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1", "10.200.0.2"]
    for many in (0, 16):
        with patch.object(index, "_MANY", many):
            handler._memo.clear()
            assert rdata(get(handler, f"--ffff-10-200-0-2.s.{T}")) == ["10.200.0.2"]
    # The label is made of the text, as the plugin makes it; the address is what it stands for.
    assert rdata(get(handler, "2.0.200.10.in-addr.arpa.", "PTR")) == [f"--ffff-10-200-0-2.s.{T}"]


@pytest.mark.parametrize(
    ("service", "answer", "additional"),
    [
        (None, [], []),
        (NAMED, [], []),
        (SVC, [f"s.{T}"], [f"s.{T} 5 IN A 10.0.0.1"]),
        (HEADLESS, [f"10-200-0-1.s.{T}"], [f"10-200-0-1.s.{T} 5 IN A 10.200.0.1"]),
    ],
)
def test_name_servers(service: Service | None, answer: list[str], additional: list[str]) -> None:
    objects: list[Object] = [sliced("a", "10.200.0.1"), *([service] if service else [])]
    handler = made(objects, dns_service="ns/s", external_zones=("outside.example.",))
    reply = get(handler, "cluster.local.", "NS")
    assert rdata(reply) == answer
    assert list(reply.additional) == additional
    assert len(get(handler, "ns.dns.cluster.local.").answer) == len(answer)
    # Nobody outside can reach it: the apex has a name server without an address.
    assert rdata(get(handler, "outside.example.", "NS")) == ["ns1.dns.outside.example."]
    assert get(handler, "outside.example.", "NS").additional == ()


# -- the handler


def test_not_synced_gives_nothing() -> None:
    """A question about the cluster gets no reply until all is listed; rubbish gets one."""
    handler = Handler(Policy(pods="verified"), report=fail)
    for kind in (Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD):
        assert handler.handle(query(f"s.{T}", "A")) is None
        assert get(handler, "example.com.").rcode == "REFUSED"
        list(handler.replace(kind, [], 1))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert handler.stats.unavailable == 4


def test_fault_is_reported_and_answered() -> None:
    """A packed object that is none: SERVFAIL for its question, and for no other."""
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


def test_deferred_is_not_remembered() -> None:
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


# -- small parts


def test_names() -> None:
    assert name_from_text(".") == name_from_text("") == ()
    assert name_to_text(()) == "."
    for bad in ("a..b", "x" * 64, "é" * 40 + "€", ".".join(["x" * 60] * 5)):
        with pytest.raises(BadName):
            name_from_text(bad)
    with pytest.raises(BadName, match="octets"):
        name_to_wire(("€",))
    for text in ("10.0.0.1", "fd00::", "2001:db8::1"):
        packed = address_from_text(text) or b""
        assert len(reverse_from_address(packed)) in (6, 34)
    assert address_from_text("10.0.0.1\0") is None
    assert address_from_text("010.0.0.1") is None


def test_key_map() -> None:
    """One key, a few, many, and back."""
    keys: MultiMap[str, str] = MultiMap()
    wanted: list[str] = []
    for number in [*range(0, 40, 2), *range(1, 40, 2)]:
        for _ in "twice":
            keys.add("x", f"{number:02}")
        wanted.append(f"{number:02}")
        assert list(keys.find("x")) == sorted(wanted)
        assert keys.has("x", f"{number:02}")
        assert not keys.has("x", f"{number:02}x")
    for number in range(40):
        for _ in "twice":
            keys.discard("x", f"{number:02}")
        wanted.remove(f"{number:02}")
        assert list(keys.find("x")) == sorted(wanted)
        assert not keys.has("x", f"{number:02}")
    assert not keys


def test_store() -> None:
    """Each list and event is turned into what it changes, and held."""
    store = Store()
    other: Service = with_(SVC, name="t")
    svc, others = (key_of(SVC), pack(SVC)), (key_of(other), pack(other))
    assert list(store.steps(Kind.SERVICE, [[svc]])) == [[svc]]
    assert store.listed == {Kind.SERVICE}
    assert store.replace(Kind.SERVICE, [svc]) == 1
    assert store.bodies[Kind.SERVICE] == dict([svc])
    assert store.replace(Kind.SERVICE, [svc]) == 0
    assert store.replace(Kind.SERVICE, [(key_of(SVC), None)]) == 0, "as it is held"
    found = [list(store.take(Kind.SERVICE, step)) for step in store.steps(Kind.SERVICE, [[others]])]
    assert found == [[(others[0], None, others[1])], [(svc[0], svc[1], None)]]
    assert store.update(Kind.SERVICE, [others]) == 0
    assert store.update(Kind.SERVICE, [svc, others, ("ns/none", None)]) == 1
    assert store.update(Kind.SERVICE, [("ns/none", None)]) == 0
    assert list(store.take(Kind.SERVICE, [(svc[0], None)])) == [(*svc, None)]
    assert store.bodies[Kind.SERVICE] == dict([others])
    assert len(store) == 1


def test_store_does_not_hold_what_its_caller_cannot_read() -> None:
    store = Store()
    for key, _, _ in store.take(Kind.SERVICE, [("ns/a", b"1"), ("ns/b", b"2"), ("ns/c", b"3")]):
        if key == "ns/b":
            break
    assert store.bodies[Kind.SERVICE] == {"ns/a": b"1"}


def test_what_a_list_lacks_goes_in_steps() -> None:
    store = Store()
    store.replace(Kind.SERVICE, [(f"ns/{number:02}", b"") for number in range(40)])
    store.listed.clear()
    steps = store.steps(Kind.SERVICE, [[("ns/00", None)], [("ns/40", b"x")]])
    sizes = []
    for entries in steps:
        assert not store.listed
        store.update(Kind.SERVICE, entries)
        sizes.append(len(entries))
    assert sizes == [0, 1, 16, 16, 7]
    assert store.listed == {Kind.SERVICE}
    assert store.bodies[Kind.SERVICE] == {"ns/00": b"", "ns/40": b"x"}


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x92\xa1\xff\xa1x", b"\x91\x01"])
def test_what_is_no_object(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        unpack(Kind.NAMESPACE, body)
