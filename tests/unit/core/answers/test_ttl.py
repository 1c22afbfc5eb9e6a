"""The TTL of each answer in adaptive mode: a row of the table each, as the clock moves."""

from __future__ import annotations

from typing import Final, NamedTuple

import msgspec
import pytest

from grpcdns.core import handler as handler_module
from grpcdns.core.answers.policy import Policy
from grpcdns.core.answers.ttl import TtlClass
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
    ServiceImport,
    key_of,
    pack,
)
from grpcdns.core.cluster.recent import WINDOW, Recent
from grpcdns.core.dns.wire import AAAA, A, Record
from grpcdns.core.handler import Handler
from tests.conformance.loading import KINDS, Outside, fail, reply_to
from tests.conformance.reply import Reply, query

ADAPTIVE: Final = Policy(
    zones=("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa."),
    multicluster=("clusterset.local.",),
    ttl_mode="adaptive",
    external_zones=("example.",),
    external_ttl=7,
    pods="verified",
    dns_service="ns/cip",
)
T: Final = "ns.svc.cluster.local."
HTTP: Final = (Port("http", "TCP", 80),)


def ready(*ips: str, hostname: str = "") -> tuple[Endpoint, ...]:
    return tuple(Endpoint((ip,), hostname=hostname) for ip in ips)


OBJECTS: Final[tuple[Object, ...]] = (
    Namespace("", "ns"),
    Service("ns", "cip", cluster_ips=("10.96.0.1",), ports=HTTP, external_ips=("192.0.2.1",)),
    EndpointSlice("ns", "cip-a", "cip", endpoints=ready("10.1.0.1"), ports=HTTP),
    Service("ns", "hdls", cluster_ips=("None",), ports=HTTP),
    EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.2", hostname="db-0"), ports=HTTP),
    Service("ns", "empty", cluster_ips=("None",), ports=HTTP),
    EndpointSlice("ns", "empty-a", "empty", endpoints=(Endpoint(("10.1.0.3",), ready=False),)),
    Service("ns", "idle", cluster_ips=("10.96.0.2",), ports=HTTP),
    Service("ns", "ext", type="ExternalName", external_name="www.example.org"),
    Service("ns", "alias", type="ExternalName", external_name=f"cip.{T}"),
    Pod("ns", "p", "10.1.0.9"),
    ServiceImport("ns", "imp", ips=("10.97.0.1",), ports=HTTP),
    ServiceImport("ns", "imph", "Headless", ports=HTTP),
)


class World:
    """A handler that has been synced, its clock, and what it is asked."""

    def __init__(self, policy: Policy = ADAPTIVE) -> None:
        self.now = 1000.0
        self.handler = Handler(policy, fail, clock=lambda: self.now)
        by_kind: dict[Kind, list[tuple[str, bytes]]] = {kind: [] for kind in Kind}
        for obj in OBJECTS:
            by_kind[KINDS[type(obj)]].append((key_of(obj), pack(obj)))
        for kind, entries in by_kind.items():
            for _ in self.handler.replace(kind, [entries], 1):
                pass

    def change(self, obj: Object, *, gone: bool = False) -> None:
        body = None if gone else pack(obj)
        self.handler.apply(Change(KINDS[type(obj)], key_of(obj), body, 2))

    def after(self, seconds: float) -> World:
        """A while later, its housekeeping done."""
        self.now += seconds
        self.handler.expire()
        return self

    def ask(self, name: str, qtype: str = "A", outside: Outside | None = None) -> Reply:
        return reply_to(self.handler, query(name, qtype), outside)

    def ttl(self, name: str, qtype: str = "A") -> int:
        """The one TTL of a reply, new and remembered; of an empty one also the SOA's minimum."""
        reply = self.ask(name, qtype)
        assert self.ask(name, qtype) == reply, "remembered"
        records = [record.split(" ") for section in reply.sections for record in section]
        ttls = {int(fields[1]) for fields in records}
        ttls |= {int(fields[-1]) for fields in records if fields[3] == "SOA"}
        assert len(ttls) == 1, reply
        return ttls.pop()


class Row(NamedTuple):
    name: str
    qtype: str
    ttl: int


QUIET: Final = (
    Row(f"cip.{T}", "A", 30),
    Row(f"_http._tcp.cip.{T}", "SRV", 30),
    Row("1.0.96.10.in-addr.arpa.", "PTR", 30),
    Row("imp.ns.svc.clusterset.local.", "A", 30),
    Row(f"hdls.{T}", "A", 5),
    Row(f"hdls.{T}", "SRV", 5),
    Row(f"db-0.hdls.{T}", "A", 5),
    Row("2.0.1.10.in-addr.arpa.", "PTR", 5),
    Row(f"alias.{T}", "A", 5),
    Row(f"ext.{T}", "CNAME", 5),
    # Nothing yet.
    Row(f"empty.{T}", "A", 0),
    Row(f"empty.{T}", "SRV", 0),
    Row(f"db-1.hdls.{T}", "A", 0),
    Row(f"db-1.hdls.{T}", "TXT", 0),
    Row("imph.ns.svc.clusterset.local.", "A", 0),
    # Other answers without records.
    Row(f"cip.{T}", "AAAA", 5),
    Row(f"hdls.{T}", "AAAA", 5),
    Row(f"db-0.hdls.{T}", "AAAA", 5),
    Row(f"none.{T}", "A", 5),
    Row(f"x.cip.{T}", "A", 5),
    Row("a.none.svc.cluster.local.", "A", 5),
    Row("9.9.9.10.in-addr.arpa.", "PTR", 5),
    # The zones' own names, Pods, external zones.
    Row("cluster.local.", "SOA", 5),
    Row("cluster.local.", "NS", 5),
    Row("ns.dns.cluster.local.", "A", 5),
    Row("10-1-0-9.ns.pod.cluster.local.", "A", 5),
    Row("10-1-0-8.ns.pod.cluster.local.", "A", 5),
    Row("cip.ns.example.", "A", 7),
    Row("none.ns.example.", "A", 7),
)  # fmt: skip


@pytest.mark.parametrize("row", QUIET, ids=lambda row: f"{row.name}-{row.qtype}")
def test_quiet_for_a_minute(row: Row) -> None:
    assert World().ttl(row.name, row.qtype) == row.ttl


CHANGES: Final[dict[str, tuple[Object, str, str, int, int]]] = {
    "a Service's port": (
        Service("ns", "cip", cluster_ips=("10.96.0.1",), ports=()), f"cip.{T}", "A", 1, 30,
    ),
    "a cluster IP": (
        Service("ns", "cip", cluster_ips=("10.96.0.7",)), "7.0.96.10.in-addr.arpa.", "PTR", 1, 30,
    ),
    "an endpoint behind cluster IPs": (
        EndpointSlice("ns", "cip-a", "cip", endpoints=ready("10.1.0.5")), f"cip.{T}", "A", 30, 30,
    ),
    "an endpoint": (
        EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.5")), f"hdls.{T}", "A", 1, 5,
    ),
    "an endpoint's reverse name": (
        EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.5")),
        "5.0.1.10.in-addr.arpa.", "PTR", 1, 5,
    ),
    "an endpoint of another Service": (
        EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.5")), f"cip.{T}", "A", 30, 30,
    ),
    "a name that went": (
        Service("ns", "hdls", cluster_ips=("10.96.0.9",)), f"db-0.hdls.{T}", "A", 1, 5,
    ),
    "still nothing": (
        EndpointSlice("ns", "empty-b", "empty", endpoints=(), ports=HTTP), f"empty.{T}", "A", 0, 0,
    ),
    "an external address": (
        Service("ns", "cip", cluster_ips=("10.96.0.1",), external_ips=("192.0.2.2",)),
        "cip.ns.example.", "A", 1, 7,
    ),
    "the DNS Service": (
        Service("ns", "cip", cluster_ips=("10.96.0.7",)), "ns.dns.cluster.local.", "A", 1, 5,
    ),
}  # fmt: skip


@pytest.mark.parametrize(
    ("obj", "name", "qtype", "at_once", "later"), CHANGES.values(), ids=CHANGES.keys()
)
def test_changed(obj: Object, name: str, qtype: str, at_once: int, later: int) -> None:
    world = World()
    world.ttl(name, qtype)
    world.after(500).change(obj)
    assert world.ttl(name, qtype) == at_once
    assert world.after(WINDOW - 1).ttl(name, qtype) == at_once
    assert world.after(1).ttl(name, qtype) == later


def test_changed_again_the_minute_starts_again() -> None:
    world = World()
    for number in range(3):
        points = ready(f"10.1.1.{number}")
        world.change(EndpointSlice("ns", "hdls-a", "hdls", endpoints=points, ports=HTTP))
        assert world.after(40).ttl(f"hdls.{T}") == 1
    assert world.after(20).ttl(f"hdls.{T}") == 5


def test_a_new_name_is_answered_at_once_and_a_namespace_that_went_is_gone() -> None:
    world = World()
    name = f"db-1.hdls.{T}"
    assert world.ttl(name) == 0
    points = ready("10.1.0.4", hostname="db-1")
    world.change(EndpointSlice("ns", "hdls-b", "hdls", endpoints=points, ports=HTTP))
    assert world.ttl(name) == 1
    assert world.ask(name).answer == (f"{name} 1 IN A 10.1.0.4",)
    world.after(100).change(Namespace("", "ns"), gone=True)
    assert world.ask(f"cip.{T}").rcode == "NXDOMAIN"
    assert world.ttl(f"cip.{T}") == 1
    assert world.after(WINDOW).ttl(f"cip.{T}") == 5


def test_ignore_empty_service_makes_endpoints_count() -> None:
    world = World(msgspec.structs.replace(ADAPTIVE, ignore_empty_service=True))
    assert world.ttl(f"idle.{T}") == 0
    assert world.ttl(f"cip.{T}") == 30
    world.change(EndpointSlice("ns", "cip-a", "cip", endpoints=ready("10.1.0.5"), ports=HTTP))
    assert world.ttl(f"cip.{T}") == 1
    world.change(EndpointSlice("ns", "idle-a", "idle", endpoints=ready("10.1.0.6"), ports=HTTP))
    assert world.ttl(f"idle.{T}") == 1
    assert world.after(WINDOW).ttl(f"idle.{T}") == 30


@pytest.mark.parametrize(("target", "cname"), [(3, 3), (60, 5)])
def test_an_external_name_lives_no_longer_than_its_target(target: int, cname: int) -> None:
    found = Record(("www", "example", "org"), A, target, (b"\xc0\x00\x02\x09",))
    outside: Outside = {("www.example.org.", A): [found], ("www.example.org.", AAAA): None}
    answer = World().ask(f"ext.{T}", "A", outside).answer
    assert answer == (
        f"ext.{T} {cname} IN CNAME www.example.org.",
        f"www.example.org. {target} IN A 192.0.2.9",
    )
    assert World().ask(f"ext.{T}", "AAAA", outside).answer == (
        f"ext.{T} 5 IN CNAME www.example.org.",
    )


def test_a_snapshot_caps_all() -> None:
    world = World(msgspec.structs.replace(ADAPTIVE, ttl_cap=4))
    assert [world.ttl(f"{name}.{T}") for name in ("cip", "hdls", "empty")] == [4, 4, 0]


@pytest.mark.parametrize(
    ("ttl", "stable", "expected"), [(60, 600, (600, 60, 1)), (0, 0, (0, 0, 0)), (5, 2, (2, 5, 1))]
)
def test_options(ttl: int, stable: int, expected: tuple[int, int, int]) -> None:
    world = World(msgspec.structs.replace(ADAPTIVE, ttl=ttl, ttl_stable=stable))
    found = [world.ttl(f"cip.{T}"), world.ttl(f"hdls.{T}")]
    world.change(EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.5"), ports=HTTP))
    assert (*found, world.ttl(f"hdls.{T}")) == expected


def test_the_version_keeps_its_own() -> None:
    (record,) = World().ask("dns-version.cluster.local.", "TXT").answer
    assert record.split(" ")[1] == "28800"


def test_fixed_is_as_ever() -> None:
    world = World(msgspec.structs.replace(ADAPTIVE, ttl_mode="fixed"))
    assert {world.ttl(row.name, row.qtype) for row in QUIET} == {5, 7}
    world.change(EndpointSlice("ns", "hdls-a", "hdls", endpoints=ready("10.1.0.5"), ports=HTTP))
    assert world.ttl(f"hdls.{T}") == 5
    assert world.handler.counted().ttls == {}


def test_the_first_list_is_no_change_and_a_later_one_is() -> None:
    world = World()
    assert world.ttl(f"cip.{T}") == 30
    moved = Service("ns", "cip", cluster_ips=("10.96.0.3",))
    services = {key_of(obj): pack(obj) for obj in OBJECTS if isinstance(obj, Service)}
    services[key_of(moved)] = pack(moved)
    for _ in world.handler.replace(Kind.SERVICE, [list(services.items())], 2):
        pass
    assert world.ttl(f"cip.{T}") == 1
    assert world.ttl(f"hdls.{T}") == 5


def test_a_storm_below_a_headless_service() -> None:
    """So many a second have TTL 0, the rest 1 s; the next second there are as many again."""
    world = World()
    names = [f"x{number}.hdls.{T}" for number in range(3 * handler_module.ZERO_TTL_RATE)]
    for _ in range(2):
        ttls = [world.ask(name).authority[0].split(" ")[1] for name in names]
        rate = handler_module.ZERO_TTL_RATE
        assert ttls == ["0"] * rate + ["1"] * (len(names) - rate)
        world.after(1)
    counted = world.handler.counted().ttls
    assert counted == {TtlClass.ZERO: 2 * rate, TtlClass.CHANGED: 4 * rate}


def test_beyond_the_rate_the_minimum_goes_along() -> None:
    world = World()
    for _ in range(handler_module.ZERO_TTL_RATE):
        world.ask(f"empty.{T}")
    (soa,) = world.ask(f"empty.{T}").authority
    assert soa.split(" ")[1] == soa.split(" ")[-1] == "1"
    assert soa.split(" ")[2:6] == [
        "IN",
        "SOA",
        "ns.dns.cluster.local.",
        "hostmaster.cluster.local.",
    ]


def test_classes_are_counted_remembered_or_not() -> None:
    world = World()
    for _ in range(3):
        for name in ("cip", "hdls", "empty", "none"):
            world.ask(f"{name}.{T}")
    assert world.handler.counted().ttls == {
        TtlClass.STABLE: 3,
        TtlClass.PLAIN: 6,
        TtlClass.ZERO: 3,
    }


# -- what changed lately


def test_recent_forgets_what_is_quiet() -> None:
    recent = Recent()
    recent.note(Kind.SERVICE, ["a"], 10)
    recent.note(Kind.SERVICE, ["b"], 20)
    recent.note(Kind.SERVICE, ["a"], 30)
    assert recent.expire(20 + WINDOW) == ["b"]
    assert recent.has(["a"], endpoints=False)
    assert not recent.has(["b"], endpoints=True)
    assert recent.expire(30 + WINDOW) == ["a"]
    assert not recent.has(["a"], endpoints=True)


def test_a_burst_counts_as_a_change_of_everything() -> None:
    recent = Recent(most=10)
    for number in range(12):
        recent.note(Kind.ENDPOINT_SLICE, [f"ns/{number}"], number)
    assert recent.has(["anything"], endpoints=False)
    assert recent.expire(10 + WINDOW - 1) == []
    assert recent.expire(10 + WINDOW) is None
    assert not recent.has(["anything"], endpoints=True)
