"""What the table of deliberate differences must not explain, and the facts that it needs."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Object,
    Service,
    key_of,
    pack,
)
from grpcdns.core.inspect.differences import Said, Seen, find_difference
from grpcdns.core.inspect.facts import Facts, facts_of
from tests.conformance.loading import KINDS

WEB = "web.default.svc.cluster.local."
NODATA = Said("NOERROR")
ABSENT = Said("NXDOMAIN")
POLICY = Policy(
    zones=("cluster.local.", "cluster2.example.", "96.10.in-addr.arpa."),
    external_zones=("outside.example.",),
    external_ttl=30,
)


def a(name: str, address: str = "10.96.0.1", ttl: int = 5) -> Said:
    return Said("NOERROR", (f"{name} {ttl} IN A {address}",))


def cname(name: str, target: str) -> Said:
    return Said("NOERROR", (f"{name} 5 IN CNAME {target}",))


def srv(weight: int, *hosts: str) -> Said:
    return Said("NOERROR", tuple(f"{WEB} 5 IN SRV 0 {weight} 80 {host}.{WEB}" for host in hosts))


TWO = Said("NOERROR", (*a(WEB).answer, *a(WEB, "10.96.0.2").answer))
ENDING = Facts(ending=frozenset({"web.default"}))
NEAR = Facts(near=frozenset({"web.default"}))


LB = "lb.default.outside.example."
OF_LB = Facts(mixed=frozenset({"lb.default"}))
MIXED = Said("NOERROR", (*a(LB).answer, *cname(LB, "x.").answer))


class Case(NamedTuple):
    id: str
    qname: str
    qtype: str
    plugin: Said | None
    ours: Said
    found: str | None = None
    facts: Facts = Facts()


CASES = [
    Case("wrong address", WEB, "A", a(WEB), a(WEB, "10.96.0.2")),
    Case("missing here", WEB, "A", a(WEB), ABSENT),
    Case("missing there", WEB, "A", ABSENT, a(WEB)),
    Case("NODATA there", WEB, "A", NODATA, a(WEB)),
    Case("silence there", WEB, "A", None, a(WEB)),
    Case("SERVFAIL there", WEB, "A", Said("SERVFAIL"), NODATA),
    Case("Service without the type", WEB, "TXT", ABSENT, NODATA),
    Case("TXT at svc", "svc.cluster.local.", "TXT", ABSENT, NODATA, "D1"),
    Case("A at svc", "svc.cluster.local.", "A", ABSENT, NODATA),
    Case("TXT at svc of no zone", "svc.example.", "TXT", ABSENT, NODATA),
    Case("A at a PTR name", "1.0.96.10.in-addr.arpa.", "A", ABSENT, NODATA, "D2"),
    Case("PTR at a PTR name", "1.0.96.10.in-addr.arpa.", "PTR", ABSENT, NODATA),
    Case("NS of the zone", "cluster.local.", "NS", NODATA,
         Said("NOERROR", ("cluster.local. 5 IN NS a.",)), "D5"),
    Case("SOA of the zone", "cluster.local.", "SOA", NODATA,
         Said("NOERROR", ("cluster.local. 5 IN SOA a. b. 1 2 3 4 5",))),
    Case("name server refused", "ns.dns.cluster.local.", "A", Said("REFUSED"), NODATA),
    Case("SOA of a network", "96.10.in-addr.arpa.", "SOA", ABSENT,
         Said("NOERROR", ("96.10.in-addr.arpa. 5 IN SOA a. b. 1 2 3 4 5",)), "D18"),
    Case("another SOA of a network", "96.10.in-addr.arpa.", "SOA",
         Said("NOERROR", ("96.10.in-addr.arpa. 5 IN SOA x. b. 1 2 3 4 5",)),
         Said("NOERROR", ("96.10.in-addr.arpa. 5 IN SOA a. b. 1 2 3 4 5",))),
    Case("CNAME without target", WEB, "A", NODATA, cname(WEB, "www.example."), "D11"),
    Case("CNAME of another name", WEB, "A", NODATA, cname("x.", "www.example.")),
    Case("loop", WEB, "A", None, cname(WEB, "web.default.svc.cluster2.example."), "D14"),
    Case("no loop", WEB, "A", None, cname(WEB, "db.default.svc.cluster.local.")),
    Case("full", WEB, "A", a(WEB), a(WEB, "10.96.0.2")._replace(size=65_500), "D12"),
    Case("capitals", WEB.upper(), "A", a(WEB), a(WEB.upper()), "D17"),
    Case("capitals, wrong", WEB.upper(), "A", a(WEB), a(WEB.upper(), "10.96.0.2")),
    Case("TTL outside", "web.default.outside.example.", "CNAME",
         Said("NOERROR", ("web.default.outside.example. 5 IN CNAME x.",)),
         Said("NOERROR", ("web.default.outside.example. 30 IN CNAME x.",)), "D10"),
    Case("TTL of a SRV inside", WEB, "SRV", Said("NOERROR", (f"{WEB} 5 IN SRV 0 1 80 {WEB}",)),
         Said("NOERROR", (f"{WEB} 9 IN SRV 0 1 80 {WEB}",))),
    Case("TTL outside of A", "web.default.outside.example.", "A",
         a("web.default.outside.example."), a("web.default.outside.example.", ttl=30)),
    Case("FQDN slice", WEB, "A", cname(WEB, "www.example."), ABSENT, "D8",
         Facts(fqdn=frozenset({"web.default"}))),
    Case("FQDN slice of another", "cobweb.default.svc.cluster.local.", "A", NODATA, ABSENT, None,
         Facts(fqdn=frozenset({"web.default"}))),
    Case("near endpoint", WEB, "A", TWO, a(WEB), "D19", NEAR),
    Case("near endpoint, SRV", WEB, "SRV", srv(50, "a", "b"), srv(100, "a"), "D19", NEAR),
    Case("near endpoint, another port", WEB, "SRV", srv(50, "a", "b"), srv(100, "c"), None, NEAR),
    Case("near endpoint, none", WEB, "A", TWO, NODATA, None, NEAR),
    Case("near endpoint, foreign", WEB, "A", TWO, a(WEB, "10.96.0.3"), None, NEAR),
    Case("near endpoint, same ones", WEB, "SRV", srv(50, "a", "b"), srv(49, "a", "b"), None, NEAR),
    Case("near endpoint of another", WEB, "A", TWO, a(WEB), None,
         Facts(near=frozenset({"db.default"}))),
    Case("terminating endpoint", WEB, "A", ABSENT, a(WEB), "D20", ENDING),
    Case("terminating endpoint, and ready ones", WEB, "A", TWO, a(WEB), None, ENDING),
    Case("terminating endpoint of another", WEB, "A", ABSENT, a(WEB), None,
         Facts(ending=frozenset({"db.default"}))),
    Case("load balancer's name", LB, "A", MIXED, a(LB), "D21", OF_LB),
    Case("load balancer's name, AAAA", LB, "AAAA", cname(LB, "x."), NODATA, "D21",
         OF_LB),
    Case("load balancer's name, other address", LB, "A", MIXED, a(LB, "10.96.0.9"), None,
         OF_LB),
    Case("load balancer's name of another", LB, "A", MIXED, a(LB), None,
         Facts(mixed=frozenset({"other.default"}))),
    Case("nameless", "1.0.96.10.in-addr.arpa.", "PTR", None, ABSENT, "D13",
         Facts(nameless=frozenset({"1.0.96.10.in-addr.arpa."}))),
    Case("nameless, yet answered", "1.0.96.10.in-addr.arpa.", "PTR", None, NODATA, None,
         Facts(nameless=frozenset({"1.0.96.10.in-addr.arpa."}))),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_explained(case: Case) -> None:
    seen = Seen(POLICY, case.facts, case.qname, case.qtype, case.plugin, case.ours)
    assert find_difference(seen) == case.found


LONG = "l" * 63
OBJECTS: tuple[Object, ...] = (
    Service("default", "Odd", cluster_ips=("fd00:0::1",)),
    Service("default", "even", cluster_ips=("fd00::2", "10.0.0.1")),
    EndpointSlice("default", "a", "web", "IPv4", (Endpoint(("10.1.0.1",), pod="web.0"),)),
    EndpointSlice("default", "b", "", "IPv4", (Endpoint(("10.1.0.2",)),)),
    EndpointSlice("default", "c", "names", "FQDN", (Endpoint(("www.example",)),)),
    EndpointSlice("default", "d", LONG, "IPv4", (Endpoint(("10.1.0.3",), hostname=LONG),)),
)


def made_of(policy: Policy) -> Facts:
    index = Index(frozenset(Kind))
    for obj in OBJECTS:
        index.apply_all(KINDS[type(obj)], [(key_of(obj), pack(obj))], 1, set())
    return facts_of(index, policy)


def test_facts_of_a_cluster() -> None:
    assert made_of(Policy()) == Facts(
        fqdn=frozenset({"names.default"}),
        dotted=frozenset({"web.0", "10-1-0-1"}),
        odd=frozenset({"odd.default"}),
        nameless=frozenset({"2.0.1.10.in-addr.arpa."}),
    )


def test_names_too_long_for_a_zone() -> None:
    """For PTR records it is the first zone that counts."""
    long = f"{'z' * 63}.{'y' * 50}."
    assert made_of(Policy(zones=("cluster.local.", long))).too_long == {f"{LONG}.default"}
    assert made_of(Policy(zones=(long, "cluster.local."))).too_long == {
        f"{LONG}.default",
        "3.0.1.10.in-addr.arpa.",
    }
