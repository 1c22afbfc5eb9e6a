"""Conformance rows by section of the Kubernetes DNS specification 1.1.0, default options.

The objects are those of cluster.py. Where a row ``differs``, CoreDNS's plugin answers otherwise
and docs/differences.md says why we do not.
"""

from __future__ import annotations

from typing import Final

from tests.conformance.case import NXDOMAIN, REFUSED, Case, Group, absent, empty, reverse
from tests.conformance.cluster import LONG, LONG_NS

T: Final = "testns.svc.cluster.local."
H: Final = f"hdls.{T}"

SCHEMA_VERSION: Final = Group("2.2 schema version", [
    Case("dns-version.cluster.local.", "TXT",
         answer=['dns-version.cluster.local. 28800 IN TXT "1.1.0"']),
    *empty("dns-version.cluster.local.", qtypes=("A", "SRV", "ANY"), differs="D1"),
    *absent("x.dns-version.cluster.local.", qtypes=("A", "TXT")),
])  # fmt: skip

CLUSTER_IP: Final = Group("2.3 services with a cluster IP", [
    # 2.3.1 A and AAAA
    Case(f"svc1.{T}", "A", answer=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    Case(f"svc-dual.{T}", "A", answer=[f"svc-dual.{T} 5 IN A 10.96.0.11"]),
    Case(f"svc-dual.{T}", "AAAA", answer=[f"svc-dual.{T} 5 IN AAAA fd00:96::11"]),
    Case(f"svc6.{T}", "AAAA", answer=[f"svc6.{T} 5 IN AAAA fd00:96::12"]),
    *empty(f"svc1.{T}", qtypes=("AAAA",)),
    *empty(f"svc6.{T}"),
    Case(f"{LONG}.{LONG_NS}.svc.cluster.local.",
         answer=[f"{LONG}.{LONG_NS}.svc.cluster.local. 5 IN A 10.96.0.25"], id="63-octet-labels"),
    Case("svc.svc.svc.cluster.local.", answer=["svc.svc.svc.cluster.local. 5 IN A 10.96.0.21"]),
    Case("pod.pod.svc.cluster.local.", answer=["pod.pod.svc.cluster.local. 5 IN A 10.96.0.22"]),
    # 2.3.2 SRV
    Case(f"_http._tcp.svc1.{T}", "SRV",
         answer=[f"_http._tcp.svc1.{T} 5 IN SRV 0 100 80 svc1.{T}"],
         additional=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    Case(f"_dns._udp.svc1.{T}", "SRV",
         answer=[f"_dns._udp.svc1.{T} 5 IN SRV 0 100 53 svc1.{T}"],
         additional=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    Case(f"_http._tcp.svc-dual.{T}", "SRV",
         answer=[f"_http._tcp.svc-dual.{T} 5 IN SRV 0 50 80 svc-dual.{T}"],
         additional=[f"svc-dual.{T} 5 IN A 10.96.0.11", f"svc-dual.{T} 5 IN AAAA fd00:96::11"]),
    Case(f"svc1.{T}", "SRV",
         answer=[f"svc1.{T} 5 IN SRV 0 50 80 svc1.{T}", f"svc1.{T} 5 IN SRV 0 50 53 svc1.{T}"],
         additional=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    Case(f"unnamed.{T}", "SRV", answer=[f"unnamed.{T} 5 IN SRV 0 100 80 unnamed.{T}"],
         additional=[f"unnamed.{T} 5 IN A 10.96.0.13"]),
    *absent(f"_http._udp.svc1.{T}", f"_dns._tcp.svc1.{T}", f"_none._tcp.svc1.{T}",
            f"_http._tcp.unnamed.{T}", qtypes=("SRV", "A")),
    Case(f"_http._tcp.svc1.{T}", answer=[f"_http._tcp.svc1.{T} 5 IN A 10.96.0.10"]),
    Case(f"http.tcp.svc1.{T}", "SRV",
         answer=[f"http.tcp.svc1.{T} 5 IN SRV 0 100 80 svc1.{T}"],
         additional=[f"svc1.{T} 5 IN A 10.96.0.10"]),
    # 2.3.3 PTR
    Case("10.0.96.10.in-addr.arpa.", "PTR",
         answer=[f"10.0.96.10.in-addr.arpa. 5 IN PTR svc1.{T}"]),
    Case(reverse("fd00:96::11"), "PTR",
         answer=[f"{reverse('fd00:96::11')} 5 IN PTR svc-dual.{T}"]),
    *absent("10.0.96.10.10.in-addr.arpa.", "99.0.96.10.in-addr.arpa.", "0.96.10.in-addr.arpa.",
            "010.0.96.10.in-addr.arpa.", "256.0.96.10.in-addr.arpa.", qtypes=("PTR", "A")),
    Case("10.0.96.10.in-addr.arpa.", "A", differs="D2"),
    # Endpoints of a Service with a cluster IP have names too.
    Case(f"10-244-0-1.svc1.{T}", answer=[f"10-244-0-1.svc1.{T} 5 IN A 10.244.0.1"]),
    *absent(f"10-244-0-2.svc1.{T}"),
])  # fmt: skip

HDLS_A: Final = ("10.244.1.1", "10.244.1.2", "10.244.1.3", "10.244.1.4", "10.244.1.7",
                 "10.244.1.8", "10.244.1.9")  # fmt: skip
HDLS_AAAA: Final = ("fd00::", "2001:db8::1", "2001:db8:3333:4444:5555:6666:7777:8888",
                    "fd00::a:0:0:1")  # fmt: skip
HDLS_HTTP: Final = [
    ("web-0", 8080), ("web-1", 8080), ("10-244-1-3", 8080), ("10-244-1-4", 8080),
    ("10-244-1-7", 8080), ("10-244-1-8", 8080), ("web-0", 8081), ("10-244-1-9", 8081),
    ("fd00--0", 8080), ("2001-db8--1", 8080), ("2001-db8-3333-4444-5555-6666-7777-8888", 8080),
    ("web-6", 8080),
]  # fmt: skip
HDLS_ADDRESSES: Final = [
    f"{label}.{H} 5 IN {qtype} {ip}"
    for label, qtype, ip in (
        ("web-0", "A", "10.244.1.1"), ("web-1", "A", "10.244.1.2"),
        ("10-244-1-3", "A", "10.244.1.3"), ("10-244-1-4", "A", "10.244.1.4"),
        ("10-244-1-7", "A", "10.244.1.7"), ("10-244-1-8", "A", "10.244.1.8"),
        ("10-244-1-9", "A", "10.244.1.9"), ("fd00--0", "AAAA", "fd00::"),
        ("2001-db8--1", "AAAA", "2001:db8::1"),
        ("2001-db8-3333-4444-5555-6666-7777-8888", "AAAA",
         "2001:db8:3333:4444:5555:6666:7777:8888"),
        ("web-6", "AAAA", "fd00::a:0:0:1"),
    )
]  # fmt: skip

HEADLESS: Final = Group("2.4 headless services", [
    # Kubernetes 1.36: a Service's name may begin with a digit. No condition is as good as ready.
    Case(f"7seas.{T}", answer=[f"7seas.{T} 5 IN A 10.244.17.{n}" for n in (1, 2)]),
    Case(f"8ball.7seas.{T}", answer=[f"8ball.7seas.{T} 5 IN A 10.244.17.2"]),
    Case(f"_http._tcp.7seas.{T}", "SRV",
         answer=[f"_http._tcp.7seas.{T} 5 IN SRV 0 50 80 {label}.7seas.{T}"
                 for label in ("10-244-17-1", "8ball")],
         additional=[f"10-244-17-1.7seas.{T} 5 IN A 10.244.17.1",
                     f"8ball.7seas.{T} 5 IN A 10.244.17.2"]),
    Case(reverse("10.244.17.1"), "PTR",
         answer=[f"{reverse('10.244.17.1')} 5 IN PTR 10-244-17-1.7seas.{T}"]),
    # Several addresses of one endpoint.
    Case(f"several-addresses.{T}",
         answer=[f"several-addresses.{T} 5 IN A 10.244.8.{n}" for n in (6, 7)]),
    Case(f"both.several-addresses.{T}",
         answer=[f"both.several-addresses.{T} 5 IN A 10.244.8.{n}" for n in (6, 7)]),
    Case(f"_http._tcp.several-addresses.{T}", "SRV",
         answer=[f"_http._tcp.several-addresses.{T} 5 IN SRV 0 50 80 both.several-addresses.{T}"],
         additional=[f"both.several-addresses.{T} 5 IN A 10.244.8.{n}" for n in (6, 7)]),
    # 2.4.1 A and AAAA; F17 each address once, F18 and F19 the ready ones
    Case(H, "A", answer=[f"{H} 5 IN A {ip}" for ip in HDLS_A]),
    Case(H, "AAAA", answer=[f"{H} 5 IN AAAA {ip}" for ip in HDLS_AAAA]),
    Case(f"web-0.{H}", answer=[f"web-0.{H} 5 IN A 10.244.1.1"]),
    Case(f"10-244-1-3.{H}", answer=[f"10-244-1-3.{H} 5 IN A 10.244.1.3"]),
    Case(f"twin.twins.{T}", answer=[f"twin.twins.{T} 5 IN A 10.244.4.{n}" for n in (1, 2)]),
    # F25: no label ends in a dash
    Case(f"fd00--0.{H}", "AAAA", answer=[f"fd00--0.{H} 5 IN AAAA fd00::"]),
    Case(f"fd00--a-0-0-1.{H}", "AAAA", NXDOMAIN, id="hostname-hides-dashed-ip"),
    *absent(f"10-244-1-1.{H}", f"10-244-1-5.{H}", f"10-244-1-6.{H}", f"web-2.{H}", f"fd00--.{H}"),
    # F33: no ready endpoint, no name; F10: nulls; F21: addresses that are names
    *absent(f"no-slices.{T}", f"not-ready.{T}", f"nulls.{T}", qtypes=("A", "AAAA", "SRV")),
    *absent(f"fqdn.{T}", differs="D8"),
    # F35: no port, still an address
    Case(f"portless.{T}", answer=[f"portless.{T} 5 IN A 10.244.2.1"]),
    *empty(f"portless.{T}", f"no-number.{T}", qtypes=("SRV",)),
    Case(f"no-number.{T}", answer=[f"no-number.{T} 5 IN A 10.244.2.3"]),
    # 2.4.2 SRV: port numbers of the slice, equal targets once, each pair in the weight
    Case(f"_http._tcp.{H}", "SRV",
         answer=[f"_http._tcp.{H} 5 IN SRV 0 8 {number} {label}.{H}"
                 for label, number in HDLS_HTTP],
         additional=HDLS_ADDRESSES),
    Case(f"_dns._udp.both-protocols.{T}", "SRV",
         answer=[f"_dns._udp.both-protocols.{T} 5 IN SRV 0 100 53 10-244-5-1.both-protocols.{T}"],
         additional=[f"10-244-5-1.both-protocols.{T} 5 IN A 10.244.5.1"]),
    Case(f"both-protocols.{T}", "SRV",
         answer=[f"both-protocols.{T} 5 IN SRV 0 50 53 10-244-5-1.both-protocols.{T}"],
         additional=[f"10-244-5-1.both-protocols.{T} 5 IN A 10.244.5.1"]),
    Case(f"unnamed-port.{T}", "SRV",
         answer=[f"unnamed-port.{T} 5 IN SRV 0 100 80 10-244-2-2.unnamed-port.{T}"],
         additional=[f"10-244-2-2.unnamed-port.{T} 5 IN A 10.244.2.2"]),
    *absent(f"_http._udp.{H}", f"_none._tcp.{H}", f"_http._tcp.unnamed-port.{T}",
            qtypes=("SRV", "A")),
    Case(f"_p3._tcp.many-ports.{T}", "SRV",
         answer=[f"_p3._tcp.many-ports.{T} 5 IN SRV 0 50 83 10-244-6-{n}.many-ports.{T}"
                 for n in (1, 2)],
         additional=[f"10-244-6-{n}.many-ports.{T} 5 IN A 10.244.6.{n}" for n in (1, 2)]),
    # 2.4.3 PTR; F27: every name, hostnames first
    Case("2.1.244.10.in-addr.arpa.", "PTR",
         answer=[f"2.1.244.10.in-addr.arpa. 5 IN PTR web-1.{H}"]),
    Case("1.1.244.10.in-addr.arpa.", "PTR",
         answer=[f"1.1.244.10.in-addr.arpa. 5 IN PTR web-0.{H}",
                 f"1.1.244.10.in-addr.arpa. 5 IN PTR also.other-owner.{T}"]),
    # A slice without its Service has PTR records and no other name.
    Case("1.8.244.10.in-addr.arpa.", "PTR",
         answer=[f"1.8.244.10.in-addr.arpa. 5 IN PTR 10-244-8-1.orphan.{T}"]),
    *absent(f"orphan.{T}", f"10-244-8-1.orphan.{T}"),
    # One whose label names no Service, or could name none, has none.
    *absent(reverse("10.244.8.4"), reverse("10.244.8.5"), qtypes=("PTR",), differs="D13"),
    *absent("5.1.244.10.in-addr.arpa.", "6.1.244.10.in-addr.arpa.", qtypes=("PTR",)),
    # A cluster IP's Service wins over an endpoint of the same address.
    Case("10.0.96.10.in-addr.arpa.", "PTR",
         answer=[f"10.0.96.10.in-addr.arpa. 5 IN PTR svc1.{T}"], id="cluster-ip-before-endpoint"),
    *empty(f"_tcp.{H}", f"_udp.{H}", f"_tcp.svc1.{T}", differs="D3"),
    *absent(f"_sctp.{H}"),
])  # fmt: skip

E: Final = "www.example.net. 60 IN A 192.0.2.80"
EXTERNAL_NAME: Final = Group("2.5 ExternalName", [
    Case(f"ext.{T}", "A", answer=[f"ext.{T} 5 IN CNAME www.example.net.", E]),
    Case(f"ext.{T}", "AAAA",
         answer=[f"ext.{T} 5 IN CNAME www.example.net.",
                 "www.example.net. 60 IN AAAA 2001:db8:80::80"]),
    Case(f"ext.{T}", "CNAME", answer=[f"ext.{T} 5 IN CNAME www.example.net."]),
    Case(f"ext-port.{T}", "A", answer=[f"ext-port.{T} 5 IN CNAME www.example.net.", E]),
    Case(f"ext-cname.{T}", "A",
         answer=[f"ext-cname.{T} 5 IN CNAME alias.example.net.",
                 "alias.example.net. 60 IN CNAME www.example.net.", E]),
    Case(f"ext-nothing.{T}", "A", answer=[f"ext-nothing.{T} 5 IN CNAME nothing.example.net."]),
    *empty(f"ext.{T}", qtypes=("SRV", "TXT", "MX", "HTTPS", "ANY")),
    # F22: what a label before an ExternalName would mean
    *absent(f"x.ext.{T}", f"_http._tcp.ext-port.{T}", qtypes=("A", "SRV")),
    # F23: in-cluster targets, missing ones, addresses, loops, chains
    *(Case(f"{name}.{T}", answer=[f"{name}.{T} 5 IN CNAME svc1.{T}", f"svc1.{T} 5 IN A 10.96.0.10"])
      for name in ("ext-in", "ext-dot")),
    Case(f"ext-hdls.{T}",
         answer=[f"ext-hdls.{T} 5 IN CNAME {H}", *(f"{H} 5 IN A {ip}" for ip in HDLS_A)]),
    Case(f"ext-endpoint.{T}",
         answer=[f"ext-endpoint.{T} 5 IN CNAME web-0.{H}", f"web-0.{H} 5 IN A 10.244.1.1"]),
    Case(f"ext-over.{T}",
         answer=[f"ext-over.{T} 5 IN CNAME ext.{T}", f"ext.{T} 5 IN CNAME www.example.net.", E]),
    Case(f"ext-reverse.{T}",
         answer=[f"ext-reverse.{T} 5 IN CNAME 10.0.96.10.in-addr.arpa."]),
    *empty(f"ext-pod.{T}"),
    *empty(f"ext-missing.{T}", f"ext-self.{T}", f"ext-ping.{T}", f"ext-pong.{T}",
           f"ext-apex.{T}"),
    Case(f"ext-missing.{T}", "CNAME",
         answer=[f"ext-missing.{T} 5 IN CNAME missing.{T}"]),
    *absent(f"ext-ip.{T}", qtypes=("A", "CNAME")),
    Case(f"chain-3.{T}",
         answer=[*(f"chain-{n}.{T} 5 IN CNAME chain-{n + 1}.{T}" for n in range(3, 14)),
                 f"chain-14.{T} 5 IN A 10.96.0.114"], id="chain-of-11"),
    *empty(f"chain-2.{T}"),
])  # fmt: skip

PODS_OFF: Final = Group("2.6 pods, disabled", [
    *absent("10-244-3-1.testns.pod.cluster.local.", "10-244-3-1.nowhere.pod.cluster.local."),
    *absent("testns.pod.cluster.local.")
])  # fmt: skip

ALL: Final = ("A", "AAAA", "SRV", "CNAME", "MX", "HTTPS", "ANY", "DS", "TYPE65400", "PTR")
NAMES: Final = Group("apex, empty non-terminals, names that are not", [
    Case("cluster.local.", "SOA", answer=["{soa}"], id="apex-SOA"),
    Case("cluster.local.", "NS",
         answer=["cluster.local. 5 IN NS kube-dns.kube-system.svc.cluster.local."],
         additional=["kube-dns.kube-system.svc.cluster.local. 5 IN A 10.96.0.53"], differs="D5"),
    Case("ns.dns.cluster.local.", answer=["ns.dns.cluster.local. 5 IN A 10.96.0.53"],
         differs="D5"),
    *empty("ns.dns.cluster.local.", qtypes=("AAAA", "SRV", "MX")),
    *empty("ns.dns.cluster.local.", qtypes=("TXT", "PTR"), differs="D1"),
    *empty("dns.cluster.local.", qtypes=("A", "TXT"), differs="D1"),
    *absent("ns.dns.cluster.local.cluster.local.", "ns.dns.cluster.local.x.cluster.local.",
            differs="D16"),
    # F31, F32, F37
    *empty("cluster.local.", "svc.cluster.local.", "pod.cluster.local.", qtypes=ALL),
    *empty("cluster.local.", "svc.cluster.local.", "pod.cluster.local.", qtypes=("TXT",),
           differs="D1"),
    *empty("testns.svc.cluster.local.", "empty.svc.cluster.local.", qtypes=ALL),
    *empty("testns.svc.cluster.local.", qtypes=("TXT",), differs="D1"),
    *empty("testns.svc.cluster.local.", f"svc1.{T}", "nowhere.cluster.local.", qtypes=("SOA",)),
    *empty(f"svc1.{T}", H, qtypes=("TXT", "MX", "NS", "HTTPS", "ANY", "DS", "TYPE65400", "PTR",
                                   "CNAME")),
    *absent("nowhere.svc.cluster.local.", "nowhere.cluster.local.", f"missing.{T}",
            "svc1.nowhere.svc.cluster.local.", f"a.b.c.d.svc1.{T}", f"x.svc1.{T}",
            "svc1.testns.service.cluster.local.", qtypes=(*ALL, "TXT", "NS")),
    # F36: no wildcards
    *absent("*.*.svc.cluster.local.", "any.any.svc.cluster.local.", f"*.{T}", "*.cluster.local.",
            f"*._tcp.svc1.{T}", f"_any._any.svc1.{T}", f"*.{H}"),
    Case(f"any.{T}", answer=[f"any.{T} 5 IN A 10.96.0.24"]),
    # outside our zones, and what we do not do
    *(Case(name, qtype, REFUSED, id=f"outside-{name}{qtype}") for name in
      ("example.com.", "local.", "xcluster.local.", ".") for qtype in ("A", "SOA")),
    Case("cluster.local.", "AXFR", REFUSED),
    Case(f"svc1.{T}", "IXFR", REFUSED),
])  # fmt: skip

GROUPS: Final = [SCHEMA_VERSION, CLUSTER_IP, HEADLESS, EXTERNAL_NAME, PODS_OFF, NAMES]
