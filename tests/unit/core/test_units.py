"""Facts about single steps of CoreDNS's kubernetes plugin, each with its id: names of endpoints
(un), the grammar of names (pr, md), namespaces (nr), ttl (tt), what moves the serial (sb), events
of objects (oe), reverse names (ra, ir), name servers of external zones (ne), programming latency
(pl).
"""

from __future__ import annotations

import time
from typing import Any, Final

import msgspec
import pytest

from grpcdns.config.load import load
from grpcdns.config.options import UserError
from grpcdns.core.answers.asked import Asked, parse_name
from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.policy import Policy, Zones, needed_kinds
from grpcdns.core.cluster.endpoints import endpoint_label
from grpcdns.core.cluster.index import Index, Serial, Tag
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
from grpcdns.core.dns.names import address_from_reverse, address_to_text, is_reverse
from grpcdns.core.handler import Handler
from grpcdns.serve.worker.answerer import Answerer
from tests.conformance.loading import fail, reply_to
from tests.conformance.reply import query

KINDS: Final = {
    Namespace: Kind.NAMESPACE, Service: Kind.SERVICE, EndpointSlice: Kind.ENDPOINT_SLICE,
    Pod: Kind.POD, ServiceImport: Kind.SERVICE_IMPORT,
}  # fmt: skip


def change(obj: Object, at: int = 1, *, gone: bool = False, triggered: float = 0.0) -> Change:
    body = None if gone else pack(obj)
    return Change(KINDS[type(obj)], key_of(obj), body, at, triggered)


def taken(index: Index, change: Change) -> set[Tag]:
    """The tags of the answers that a Change touches."""
    tags: set[Tag] = set()
    index.apply_all(change.kind, [(change.key, change.body)], change.at, tags)
    return tags


# -- un: names of endpoints

_SIX: Final = "2001:db8:3333:4444:5555:6666:7777:8888"


@pytest.mark.parametrize(
    ("ip", "hostname", "pod", "pod_names", "label"),
    [
        pytest.param("10.11.12.13", "", "", False, "10-11-12-13", id="un-01"),
        pytest.param("10.11.12.13", "epname", "", False, "epname", id="un-02"),
        pytest.param("10.11.12.13", "", "hello-abcde", False, "10-11-12-13", id="un-03"),
        pytest.param("10.11.12.13", "epname", "hello-abcde", False, "epname", id="un-04"),
        pytest.param("10.11.12.13", "epname", "hello-abcde", True, "epname", id="un-05"),
        pytest.param("10.11.12.13", "", "hello-abcde", True, "hello-abcde", id="un-06"),
        pytest.param(_SIX, "", "", False, _SIX.replace(":", "-"), id="un-07"),
        pytest.param("2001:db8:3333:4444:5555:6666::", "", "", False,
                     "2001-db8-3333-4444-5555-6666--0", id="un-08"),
    ],
)  # fmt: skip
def test_endpoint_name(ip: str, hostname: str, pod: str, pod_names: bool, label: str) -> None:
    assert endpoint_label(Endpoint((ip,), True, hostname, pod), ip, pod_names) == label


# -- pr, md: the grammar of names

_WEBS: Final = Asked(kind="svc", namespace="mynamespace", service="webs")
_Z: Final = "webs.mynamespace.svc"


@pytest.mark.parametrize(
    ("left", "multicluster", "zonal", "asked"),
    [
        pytest.param(f"_http._tcp.{_Z}", 0, 0, _WEBS._replace(port="http", protocol="tcp"),
                     id="pr-01"),
        pytest.param(f"1-2-3-4.{_Z}", 0, 0, _WEBS._replace(endpoint="1-2-3-4"), id="pr-02"),
        pytest.param("", 0, 0, Asked(), id="pr-03"),
        pytest.param("svc", 0, 0, Asked(), id="pr-04"),
        pytest.param("pod", 0, 0, Asked(), id="pr-05"),
        # Two empty labels cannot be on the wire: the parts are those of the name without them.
        pytest.param(f"..{_Z}", 0, 0, _WEBS, id="pr-06"),
        pytest.param(f"1-2-3-4.cluster1.{_Z}", 1, 0,
                     _WEBS._replace(endpoint="1-2-3-4", cluster="cluster1"), id="pr-07"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 0, 1, _WEBS._replace(zone="us-west-2a"),
                     id="pr-08"),
        pytest.param(f"us-west-2a.prefer._zone.{_Z}", 0, 1,
                     _WEBS._replace(zone="us-west-2a", prefer=True), id="pr-09"),
        pytest.param(f"corp.example.com.pin._zone.{_Z}", 0, 1,
                     _WEBS._replace(zone="corp.example.com"), id="pr-10"),
        pytest.param(f"us-west-2a._zone.{_Z}", 0, 1,
                     _WEBS._replace(port="us-west-2a", protocol="zone"), id="pr-11"),
        pytest.param("webs.mynamespace.pood", 0, 0, None, id="pr-12"),
        pytest.param("too.long.for.what.I.am.trying.to.pod", 0, 0, None, id="pr-13"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 0, 0, None, id="pr-14"),
        pytest.param("us-west-2a.pin._zone.webs.mynamespace.pod", 0, 1, None, id="pr-15"),
        pytest.param(f"us-west-2a.florp._zone.{_Z}", 0, 1, None, id="pr-16"),
        pytest.param(f"us-west-2a.pin._zone.{_Z}", 1, 1, None, id="pr-17"),
        pytest.param("foo.bar.notapod", 0, 0, None, id="md-01"),
        pytest.param("10-240-0-1.podns.pod", 0, 0,
                     Asked(kind="pod", namespace="podns", service="10-240-0-1"), id="md-02"),
        pytest.param("s.ns.svc", 0, 0, Asked(kind="svc", namespace="ns", service="s"), id="md-03"),
        pytest.param("s.ns.svc", 1, 1, Asked(kind="svc", namespace="ns", service="s"), id="md-04"),
        pytest.param("_http._tcp.s.ns.svc", 0, 0,
                     Asked(kind="svc", namespace="ns", service="s", port="http", protocol="tcp"),
                     id="md-05"),
        pytest.param("ep.s.ns.svc", 0, 0,
                     Asked(kind="svc", namespace="ns", service="s", endpoint="ep"), id="md-06"),
        pytest.param("ep.c1.s.ns.svc", 1, 0,
                     Asked(kind="svc", namespace="ns", service="s", endpoint="ep", cluster="c1"),
                     id="md-07"),
    ],
)  # fmt: skip
def test_grammar(left: str, multicluster: int, zonal: int, asked: Asked | None) -> None:
    labels = tuple(label for label in left.split(".") if label)
    assert parse_name(labels, bool(multicluster), bool(zonal)) == asked


def test_outside_the_zones_is_refused() -> None:
    """md-08."""
    answerer = Answerer(Policy(), "")
    reply = answerer.answer(query("example.com.", "A"))
    assert isinstance(reply, bytes)
    assert reply[3] & 15 == 5


# -- nr: namespaces


@pytest.mark.parametrize(
    ("configured", "asked", "exposed"),
    [
        pytest.param(["foobar"], "foobar", True, id="nr-01 nr-05"),
        pytest.param(["foobar"], "nsnoexist", False, id="nr-02 nr-06"),
        pytest.param(["foobar", "other"], "other", False, id="configured, but not there"),
        pytest.param([], "foobar", True, id="nr-03 nr-07 nr-09"),
        pytest.param([], "nsnoexist", False, id="nr-04 nr-08 nr-10"),
        pytest.param(["elsewhere"], "foobar", False, id="there, but not configured"),
    ],
)
def test_namespace(configured: list[str], asked: str, exposed: bool) -> None:
    policy = Policy(namespaces=tuple(configured))
    index = Index(needed_kinds(policy))
    taken(index, change(Namespace("", "foobar")))
    view = View(index, Zones(policy), ("cluster", "local"), set())
    assert view.exposed(asked) == exposed


# -- tt: the ttl option


@pytest.mark.parametrize(
    ("given", "effective"),
    [
        pytest.param("56", 56, id="tt-01"),
        pytest.param(None, 5, id="tt-02"),
        pytest.param("-1", None, id="tt-03"),
        pytest.param("3601", None, id="tt-04"),
    ],
)
def test_ttl(given: str | None, effective: int | None) -> None:
    flags = {} if given is None else {"ttl": given}
    if effective is None:
        with pytest.raises(UserError, match="--ttl"):
            load(flags, {})
    else:
        assert load(flags, {}).config.policy().ttl == effective


# -- sb: what moves the serials

SVC: Final = Service("ns", "s", cluster_ips=("10.0.0.1",), ports=(Port("test1", "TCP", 80),))
PUBLIC: Final = msgspec.structs.replace(SVC, external_ips=("10.0.0.1",))
HEADLESS: Final = msgspec.structs.replace(SVC, cluster_ips=("None",))
NAMED: Final = Service("ns", "s", "ExternalName", ("",), "a.example.net")
POD: Final = Pod("ns", "p", "10.240.0.1")
POINT: Final = Endpoint(("10.0.0.1",), True, "host", "", "a")
SLICE: Final = EndpointSlice(
    "ns", "e", "s", endpoints=(POINT,), ports=(Port("http", "TCP", 80),), imported_service="",
)  # fmt: skip
MULTI: Final = msgspec.structs.replace(SLICE, service="", imported_service="s", cluster="one")
IMPORT: Final = ServiceImport("ns", "s", ips=("10.1.0.1",), ports=(Port("http", "TCP", 80),))


def with_(obj: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(obj, **fields)


def point(**fields: Any) -> EndpointSlice:
    changed: EndpointSlice = with_(SLICE, endpoints=(with_(POINT, **fields),))
    return changed


def slice_port(**fields: Any) -> EndpointSlice:
    changed: EndpointSlice = with_(SLICE, ports=(with_(SLICE.ports[0], **fields),))
    return changed


NOT_READY: Final = with_(
    SLICE, endpoints=(POINT, with_(POINT, ready=False, addresses=("10.9.9.9",)))
)
RENAMED: Final = (Port("test2", "TCP", 80),)
TWO_PORTS: Final = (Port("test1", "TCP", 80), Port("test2", "TCP", 81))


@pytest.mark.parametrize(
    ("before", "after", "bumped"),
    [
        pytest.param(None, SVC, "C", id="sb-01"),
        pytest.param(SVC, None, "C", id="sb-02"),
        pytest.param(None, PUBLIC, "CE", id="sb-03"),
        pytest.param(PUBLIC, None, "CE", id="sb-04"),
        pytest.param(PUBLIC, with_(PUBLIC, external_ips=("10.0.0.2",)), "E", id="sb-05"),
        pytest.param(NAMED, with_(NAMED, external_name="b.example.net"), "C", id="sb-06"),
        pytest.param(PUBLIC, with_(PUBLIC, ports=RENAMED), "CE", id="sb-07"),
        pytest.param(PUBLIC, with_(PUBLIC, ports=TWO_PORTS), "CE", id="sb-08"),
        pytest.param(None, HEADLESS, "CE", id="a headless one may have its endpoints outside"),
        pytest.param(POD, POD, "", id="sb-09"),
        pytest.param(with_(POD, ip=""), POD, "C", id="sb-10"),
        pytest.param(POD, with_(POD, ip="10.240.0.2"), "C", id="sb-11"),
        pytest.param(SLICE, SLICE, "", id="sb-12"),
        pytest.param(SLICE, NOT_READY, "", id="sb-12: one more that is not ready"),
        pytest.param(SLICE, with_(SLICE, endpoints=(POINT, with_(POINT, addresses=("10.0.0.2",)))),
                     "CE", id="sb-13"),
        pytest.param(SLICE, with_(SLICE, ports=(*SLICE.ports, Port("x", "TCP", 1))), "CE",
                     id="sb-14"),
        pytest.param(SLICE, point(addresses=("10.0.0.2",)), "CE", id="sb-15"),
        pytest.param(SLICE, point(hostname="other"), "CE", id="sb-16"),
        pytest.param(SLICE, slice_port(number=81), "CE", id="sb-17"),
        pytest.param(SLICE, slice_port(protocol="UDP"), "CE", id="sb-18"),
        pytest.param(None, SLICE, "CE", id="sb-19 created"),
        pytest.param(SLICE, None, "CE", id="sb-19 deleted"),
        pytest.param(SLICE, point(zone="b"), "CE", id="sb-20"),
        pytest.param(MULTI, with_(MULTI, cluster="two"), "CEM", id="sb-21"),
        pytest.param(None, IMPORT, "CM", id="sb-22 created"),
        pytest.param(IMPORT, None, "CM", id="sb-22 deleted"),
        pytest.param(IMPORT, with_(IMPORT, type="Headless"), "CM", id="sb-23"),
        pytest.param(IMPORT, with_(IMPORT, ports=(Port("http", "TCP", 81),)), "CM", id="sb-24"),
        pytest.param(IMPORT, IMPORT, "", id="sb-25"),
        pytest.param(None, Namespace("", "ns"), "CEM", id="a Namespace shows all that is in it"),
    ],
)  # fmt: skip
def test_serial(before: Object | None, after: Object | None, bumped: str) -> None:
    index = Index(())
    obj = after or before
    assert obj is not None
    if before is not None:
        taken(index, change(before, 100))
    index.serials = [100, 100, 100]
    taken(index, change(obj, 200, gone=after is None))
    moved = {serial.name[0] for serial in Serial if index.serials[serial] == 200}
    assert moved == set(bumped)


def test_serial_never_goes_back() -> None:
    """A feed with a slow clock, or another feed: RFC 1982 wants it to grow."""
    index = Index(())
    taken(index, change(SVC, 200))
    taken(index, change(SVC, 100, gone=True))
    assert index.serials[Serial.CLUSTER] == 200


# -- oe: events of objects


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
    answerer = Answerer(Policy(), "")
    for kind in Kind:
        assert list(answerer.replace(kind, [], 1)) == []
    answerer.apply(change(Namespace("", "ns")))
    for event in events:
        if event is None:
            assert list(answerer.replace(Kind.SERVICE, [], 2)) == [1]
        else:
            answerer.apply(event)
    reply = reply_to(answerer._handler, query("s.ns.svc.cluster.local.", "A"))
    assert [record.split(" ")[-1] for record in reply.answer] == ([address] if address else [])
    assert answerer._handler._report is not fail


def test_what_is_taken_before_an_error_counts() -> None:
    """The next object cannot be read; the answer about the first one is another all the same."""
    handler = Handler(Policy(), fail)
    objects: list[tuple[str, bytes]] = [("/ns", pack(Namespace("", "ns")))]
    for kind in (Kind.ENDPOINT_SLICE, Kind.SERVICE, Kind.NAMESPACE):
        list(handler.replace(kind, [objects] if kind is Kind.NAMESPACE else [], 1))
    assert reply_to(handler, query("s.ns.svc.cluster.local.", "A")).answer == ()
    with pytest.raises(msgspec.DecodeError):
        list(handler.replace(Kind.SERVICE, [[(key_of(SVC), pack(SVC)), ("ns/x", b"?")]], 2))
    assert reply_to(handler, query("s.ns.svc.cluster.local.", "A")).answer


@pytest.mark.parametrize(
    ("events", "there"),
    [
        pytest.param([change(POD)], True, id="oe-05"),
        # The source gives no Change at all for a Pod that begins to terminate.
        pytest.param([change(POD), change(POD)], True, id="oe-06 terminating"),
        pytest.param([change(POD), change(POD, gone=True)], False, id="oe-06 deleted"),
    ],
)
def test_pod_events(events: list[Change], there: bool) -> None:
    index = Index(())
    tags = [taken(index, event) for event in events]
    assert bool(list(index.pods_at("10.240.0.1"))) == there
    assert tags[1:] in ([], [set()] if there else tags[1:])


# -- ra, ir: reverse names

_AB: Final = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2"


@pytest.mark.parametrize(
    ("name", "address"),
    [
        pytest.param("54.119.58.176.in-addr.arpa.", "176.58.119.54", id="ra-01"),
        pytest.param(".58.176.in-addr.arpa.", None, id="ra-02"),
        pytest.param(f"{_AB}.in-addr.arpa.", None, id="ra-03"),
        pytest.param(f"{_AB}.ip6.arpa.", "2001:db8::567:89ab", id="ra-04"),
        pytest.param("d.0.1.0.0.2.ip6.arpa.", None, id="ra-05"),
        pytest.param("54.119.58.176.ip6.arpa.", None, id="ra-06"),
        pytest.param("NONAME", None, id="ra-07"),
        pytest.param("", None, id="ra-08"),
        pytest.param(f"x.{_AB}.ip6.arpa.", None, id="D6"),
        pytest.param("1.2.3.256.in-addr.arpa.", None, id="no octet"),
        pytest.param("1.2.3.04.in-addr.arpa.", None, id="octal"),
        pytest.param("7.0.2.0.0.0.0.c" + ".f" * 4 + ".0" * 20 + ".ip6.arpa.", "192.0.2.7",
                     id="IPv4-mapped is IPv4, as Go reads it"),
    ],
)  # fmt: skip
def test_address_from_reverse(name: str, address: str | None) -> None:
    found = address_from_reverse(tuple(name.removesuffix(".").split(".")))
    assert (found and address_to_text(found)) == address


@pytest.mark.parametrize(
    ("name", "reverse"),
    [
        pytest.param(f"{_AB}.ip6.arpa", True, id="ir-01"),
        pytest.param("d.0.1.0.0.2.in-addr.arpa", True, id="ir-02"),
        pytest.param("example.com", False, id="ir-03"),
        pytest.param("", False, id="ir-04"),
        pytest.param("in-addr.arpa.example.com", False, id="ir-05"),
    ],
)
def test_is_reverse(name: str, reverse: bool) -> None:
    assert is_reverse(tuple(name.split("."))) == reverse


# -- ne: name servers of external zones. The plugin goes by its own addresses, we by --dns-service;
# the names are the same wherever it has any (docs/differences.md, D5).

HEADLESS_DNS: Final = Service("kube-system", "dns", cluster_ips=("None",))
DNS_POINT: Final = EndpointSlice(
    "kube-system", "dns-a", "dns", endpoints=(Endpoint(("10.244.0.20",)),),
    ports=(Port("dns", "UDP", 53),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("external_ips", "headless", "addresses"),
    [
        pytest.param((), True, ["10.244.0.20"], id="ne-01"),
        pytest.param((), False, [], id="ne-02"),
        pytest.param(("1.2.3.4",), False, ["1.2.3.4"], id="ne-03 ne-04"),
    ],
)
def test_external_name_servers(
    external_ips: tuple[str, ...], headless: bool, addresses: list[str]
) -> None:
    policy = Policy(
        external_zones=("example.com.",), external_headless=headless, dns_service="kube-system/dns"
    )
    answerer = Answerer(policy, "")
    for kind in Kind:
        list(answerer.replace(kind, [], 1))
    answerer.apply(change(with_(HEADLESS_DNS, external_ips=external_ips)))
    answerer.apply(change(DNS_POINT))
    reply = reply_to(answerer._handler, query("example.com.", "NS"))
    assert reply.answer == ("example.com. 5 IN NS ns1.dns.example.com.",)
    assert [record.split(" ")[-1] for record in reply.additional] == addresses
    reply = reply_to(answerer._handler, query("ns1.dns.example.com.", "A"))
    assert [record.split(" ")[-1] for record in reply.answer] == addresses


# -- pl: programming latency, which is measured where a Change carries its trigger time


@pytest.mark.parametrize(
    ("service", "triggered", "observed"),
    [
        pytest.param(HEADLESS, True, 1, id="pl-01"),
        pytest.param(SVC, True, 1, id="pl-02"),
        pytest.param(HEADLESS, False, 0, id="pl-03"),
        pytest.param(SVC, False, 0, id="pl-04"),
        pytest.param(None, True, 0, id="pl-05"),
    ],
)  # fmt: skip
def test_programming_latency(service: Service | None, triggered: bool, observed: int) -> None:
    answerer = Answerer(Policy(), "")
    if service is not None:
        answerer.apply(change(service))
    answerer.apply(change(SLICE, triggered=time.time() - 1 if triggered else 0.0))
    assert sum(answerer.programming) == observed
