"""Explanations: what an answer was made from, what was left out and why, near misses."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import Held, Namespace, Service
from grpcdns.core.cluster.reasons import Reason
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import A, question_of
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.explanation import HeldObject, LeftOut
from grpcdns.core.inspect.suggest import MOST
from tests.system.cli.objects import AT, index, why

MULTI = Policy(zones=("cluster.local.", "clusterset.local."), multicluster=("clusterset.local.",))
EXTERNAL = Policy(external_zones=("example.com.",))


class Row(NamedTuple):
    """A question, and one thing that must be among what was left out."""

    reason: Reason
    name: str
    what: str
    part: str = ""
    qtype: str = "A"
    policy: Policy = Policy()


DB = "EndpointSlice default/db-a"
NEAR = "EndpointSlice default/near-a"
LEFT_OUT = [
    Row(Reason.NOT_READY, "db.default.svc.cluster.local", DB, "10.1.0.3"),
    Row(Reason.TERMINATING, "near.default.svc.cluster.local", NEAR, "10.3.0.3"),
    Row(Reason.FAR_ZONE, "near.default.svc.cluster.local", NEAR, "10.3.0.2",
        policy=Policy(topology_zone="east")),
    Row(Reason.FAR_NODE, "near.default.svc.cluster.local", NEAR, "10.3.0.1",
        policy=Policy(topology_node="west-1")),
    Row(Reason.FAR_CLUSTER, "far.default.svc.clusterset.local", "EndpointSlice default/far-west",
        policy=msgspec.structs.replace(MULTI, cluster_id="east")),
    Row(Reason.FEW_NEAR, "near.default.svc.cluster.local", "Service default/near",
        policy=Policy(topology_zone="east", topology_min_share="0.6")),
    Row(Reason.NO_ADDRESS, "db.default.svc.cluster.local", DB, "not-an-address"),
    Row(Reason.NAMES, "db.default.svc.cluster.local", "EndpointSlice default/db-names"),
    Row(Reason.OTHER_PORT, "_dns._udp.db.default.svc.cluster.local", DB, qtype="SRV"),
    Row(Reason.OTHER_PORT, "_dns._udp.web.default.svc.cluster.local", "Service default/web",
        qtype="SRV"),
    Row(Reason.OTHER_ENDPOINT, "one.db.default.svc.cluster.local", DB, "10.1.0.2"),
    Row(Reason.OTHER_ZONE, "east.pin._zone.db.default.svc.cluster.local", DB, "10.1.0.2",
        policy=Policy(zonal=True)),
    Row(Reason.OTHER_FAMILY, "plain.default.svc.cluster.local",
        "plain.default.svc.cluster.local.", "10.96.0.2", qtype="AAAA"),
    Row(Reason.HIDDEN_NAMESPACE, "cart.hidden.svc.cluster.local", "hidden",
        policy=Policy(namespaces=("default",))),
    Row(Reason.NO_ENDPOINTS, "db.default.svc.cluster.local", "Service default/db",
        policy=Policy(no_endpoints=True)),
    Row(Reason.EMPTY_SERVICE, "empty.default.svc.cluster.local", "Service default/empty",
        policy=Policy(ignore_empty_service=True)),
    Row(Reason.OTHER_CLUSTER, "one.paris.db.default.svc.clusterset.local",
        "EndpointSlice default/imported", policy=MULTI),
]  # fmt: skip


@pytest.mark.parametrize("row", LEFT_OUT, ids=lambda row: f"{row.reason.name}-{row.name}")
def test_left_out(row: Row) -> None:
    found = why(row.name, row.qtype, row.policy).left_out
    assert LeftOut(row.what, row.part, row.reason.value) in found


def test_every_reason_has_a_row() -> None:
    """The bounds have tests of their own, in test_truth.py."""
    assert {row.reason for row in LEFT_OUT} == set(Reason) - {Reason.BOUND}


def test_made_from() -> None:
    found = why("db.default.svc.cluster.local")
    assert [(one.kind, one.key) for one in found.sources] == [
        ("Namespace", "default"),
        ("Service", "default/db"),
        ("EndpointSlice", "default/db-a"),
        ("EndpointSlice", "default/db-names"),
    ]
    assert [record.split()[-1] for record in found.answer] == ["10.1.0.1", "10.1.0.2"]
    assert found.rcode == "NOERROR"
    assert found.zone == "cluster.local."
    assert found.serial == AT


def test_what_is_not_there_is_said() -> None:
    found = why("nothing.default.svc.cluster.local")
    assert (found.rcode, found.sources[-1].key, found.sources[-1].found) == (
        "NXDOMAIN",
        "default/nothing",
        False,
    )


SUGGESTED = [
    ("wep.default.svc.cluster.local", "A", "web.default.svc.cluster.local.", "A"),
    ("cart.default.svc.cluster.local", "A", "cart.shop.svc.cluster.local.", "A"),
    ("cart.shopp.svc.cluster.local", "A", "cart.shop.svc.cluster.local.", "A"),
    ("carts.shopp.svc.cluster.local", "A", "cart.shop.svc.cluster.local.", "A"),
    ("shop.cart.svc.cluster.local", "A", "cart.shop.svc.cluster.local.", "A"),
    ("web.default.cluster.local", "A", "web.default.svc.cluster.local.", "A"),
    ("web", "A", "web.default.svc.cluster.local.", "A"),
    ("cart.shop", "A", "cart.shop.svc.cluster.local.", "A"),
    ("cart.shop.svc", "A", "cart.shop.svc.cluster.local.", "A"),
    ("web.default.svc.cluster.lan", "A", "web.default.svc.cluster.local.", "A"),
    ("ones.db.default.svc.cluster.local", "A", "one.db.default.svc.cluster.local.", "A"),
    ("_htp._tcp.web.default.svc.cluster.local", "SRV",
     "_http._tcp.web.default.svc.cluster.local.", "SRV"),
    ("_http._udp.web.default.svc.cluster.local", "SRV",
     "_http._tcp.web.default.svc.cluster.local.", "SRV"),
    ("plain.default.svc.cluster.local", "AAAA", "plain.default.svc.cluster.local.", "A"),
    ("web.default.svc.cluster.local", "TXT", "web.default.svc.cluster.local.", "A"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "qtype", "meant", "of_type"), SUGGESTED)
def test_suggested(name: str, qtype: str, meant: str, of_type: str) -> None:
    found = why(name, qtype).suggestions
    assert (meant, of_type) in [(one.name, one.qtype) for one in found]


def test_nothing_is_suggested_that_has_no_records() -> None:
    found = why("cart.default.svc.cluster.local", policy=Policy(namespaces=("default",)))
    assert not [one for one in found.suggestions if "cart." in one.name]


def test_a_reverse_name_of_an_endpoint_that_is_not_ready() -> None:
    found = why("3.0.1.10.in-addr.arpa", "PTR")
    assert found.rcode == "NXDOMAIN"
    assert LeftOut(DB, "10.1.0.3", Reason.NOT_READY.value) in found.left_out


def test_a_reverse_name_of_a_pod_says_whose_it_is() -> None:
    found = why("9.0.1.10.in-addr.arpa", "PTR")
    assert ("Pod", "default/web-1") in [(one.kind, one.key) for one in found.sources]


ASKS = [
    ("cluster.local", "the zone itself"),
    ("svc.cluster.local", "nothing: it is above the names of all Services"),
    ("default.svc.cluster.local", "the namespace default"),
    ("web.default.svc.cluster.local", "Service default/web"),
    ("one.db.default.svc.cluster.local", "endpoint one of Service default/db"),
    ("_http._tcp.web.default.svc.cluster.local", "port http over tcp of Service default/web"),
    ("10-1-0-9.default.pod.cluster.local", "the Pod at 10-1-0-9 in namespace default"),
    ("1.0.96.10.in-addr.arpa", "the names of the address 10.96.0.1"),
    ("10.in-addr.arpa", "a part of the reverse zone"),
    ("www.example.org", "a name in none of the zones"),
    ("a.b.c.d.e.cluster.local", "nothing: the name has no shape that a cluster's names have"),
]


@pytest.mark.parametrize(("name", "words"), ASKS)
def test_what_a_name_asks_for(name: str, words: str) -> None:
    assert why(name).asks == words


def test_a_multicluster_and_an_external_name() -> None:
    assert why("db.default.svc.clusterset.local", policy=MULTI).answer
    assert why("web.default.example.com", policy=EXTERNAL).asks.startswith("a Service by its ext")
    topo = why("east.prefer._zone.db.default.svc.cluster.local", policy=Policy(zonal=True))
    assert topo.asks.endswith("in topology zone east, before all others")


def test_an_external_name_is_asked_of_the_upstream() -> None:
    found = why("docs.default.svc.cluster.local")
    assert found.lookups == ("www.example.org.",)
    assert not found.suggestions


def test_a_pods_name_says_which_pod_it_found_or_that_there_is_none() -> None:
    verified = Policy(pods="verified")
    found = why("10-1-0-9.default.pod.cluster.local", policy=verified)
    assert ("Pod", "default/web-1", True) in [(s.kind, s.key, s.found) for s in found.sources]
    missing = why("10-1-0-8.default.pod.cluster.local", policy=verified)
    assert ("Pod", "at 10.1.0.8", False) in [(s.kind, s.key, s.found) for s in missing.sources]


def test_an_import_and_an_address_outside_are_described() -> None:
    found = why("db.default.svc.clusterset.local", policy=MULTI)
    assert ("ServiceImport", "Headless; ports http/TCP") in [
        (one.kind, one.says) for one in found.sources
    ]
    outside = why("9.2.0.192.in-addr.arpa", "PTR", Policy(external_zones=("in-addr.arpa.",)))
    assert outside.rcode == "NXDOMAIN"


def test_suggestions_are_few_and_the_name_itself_is_none() -> None:
    found = why("svc.cluster.local", "TXT")
    assert found.suggestions == ()
    many = [
        Namespace("", f"ns{n}") for n in range(9)
    ] + [Service(f"ns{n}", "shared", cluster_ips=("10.96.1.1",)) for n in range(9)]  # fmt: skip
    policy = Policy()
    question = question_of(name_from_text("shared.default.svc.cluster.local"), A)
    made = index(policy, [Namespace("", "default"), *many])
    assert len(explain(question, made, Zones(policy)).suggestions) == MOST


def test_a_name_that_cannot_be_on_the_wire_is_not_suggested() -> None:
    """A label of 60 octets more would be over 255 with the zone."""
    long = ".".join(["a" * 60] * 4)
    assert why(long).suggestions == ()


def test_what_is_held_is_named() -> None:
    held = Service("default", "old", cluster_ips=("10.96.7.7",), held=Held("guard", 7000))
    made = index(Policy(), [Namespace("", "default"), held])
    question = question_of(name_from_text("old.default.svc.cluster.local"), A)
    found = explain(question, made, Zones(Policy()))
    assert found.held == (HeldObject("Service default/old", "guard", 7000),)
    assert found.answer == ("old.default.svc.cluster.local. 1 IN A 10.96.7.7",)
