"""Conformance rows for each option that concerns answers (issue: every directive of the plugin)."""

from __future__ import annotations

from typing import Final

from grpcdns.config.options import Config
from tests.conformance.case import Case, Group, absent, empty, reverse
from tests.conformance.cluster import LONG

T: Final = "testns.svc.cluster.local."
P: Final = "testns.pod.cluster.local."
H: Final = f"hdls.{T}"

INSECURE: Final = Group("pods insecure (2.6)", [
    Case(f"10-244-3-1.{P}", answer=[f"10-244-3-1.{P} 5 IN A 10.244.3.1"]),
    Case(f"1-2-3-4.{P}", answer=[f"1-2-3-4.{P} 5 IN A 1.2.3.4"]),
    Case(f"fd00--3-1.{P}", "AAAA", answer=[f"fd00--3-1.{P} 5 IN AAAA fd00::3:1"]),
    *empty(f"fd00--3-1.{P}", P),
    *empty(f"1-2-3-4.{P}", qtypes=("AAAA", "TXT", "MX", "ANY", "PTR")),
    *empty(P, qtypes=("TXT",), differs="D1"),
    Case(f"1-2-3-4.{P}", "SRV", answer=[f"1-2-3-4.{P} 5 IN SRV 0 100 0 1-2-3-4.{P}"],
         additional=[f"1-2-3-4.{P} 5 IN A 1.2.3.4"]),
    Case(f"x.1-2-3-4.{P}", answer=[f"x.1-2-3-4.{P} 5 IN A 1.2.3.4"]),
    *absent(f"1-2-3.{P}", f"1-2-3-256.{P}", f"pod-one.{P}", f"01-2-3-4.{P}",
            "1-2-3-4.nowhere.pod.cluster.local.", f"a.b.c.1-2-3-4.{P}"),
], Config(pods="insecure"))  # fmt: skip

VERIFIED: Final = Group("pods verified (2.6)", [
    Case(f"10-244-3-1.{P}", answer=[f"10-244-3-1.{P} 5 IN A 10.244.3.1"]),
    Case(f"fd00--3-1.{P}", "AAAA", answer=[f"fd00--3-1.{P} 5 IN AAAA fd00::3:1"]),
    Case(f"192-0-2-10.{P}", answer=[f"192-0-2-10.{P} 5 IN A 192.0.2.10"], id="F28-node-address"),
    Case(f"192-0-2-10.{P}", "SRV",
         answer=[f"192-0-2-10.{P} 5 IN SRV 0 50 0 192-0-2-10.{P}"],
         additional=[f"192-0-2-10.{P} 5 IN A 192.0.2.10"]),
    *empty(f"10-244-3-1.{P}", qtypes=("AAAA",)),
    # F29 finished ones; one whose address was taken over
    *absent(f"1-2-3-4.{P}", f"10-244-3-20.{P}", f"10-244-3-21.{P}", f"10-244-3-22.{P}",
            "10-244-3-1.empty.pod.cluster.local."),
    Case("10-244-3-22.empty.pod.cluster.local.",
         answer=["10-244-3-22.empty.pod.cluster.local. 5 IN A 10.244.3.22"]),
    Case("10-244-3-30.hidden.pod.cluster.local.",
         answer=["10-244-3-30.hidden.pod.cluster.local. 5 IN A 10.244.3.30"]),
], Config(pods="verified"))  # fmt: skip

POD_NAMES: Final = Group("endpoint_pod_names", [
    Case(f"pod-one.pods.{T}", answer=[f"pod-one.pods.{T} 5 IN A 10.244.3.1"]),
    Case(f"{'p' * 63}.pods.{T}", answer=[f"{'p' * 63}.pods.{T} 5 IN A 10.244.3.3"],
         id="63-octets"),
    # F26 too long for a label; D9 more than one label
    Case(f"10-244-3-4.pods.{T}", answer=[f"10-244-3-4.pods.{T} 5 IN A 10.244.3.4"]),
    Case(f"10-244-3-2.pods.{T}", answer=[f"10-244-3-2.pods.{T} 5 IN A 10.244.3.2"], differs="D9"),
    Case(f"host-named.pods.{T}", answer=[f"host-named.pods.{T} 5 IN A 10.244.3.5"]),
    Case(f"shared.pods.{T}", answer=[f"shared.pods.{T} 5 IN A 10.244.3.6"]),
    *absent(f"10-244-3-1.pods.{T}", f"pod-named.pods.{T}"),
    Case(reverse("10.244.3.1"), "PTR",
         answer=[f"{reverse('10.244.3.1')} 5 IN PTR pod-one.pods.{T}"]),
    Case(reverse("10.244.3.6"), "PTR",
         answer=[f"{reverse('10.244.3.6')} 5 IN PTR {name}.pods.{T}"
                 for name in ("shared", "shared-too")]),
], Config(endpoint_pod_names=True))  # fmt: skip

TTL_ZERO: Final = Group("ttl 0", [
    Case(f"svc1.{T}", answer=[f"svc1.{T} 0 IN A 10.96.0.10"]),
    *absent(f"missing.{T}"),
], Config(ttl=0))  # fmt: skip

TTL_HOUR: Final = Group("ttl 3600", [
    Case(f"svc1.{T}", answer=[f"svc1.{T} 3600 IN A 10.96.0.10"]),
    # The SOA's own TTL is capped, its minimum is not.
    Case("cluster.local.", "SOA", answer=[
        "cluster.local. 300 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. "
        "0 7200 1800 86400 3600"]),
    Case(f"missing.{T}", rcode="NXDOMAIN", authority=[
        "cluster.local. 300 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. "
        "0 7200 1800 86400 3600"]),
    Case("dns-version.cluster.local.", "TXT",
         answer=['dns-version.cluster.local. 28800 IN TXT "1.1.0"']),
], Config(ttl=3600))  # fmt: skip

NO_ENDPOINTS: Final = Group("noendpoints", [
    Case(f"svc1.{T}", answer=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    *absent(H, f"web-0.{H}", f"10-244-0-1.svc1.{T}", qtypes=("A", "SRV")),
    *absent(reverse("10.244.1.2"), qtypes=("PTR",)),
], Config(no_endpoints=True))  # fmt: skip

IGNORE_EMPTY: Final = Group("ignore empty_service", [
    Case(f"svc1.{T}", answer=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    *absent(f"empty.{T}", f"unnamed.{T}", f"_http._tcp.empty.{T}", qtypes=("A", "SRV")),
    Case(f"ext.{T}", "CNAME", answer=[f"ext.{T} 5 IN CNAME www.example.net."]),
    Case(reverse("10.96.0.15"), "PTR", answer=[f"{reverse('10.96.0.15')} 5 IN PTR empty.{T}"]),
], Config(ignore_empty_service=True))  # fmt: skip

ZONAL: Final = Group("zonal", [
    Case(f"zone-a.pin._zone.{H}", answer=[f"zone-a.pin._zone.{H} 5 IN A 10.244.1.7"]),
    Case(f"zone-b.example.pin._zone.{H}",
         answer=[f"zone-b.example.pin._zone.{H} 5 IN A 10.244.1.8"]),
    Case(f"zone-a.prefer._zone.{H}", answer=[f"zone-a.prefer._zone.{H} 5 IN A 10.244.1.7"]),
    Case(f"zone-c.prefer._zone.twins.{T}",
         answer=[f"zone-c.prefer._zone.twins.{T} 5 IN A 10.244.4.{n}" for n in (1, 2)]),
    Case(f"zone-a.pin._zone.{H}", "SRV",
         answer=[f"zone-a.pin._zone.{H} 5 IN SRV 0 50 {number} 10-244-1-7.{H}"
                 for number in (8080, 53)],
         additional=[f"10-244-1-7.{H} 5 IN A 10.244.1.7"]),
    *empty(f"zone-c.pin._zone.{H}", f"zone-c.prefer._zone.no-slices.{T}",
           f"zone-a.pin._zone.not-ready.{T}", qtypes=("A", "AAAA", "SRV", "TXT", "HTTPS", "PTR")),
    *absent(f"zone-a.pin._zone.svc1.{T}", f"zone-a.pin._zone.ext.{T}", f"zone-a.pin._zone.none.{T}",
            f"zone-a.pins._zone.{H}", f"zone-a._zone.{H}", f"pin._zone.{H}",
            "zone-a.pin._zone.hdls.testns.pod.cluster.local.", qtypes=("A", "TXT")),
], Config(zonal=True))  # fmt: skip

N: Final = f"near.{T}"
NODE: Final = f"near-node.{T}"


def near(zone: str, *numbers: int, name: str = N, net: int = 11) -> Case:
    """Its addresses, under the options for a zone."""
    return Case(name, answer=[f"{name} 5 IN A 10.244.{net}.{number}" for number in numbers],
                differs="D19", id=f"{name} in {zone}")  # fmt: skip


TOPOLOGY_ZONE: Final = Group("topology-zone", [
    near("zone-a", 1, 2, 4),
    Case(N, "AAAA", answer=[f"{N} 5 IN AAAA fd00::11:1"], differs="D19"),
    Case(f"_http._tcp.{N}", "SRV",
         answer=[f"_http._tcp.{N} 5 IN SRV 0 25 8080 {label}.{N}"
                 for label in ("near-0", "10-244-11-2", "10-244-11-4", "fd00--11-1")],
         additional=[f"near-0.{N} 5 IN A 10.244.11.1", f"10-244-11-2.{N} 5 IN A 10.244.11.2",
                     f"10-244-11-4.{N} 5 IN A 10.244.11.4", f"fd00--11-1.{N} 5 IN AAAA fd00::11:1"],
         differs="D19"),
    Case(f"_dns._udp.{N}",
         answer=[f"_dns._udp.{N} 5 IN A 10.244.11.{number}" for number in (1, 2, 4)],
         differs="D19"),
    # What names one endpoint is answered with it, wherever it is.
    Case(f"10-244-11-3.{N}", answer=[f"10-244-11-3.{N} 5 IN A 10.244.11.3"]),
    Case(reverse("10.244.11.3"), "PTR",
         answer=[f"{reverse('10.244.11.3')} 5 IN PTR 10-244-11-3.{N}"]),
    *absent(f"10-244-11-5.{N}"),
    # No node is given.
    near("zone-a", 1, 2, name=NODE, net=12),
    # Without the field, or with an address of its own.
    Case(f"near-ip.{T}", answer=[f"near-ip.{T} 5 IN A 10.96.0.17"]),
    Case(f"10-244-13-2.near-ip.{T}", answer=[f"10-244-13-2.near-ip.{T} 5 IN A 10.244.13.2"]),
    Case(f"twins.{T}", answer=[f"twins.{T} 5 IN A 10.244.4.{number}" for number in (1, 2)]),
    Case(f"ext-near.{T}", answer=[f"ext-near.{T} 5 IN CNAME {N}",
                                  *(f"{N} 5 IN A 10.244.11.{number}" for number in (1, 2, 4))],
         differs="D19"),
], Config(topology_zone="zone-a"))  # fmt: skip

TOPOLOGY_OTHER_ZONE: Final = Group("topology-zone: one of four", [
    near("zone-b", 3),
    # None there: all of the others. IPv6 endpoints are chosen among IPv6 ones.
    Case(N, "AAAA", answer=[f"{N} 5 IN AAAA fd00::11:{number}" for number in (1, 2)]),
    near("zone-b", 3, name=NODE, net=12),
], Config(topology_zone="zone-b"))  # fmt: skip

TOPOLOGY_SHARE: Final = Group("topology-min-share: one of four is too few", [
    near("zone-b", 1, 2, 3, 4)._replace(differs=""),
    near("zone-b", 3, name=NODE, net=12),
], Config(topology_zone="zone-b", topology_min_share="0.3"))  # fmt: skip

TOPOLOGY_NODE: Final = Group("topology-node", [
    near("zone-b", 3, name=NODE, net=12),
    near("zone-b", 3),
], Config(topology_zone="zone-b", topology_node="node-b1", topology_min_share="0.2"))  # fmt: skip

TOPOLOGY_NODE_ALONE: Final = Group("topology-node without a zone", [
    near("node-a2", 2, name=NODE, net=12),
    near("node-a2", 1, 2, 3, 4)._replace(differs=""),
], Config(topology_node="node-a2"))  # fmt: skip

TOPOLOGY_NOWHERE: Final = Group("topology: nothing near", [
    near("zone-z", 1, 2, 3, name=NODE, net=12)._replace(differs=""),
    near("zone-z", 1, 2, 3, 4)._replace(differs=""),
], Config(topology_zone="zone-z", topology_node="node-z"))  # fmt: skip

E: Final = f"ending.{T}"
ENDING: Final = Group("serve-terminating", [
    Case(E, answer=[f"{E} 5 IN A 10.244.14.{number}" for number in (1, 2)], differs="D20"),
    Case(f"_http._tcp.{E}", "SRV",
         answer=[f"_http._tcp.{E} 5 IN SRV 0 50 8080 {label}.{E}"
                 for label in ("10-244-14-1", "ending-1")],
         additional=[f"10-244-14-1.{E} 5 IN A 10.244.14.1", f"ending-1.{E} 5 IN A 10.244.14.2"],
         differs="D20"),
    Case(f"ending-1.{E}", answer=[f"ending-1.{E} 5 IN A 10.244.14.2"], differs="D20"),
    Case(reverse("10.244.14.1"), "PTR",
         answer=[f"{reverse('10.244.14.1')} 5 IN PTR 10-244-14-1.{E}"], differs="D20"),
    *absent(f"10-244-14-3.{E}", f"10-244-14-4.{E}"),
    # Not where an endpoint is ready.
    Case(N, answer=[f"{N} 5 IN A 10.244.11.{number}" for number in (1, 2, 3, 4)]),
    *absent(f"10-244-11-5.{N}", reverse("10.244.11.5")),
    # The address of a Service does not depend on its endpoints; their names do.
    Case(f"ending-ip.{T}", answer=[f"ending-ip.{T} 5 IN A 10.96.0.18"]),
    Case(f"10-244-15-1.ending-ip.{T}", answer=[f"10-244-15-1.ending-ip.{T} 5 IN A 10.244.15.1"],
         differs="D20"),
], Config(serve_terminating=True))  # fmt: skip

ENDING_OR_EMPTY: Final = Group("serve-terminating, ignore-empty-service", [
    Case(f"ending-ip.{T}", answer=[f"ending-ip.{T} 5 IN A 10.96.0.18"], differs="D20"),
    Case(E, answer=[f"{E} 5 IN A 10.244.14.{number}" for number in (1, 2)], differs="D20"),
], Config(serve_terminating=True, ignore_empty_service=True))  # fmt: skip

ENDING_ZONAL: Final = Group("serve-terminating, zonal, topology-zone", [
    Case(f"zone-a.prefer._zone.{E}",
         answer=[f"zone-a.prefer._zone.{E} 5 IN A 10.244.14.{number}" for number in (1, 2)],
         differs="D20"),
    near("zone-a", 1, 2, 4),
], Config(serve_terminating=True, zonal=True, topology_zone="zone-a"))  # fmt: skip

C: Final = "testns.svc.clusterset.local."
I: Final = f"imported.{C}"  # noqa: E741
HI: Final = f"imported-hdls.{C}"
MULTICLUSTER: Final = Group("multicluster (KEP-1645)", [
    Case(I, answer=[f"{I} 5 IN A 10.97.0.1"]),
    Case(f"_http._tcp.{I}", "SRV", answer=[f"_http._tcp.{I} 5 IN SRV 0 100 80 {I}"],
         additional=[f"{I} 5 IN A 10.97.0.1"]),
    Case(f"web-0.east.{I}", answer=[f"web-0.east.{I} 5 IN A 10.97.1.1"]),
    Case(f"web-0.west.{I}", answer=[f"web-0.west.{I} 5 IN A 10.97.1.2"]),
    Case(HI, answer=[f"{HI} 5 IN A 10.97.2.1", f"{HI} 5 IN A 10.97.2.2"]),
    Case(f"10-97-2-2.west-2.{HI}", answer=[f"10-97-2-2.west-2.{HI} 5 IN A 10.97.2.2"]),
    Case(f"_http._tcp.{HI}", "SRV",
         answer=[f"_http._tcp.{HI} 5 IN SRV 0 50 80 web-0.east.{HI}",
                 f"_http._tcp.{HI} 5 IN SRV 0 50 81 10-97-2-2.West-2.{HI}"],
         additional=[f"web-0.east.{HI} 5 IN A 10.97.2.1",
                     f"10-97-2-2.West-2.{HI} 5 IN A 10.97.2.2"]),
    # D7: one address, however it is written
    Case(f"imported-written.{C}", "AAAA", answer=[f"imported-written.{C} 5 IN AAAA fd00:97::1"],
         differs="D7"),
    *absent(f"web-0.{I}", f"web-0.north.{I}", f"10-97-2-3.east.{HI}", f"imported-bare.{C}",
            f"imported-nothing.{C}", f"svc1.{C}", f"_none._tcp.{I}", f"nowhere.{C}"),
    Case(f"svc1.{T}", answer=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    *absent(f"imported.{T}"),
    Case("clusterset.local.", "SOA", answer=["{soa}"]),
    *empty("clusterset.local.", "svc.clusterset.local.", C),
    Case(f"ext-imported.{T}", answer=[f"ext-imported.{T} 5 IN CNAME {I}", f"{I} 5 IN A 10.97.0.1"]),
], Config(zones=("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa."),
          multicluster=("clusterset.local.",)))  # fmt: skip

MULTICLUSTER_EMPTY: Final = Group("multicluster, ignore empty_service", [
    *absent(f"imported-empty.{C}", f"_http._tcp.imported-empty.{C}"),
    Case(I, answer=[f"{I} 5 IN A 10.97.0.1"]),
    Case(HI, answer=[f"{HI} 5 IN A 10.97.2.1", f"{HI} 5 IN A 10.97.2.2"]),
], Config(zones=("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa."),
          multicluster=("clusterset.local.",), ignore_empty_service=True))  # fmt: skip

IN: Final = f"imported-near.{C}"
CLUSTER_ID: Final = Group("cluster-id (KEP-1645, trafficDistribution)", [
    Case(IN, answer=[f"{IN} 5 IN A 10.97.3.2"], differs="D19"),
    Case(f"_http._tcp.{IN}", "SRV",
         answer=[f"_http._tcp.{IN} 5 IN SRV 0 100 80 10-97-3-2.west.{IN}"],
         additional=[f"10-97-3-2.west.{IN} 5 IN A 10.97.3.2"], differs="D19"),
    Case(f"10-97-3-1.east.{IN}", answer=[f"10-97-3-1.east.{IN} 5 IN A 10.97.3.1"]),
    Case(HI, answer=[f"{HI} 5 IN A 10.97.2.1", f"{HI} 5 IN A 10.97.2.2"]),
    Case(I, answer=[f"{I} 5 IN A 10.97.0.1"]),
], Config(zones=("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa."),
          multicluster=("clusterset.local.",), cluster_id="west"))  # fmt: skip

NAMESPACES: Final = Group("namespaces", [
    Case(f"svc1.{T}", answer=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    *empty("svc.cluster.local.", T),
    *absent("hidden.svc.cluster.local.", "svc1.hidden.svc.cluster.local.",
            "x.hidden.svc.cluster.local."),
    *empty(f"ext-hidden.{T}"),
    Case(reverse("10.96.0.10"), "PTR", answer=[f"{reverse('10.96.0.10')} 5 IN PTR svc1.{T}"]),
    *absent(reverse("10.96.0.20"), reverse("10.244.0.20"), qtypes=("PTR",)),
    # The NS of a zone does not ask which namespaces are shown.
    Case("cluster.local.", "NS",
         answer=["cluster.local. 5 IN NS kube-dns.kube-system.svc.cluster.local."],
         additional=["kube-dns.kube-system.svc.cluster.local. 5 IN A 10.96.0.53"], differs="D5"),
], Config(namespaces=("testns",)))  # fmt: skip

Z: Final = "testns.svc.cluster2.example."
ZONES: Final = Group("several zones, reverse zones from CIDRs", [
    Case(f"svc1.{Z}", answer=[f"svc1.{Z} 5 IN A 10.96.0.10"]),
    Case("svc1.testns.svc.sub.cluster2.example.",
         answer=["svc1.testns.svc.sub.cluster2.example. 5 IN A 10.96.0.10"]),
    Case(f"_http._tcp.svc1.{Z}", "SRV", answer=[f"_http._tcp.svc1.{Z} 5 IN SRV 0 100 80 svc1.{Z}"],
         additional=[f"svc1.{Z} 5 IN A 10.96.0.10"]),
    *absent(f"missing.{Z}", "sub.svc.cluster2.example."),
    *empty("cluster2.example.", "svc.cluster2.example.", "sub.cluster2.example."),
    # PTR records point into the first zone that is not a reverse one.
    Case(reverse("10.96.0.10"), "PTR", answer=[f"{reverse('10.96.0.10')} 5 IN PTR svc1.{Z}"]),
    *absent(reverse("10.96.99.99"), qtypes=("PTR",)),
    *(Case(name, "PTR", "REFUSED") for name in (reverse("10.97.0.1"), reverse("8.8.8.8"))),
    Case("96.10.in-addr.arpa.", "SOA", answer=["{soa}"]),
    *empty("96.10.in-addr.arpa."),
    Case(f"ext-other-zone.{T}",
         answer=[f"ext-other-zone.{T} 5 IN CNAME svc1.{Z}", f"svc1.{Z} 5 IN A 10.96.0.10"]),
    Case(f"ext-in.{Z}", answer=[f"ext-in.{Z} 5 IN CNAME svc1.{T}", f"svc1.{T} 5 IN A 10.96.0.10"]),
    # A loop through two zones ends where it began.
    Case(f"ext-cross.{T}", answer=[f"ext-cross.{T} 5 IN CNAME ext-back.{Z}"], differs="D14"),
    # A target that is missing in another zone of ours leaves the bare CNAME.
    Case(f"ext-missing.{Z}", answer=[f"ext-missing.{Z} 5 IN CNAME missing.{T}"]),
], Config(zones=("96.10.in-addr.arpa.", "cluster2.example.", "sub.cluster2.example.",
                 "cluster.local.")))  # fmt: skip

# One endpoint's name is of 255 octets in the first zone, of one more in the second.
FITS: Final = f"{'z' * 63}.{'y' * 42}.example."
OVER: Final = f"{'z' * 63}.{'y' * 43}.example."
NAME_LIMIT: Final = Group("names of 255 octets and one over", [
    Case(f"{'h' * 63}.{LONG}.testns.svc.{FITS}",
         answer=[f"{'h' * 63}.{LONG}.testns.svc.{FITS} 5 IN A 10.244.7.1"], id="endpoint fits"),
    Case(f"{LONG}.testns.svc.{FITS}", "SRV",
         answer=[f"{LONG}.testns.svc.{FITS} 5 IN SRV 0 100 80 {'h' * 63}.{LONG}.testns.svc.{FITS}"],
         additional=[f"{'h' * 63}.{LONG}.testns.svc.{FITS} 5 IN A 10.244.7.1"], id="SRV fits"),
    Case(f"{LONG}.testns.svc.{OVER}",
         answer=[f"{LONG}.testns.svc.{OVER} 5 IN A 10.244.7.1"], id="service"),
    # What cannot be written is left out.
    Case(f"{LONG}.testns.svc.{OVER}", "SRV", id="SRV over", differs="D15"),
    Case(reverse("10.244.7.1"), "PTR",
         answer=[f"{reverse('10.244.7.1')} 5 IN PTR {'h' * 63}.{LONG}.testns.svc.{FITS}"]),
], Config(zones=(FITS, OVER, "in-addr.arpa.")))  # fmt: skip
PTR_LIMIT: Final = Group("a PTR of one octet over 255", [
    *absent(reverse("10.244.7.1"), qtypes=("PTR",), differs="D15"),
], Config(zones=(OVER, "in-addr.arpa.")))  # fmt: skip

SHORT: Final = Group("any cluster domain: of one label", [
    Case("svc1.testns.svc.k8s.", answer=["svc1.testns.svc.k8s. 5 IN A 10.96.0.10"]),
    *empty("k8s.", "svc.k8s."),
    *absent("missing.testns.svc.k8s.", "svc1.testns.k8s."),
    Case("k8s.", "SOA", answer=["{soa}"]),
    Case(reverse("10.96.0.10"), "PTR",
         answer=[f"{reverse('10.96.0.10')} 5 IN PTR svc1.testns.svc.k8s."]),
], Config(zones=("k8s.", "in-addr.arpa.")))  # fmt: skip

GROUPS: Final = [
    INSECURE, VERIFIED, POD_NAMES, TTL_ZERO, TTL_HOUR, NO_ENDPOINTS, IGNORE_EMPTY, ZONAL,
    TOPOLOGY_ZONE, TOPOLOGY_OTHER_ZONE, TOPOLOGY_SHARE, TOPOLOGY_NODE, TOPOLOGY_NODE_ALONE,
    TOPOLOGY_NOWHERE, ENDING, ENDING_OR_EMPTY, ENDING_ZONAL,
    MULTICLUSTER, MULTICLUSTER_EMPTY, CLUSTER_ID, NAMESPACES, ZONES, NAME_LIMIT, PTR_LIMIT,
    SHORT,
]  # fmt: skip
