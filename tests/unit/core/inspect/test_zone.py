"""The list of a cluster's names: every object's, under every option, each once."""

from __future__ import annotations

import pytest

from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
)
from grpcdns.core.dns.names import name_to_text
from grpcdns.core.dns.wire import type_to_text
from grpcdns.core.inspect.zone import all_questions, records_of_zone
from tests.system.cli.objects import OBJECTS, index

ALL = (
    *OBJECTS,
    Service("default", "out", "LoadBalancer", ("10.96.0.9",), "", (), ("192.0.2.9", "lb.example")),
    Pod("default", "web-2", "fd00::9"),
    Pod("default", "pending"),
    # What does not fit the wire is in no answer, and no question.
    Service("default", "x" * 64, cluster_ips=("10.96.0.10",), ports=(Port("y" * 64, "TCP", 1),)),
)


def asked(policy: Policy, objects: tuple[Object, ...] = ALL) -> list[str]:
    zones = Zones(policy)
    return [
        f"{name_to_text(one.name)} {type_to_text(one.qtype)}"
        for one in all_questions(index(policy, objects), zones)
    ]


ROWS = [
    (Policy(), "cluster.local. SOA"),
    (Policy(), "dns-version.cluster.local. TXT"),
    (Policy(), "ns.dns.cluster.local. A"),
    (Policy(), "db.default.svc.cluster.local. SRV"),
    (Policy(), "one.db.default.svc.cluster.local. A"),
    (Policy(), "_http._tcp.db.default.svc.cluster.local. SRV"),
    (Policy(), "_dns._udp.plain.default.svc.cluster.local. SRV"),
    (Policy(), "docs.default.svc.cluster.local. CNAME"),
    (Policy(), "2.0.1.10.in-addr.arpa. PTR"),
    (Policy(pods="verified"), "10-1-0-9.default.pod.cluster.local. A"),
    (Policy(pods="verified"), "fd00--9.default.pod.cluster.local. AAAA"),
    (
        Policy(zones=("cluster.local.", "set.local."), multicluster=("set.local.",)),
        "one.berlin.db.default.svc.set.local. A",
    ),
    (Policy(external_zones=("example.com.",)), "out.default.example.com. CNAME"),
    (Policy(external_zones=("example.com.",)), "ns1.dns.example.com. A"),
    (Policy(zones=("cluster.local.", "9.2.0.192.in-addr.arpa.")), "9.2.0.192.in-addr.arpa. PTR"),
]


@pytest.mark.parametrize(("policy", "line"), ROWS, ids=[line for _, line in ROWS])
def test_is_asked(policy: Policy, line: str) -> None:
    assert asked(policy).count(line) == 1


@pytest.mark.parametrize(
    ("policy", "part"),
    [
        (Policy(), ".pod."),
        (Policy(), "x" * 64),
        (Policy(no_endpoints=True), "one.db."),
        (Policy(zones=("cluster.local.",)), ".arpa."),
        (Policy(), "three.db."),
        (Policy(), "db-names"),
    ],
)
def test_is_not_asked(policy: Policy, part: str) -> None:
    assert not [line for line in asked(policy) if part in line]


def test_each_once() -> None:
    lines = asked(Policy(external_zones=("example.com.", "in-addr.arpa.")))
    assert len(lines) == len(set(lines))


def test_a_zones_records_are_its_own() -> None:
    """The CNAME of an ExternalName is; what it leads to, in another zone, is not."""
    policy = Policy(zones=("cluster.local.", "in-addr.arpa."), external_zones=("example.com.",))
    objects = (
        *ALL,
        Service("default", "there", "ExternalName", ("",), "out.default.example.com"),
    )
    made, zones = index(policy, objects), Zones(policy)
    lines = [one.to_text() for one in records_of_zone(("cluster", "local"), made, zones)]
    assert lines[0].startswith("cluster.local. 5 IN SOA ")
    assert "there.default.svc.cluster.local. 5 IN CNAME out.default.example.com." in lines
    assert not [line for line in lines if line.startswith("out.default.example.com.")]
    reverse = [one.to_text() for one in records_of_zone(("in-addr", "arpa"), made, zones)]
    assert all("in-addr.arpa." in line.split()[0] for line in reverse)


def test_a_cluster_without_anything() -> None:
    assert asked(Policy(zones=("cluster.local.",)), (Namespace("", "default"),)) == [
        "cluster.local. SOA",
        "cluster.local. NS",
        "dns-version.cluster.local. TXT",
        "ns.dns.cluster.local. A",
        "ns.dns.cluster.local. AAAA",
    ]


def test_a_slice_without_its_service_has_only_reverse_names() -> None:
    slice_ = EndpointSlice(
        "default", "lost", "no-such", "IPv4", (Endpoint(("10.9.0.1",)),), (Port("", "TCP", 1),)
    )
    lines = asked(Policy(), (Namespace("", "default"), slice_))
    assert "1.0.9.10.in-addr.arpa. PTR" in lines
    assert not [line for line in lines if "no-such" in line]
