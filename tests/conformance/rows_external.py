"""Conformance rows for external zones: CoreDNS's k8s_external plugin."""

from __future__ import annotations

from typing import Final

from grpcdns.config.options import Config
from tests.conformance.case import Case, Group, absent, empty, reverse

O: Final = "testns.outside.example."  # noqa: E741
SOA: Final = ("outside.example. 5 IN SOA ns1.dns.outside.example. hostmaster.dns.outside.example. "
              "0 7200 1800 86400 5")  # fmt: skip
ZONES: Final = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
WWW: Final = "www.example.net. 60 IN A 192.0.2.80"

EXTERNAL: Final = Group("k8s_external", [
    Case(f"lb.{O}", answer=[f"lb.{O} 5 IN A 198.51.100.5"]),
    Case(f"lb.{O}", "AAAA", answer=[f"lb.{O} 5 IN AAAA 2001:db8:1::5"]),
    Case(f"ext-ips.{O}", answer=[f"ext-ips.{O} 5 IN A 203.0.113.{n}" for n in (5, 6)]),
    Case(f"lb-name.{O}", answer=[f"lb-name.{O} 5 IN CNAME www.example.net.", WWW]),
    Case(f"lb.{O}", "SRV",
         answer=[f"lb.{O} 5 IN SRV 0 25 80 lb.{O}", f"lb.{O} 5 IN SRV 0 25 53 lb.{O}"],
         additional=[f"lb.{O} 5 IN A 198.51.100.5", f"lb.{O} 5 IN AAAA 2001:db8:1::5"]),
    Case(f"_http._tcp.lb.{O}", "SRV", answer=[f"_http._tcp.lb.{O} 5 IN SRV 0 50 80 lb.{O}"],
         additional=[f"lb.{O} 5 IN A 198.51.100.5", f"lb.{O} 5 IN AAAA 2001:db8:1::5"]),
    Case(f"_http._tcp.lb-name.{O}", "SRV",
         answer=[f"_http._tcp.lb-name.{O} 5 IN SRV 0 100 80 www.example.net."],
         additional=[WWW, "www.example.net. 60 IN AAAA 2001:db8:80::80"]),
    Case(f"lb-mixed.{O}",
         answer=[f"lb-mixed.{O} 5 IN A 203.0.113.42", f"lb-mixed.{O} 5 IN A 198.51.100.42"],
         differs="D21"),
    *empty(f"lb-mixed.{O}", qtypes=("AAAA",), differs="D21"),
    Case(f"lb-names.{O}", answer=[f"lb-names.{O} 5 IN CNAME www.example.net.", WWW],
         differs="D21"),
    # How the proxies treat an address is no matter of DNS.
    Case(f"lb-modes.{O}", answer=[f"lb-modes.{O} 5 IN A 198.51.100.{n}" for n in (49, 50)],
         id="ipMode"),
    *absent(f"svc1.{O}", f"lb-pending.{O}", f"hdls.{O}", f"web-0.hdls.{O}", f"missing.{O}",
            f"_none._tcp.lb.{O}", f"a.b.c.lb.{O}", "nowhere.outside.example.",
            "lb.nowhere.outside.example.", qtypes=("A", "SRV", "TXT")),
    *empty(f"lb.{O}", qtypes=("TXT", "MX", "NS", "CNAME", "SOA", "HTTPS", "ANY", "PTR")),
    *empty(f"ext-ips.{O}", O, qtypes=("TXT", "PTR")),
    *empty(O, qtypes=("A", "SRV")),
    Case(f"anything.lb.{O}", answer=[f"anything.lb.{O} 5 IN A 198.51.100.5"]),
    # apex and what stands under it
    Case("outside.example.", "SOA", answer=[SOA]),
    Case("outside.example.", "NS", answer=["outside.example. 5 IN NS ns1.dns.outside.example."]),
    Case("missing.testns.outside.example.", rcode="NXDOMAIN", authority=[SOA]),
    *empty("outside.example.", "dns.outside.example.", "ns1.dns.outside.example.",
           qtypes=("A", "AAAA", "TXT", "SRV")),
    *absent("ns2.dns.outside.example.", "x.ns1.dns.outside.example."),
    # the cluster's own zones as ever
    Case("lb.testns.svc.cluster.local.", answer=["lb.testns.svc.cluster.local. 5 IN A 10.96.0.40"]),
], Config(zones=ZONES, external_zones=("outside.example.",)))  # fmt: skip

HO: Final = f"hdls.{O}"
HEADLESS: Final = Group("k8s_external headless, another apex and ttl", [
    Case(f"twins.{O}", answer=[f"twins.{O} 30 IN A 10.244.4.{n}" for n in (1, 2)]),
    Case(f"web-0.{HO}", answer=[f"web-0.{HO} 30 IN A 10.244.1.1"]),
    Case(f"_http._tcp.twins.{O}", "SRV",
         answer=[f"_http._tcp.twins.{O} 30 IN SRV 0 50 80 twin.twins.{O}"],
         additional=[f"twin.twins.{O} 30 IN A 10.244.4.{n}" for n in (1, 2)], differs="D10"),
    # With external addresses a headless Service is shown by them.
    Case(f"hdls-public.{O}", answer=[f"hdls-public.{O} 30 IN A 203.0.113.8"]),
    *absent(f"not-ready.{O}", f"no-slices.{O}", f"svc1.{O}", f"10-244-1-5.{HO}"),
    # An endpoint of a Service with a cluster IP has a name, the Service has none.
    Case(f"10-244-0-1.svc1.{O}", answer=[f"10-244-0-1.svc1.{O} 30 IN A 10.244.0.1"]),
    Case("outside.example.", "SOA", answer=[
        "outside.example. 30 IN SOA ns1.names.outside.example. hostmaster.names.outside.example. "
        "0 7200 1800 86400 30"]),
    *empty("names.outside.example."),
    *absent("ns1.dns.outside.example."),
], Config(zones=ZONES, external_zones=("outside.example.", "outside.test."),
          external_headless=True, external_apex="names", external_ttl=30))  # fmt: skip

REVERSE: Final = Group("k8s_external reverse zones", [
    Case(reverse("198.51.100.5"), "PTR", answer=[f"{reverse('198.51.100.5')} 5 IN PTR lb.{O}"]),
    Case(reverse("203.0.113.5"), "PTR",
         answer=[f"{reverse('203.0.113.5')} 5 IN PTR {name}.{O}"
                 for name in ("ext-ips", "ext-ips-shared")]),
    *absent(reverse("198.51.100.99"), qtypes=("PTR",)),
    *empty(reverse("198.51.100.5"), qtypes=("A", "TXT"), differs="D2"),
], Config(zones=("cluster.local.",),
          external_zones=("outside.example.", "100.51.198.in-addr.arpa.",
                          "113.0.203.in-addr.arpa.")))  # fmt: skip

BOTH: Final = Group("k8s_external has a part of a reverse zone of kubernetes", [
    Case(reverse("198.51.100.5"), "PTR", answer=[f"{reverse('198.51.100.5')} 5 IN PTR lb.{O}"]),
    Case(reverse("10.96.0.10"), "PTR",
         answer=[f"{reverse('10.96.0.10')} 5 IN PTR svc1.testns.svc.cluster.local."]),
    # What neither has is denied by the second: the first falls through.
    *(Case(reverse(ip), "PTR", "NXDOMAIN", authority=[
        "in-addr.arpa. 5 IN SOA ns.dns.in-addr.arpa. hostmaster.in-addr.arpa. 0 7200 1800 86400 5"])
      for ip in ("10.96.99.99", "198.51.100.99")),
    *absent("ns2.dns.100.51.198.in-addr.arpa."),
], Config(zones=("cluster.local.", "in-addr.arpa."),
          external_zones=("outside.example.", "100.51.198.in-addr.arpa.")))  # fmt: skip

GROUPS: Final = [EXTERNAL, HEADLESS, REVERSE, BOTH]
