"""The values of options' texts, a row a case."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from grpcdns.config.options import BY_NAME


class Good(NamedTuple):
    option: str
    raw: Any
    value: Any


class Bad(NamedTuple):
    option: str
    raw: Any
    why: str


LONG = "a" * 63

GOOD = [
    Good("ttl", "0", 0),
    Good("ttl", "3600", 3600),
    Good("ttl", 30, 30),
    Good("startup-timeout", "5s", 5.0),
    Good("startup-timeout", "1m30s", 90.0),
    Good("startup-timeout", "500ms", 0.5),
    Good("startup-timeout", "0", 0.0),
    Good("startup-timeout", 7, 7.0),
    Good("snapshot-max-age", "24h", 86400.0),
    Good("api-qps", "2.5", 2.5),
    Good("topology-zone", "EU-West_1.a", "eu-west_1.a"),
    Good("topology-zone", "", ""),
    Good("topology-node", "Node-1.example", "node-1.example"),
    Good("topology-min-share", "0.25", "0.25"),
    Good("topology-min-share", 0, "0"),
    Good("topology-min-share", "", ""),
    Good("zonal", "TRUE", True),
    Good("zonal", "off", False),
    Good("zonal", True, True),
    Good("pods", "verified", "verified"),
    Good("namespaces", "a,b", ("a", "b")),
    Good("namespaces", ["a", " b , a"], ("a", "b")),
    Good("namespaces", "", ()),
    Good("zones", "Cluster.Local", ("cluster.local.",)),
    Good("zones", "cluster.local.", ("cluster.local.",)),
    Good("zones", f"{LONG}.x", (f"{LONG}.x.",)),
    Good("zones", "_tcp.example", ("_tcp.example.",)),
    Good("zones", "10.0.0.0/8", ("10.in-addr.arpa.",)),
    Good("zones", "10.1.0.0/16", ("1.10.in-addr.arpa.",)),
    Good("zones", "10.1.2.3/24", ("2.1.10.in-addr.arpa.",)),
    Good("zones", "10.1.2.3/32", ("3.2.1.10.in-addr.arpa.",)),
    Good("zones", "10.96.0.0/12", tuple(f"{n}.10.in-addr.arpa." for n in range(96, 112))),
    Good("zones", "10.1.2.128/31", ("128.2.1.10.in-addr.arpa.", "129.2.1.10.in-addr.arpa.")),
    Good("zones", "fd00::/8", ("d.f.ip6.arpa.",)),
    Good("zones", "2001:db8::/31", ("8.b.d.0.1.0.0.2.ip6.arpa.", "9.b.d.0.1.0.0.2.ip6.arpa.")),
    Good("zones", "2001:db8::/32", ("8.b.d.0.1.0.0.2.ip6.arpa.",)),
    Good("zones", "fc00::/7", ("c.f.ip6.arpa.", "d.f.ip6.arpa.")),
    Good("zones", "auto", ("cluster.local.", "auto")),
    Good("zones", "auto,10.1.0.0/16", ("cluster.local.", "auto", "1.10.in-addr.arpa.")),
    Good("zones", "a.example,auto", ("a.example.", "auto")),
    Good("zones", ["cluster.local.", "auto"], ("cluster.local.", "auto")),
    Good("zones", "auto.", ("auto.",)),
    Good("listen", "unix:///run/a.sock", ("unix:///run/a.sock",)),
    Good("listen", "unix:/run/a.sock", ("unix:///run/a.sock",)),
    Good("listen", "127.0.0.1:5301", ("127.0.0.1:5301",)),
    Good("listen", "[::1]:5301", ("[::1]:5301",)),
    Good("listen", ":5301", ("[::]:5301",)),
    Good("listen", "localhost:0", ("localhost:0",)),
    Good("listen", ["unix:///a,unix:///b", "[::1]:1"], ("unix:///a", "unix:///b", "[::1]:1")),
    Good("metrics", "", ""),
    Good("dns-service", "kube-system/kube-dns", "kube-system/kube-dns"),
    Good("upstream", "10.0.0.1", "10.0.0.1:53"),
    Good("upstream", "10.0.0.1:5353", "10.0.0.1:5353"),
    Good("upstream", "::1", "[::1]:53"),
    Good("upstream", "[::1]", "[::1]:53"),
    Good("upstream", "[::1]:5353", "[::1]:5353"),
    Good("upstream", "none", ""),
    Good("external-apex", "DNS", "dns"),
]

BAD = [
    Bad("ttl", "-1", "not between 0 and 3600"),
    Bad("ttl", "3601", "not between 0 and 3600"),
    Bad("ttl", "5s", "not a whole number"),
    Bad("ttl", True, "not a whole number"),
    Bad("ttl", 1.5, "not a whole number"),
    Bad("startup-timeout", "5", "not a duration"),
    Bad("startup-timeout", "soon", "not a duration"),
    Bad("startup-timeout", "-5s", "not a duration"),
    Bad("startup-timeout", "2h", "not between 0s and 1h"),
    Bad("startup-timeout", True, "not a duration"),
    Bad("api-qps", "nan", "not between"),
    Bad("api-qps", "fast", "not a number"),
    Bad("api-burst", "-1", "not between"),
    Bad("zonal", "maybe", "neither true nor false"),
    Bad("zonal", 1, "not a string"),
    Bad("pods", "Verified", "none of disabled, insecure, verified"),
    Bad("namespaces", "a_b", "not a DNS label"),
    Bad("namespaces", {"a": 1}, "not a string"),
    Bad("zones", "not a name", "not a domain name"),
    Bad("zones", "a..b", "not a domain name"),
    Bad("zones", f"{LONG}a.b", "not a domain name"),
    Bad("zones", ".".join([LONG] * 4), "longer than 253"),
    Bad("zones", ".", "root zone"),
    Bad("zones", "10.96.0.0/33", "not a network"),
    Bad("zones", "0.0.0.0/0", "every address"),
    Bad("zones", "-a.b", "not a domain name"),
    Bad("listen", "unix://run/a.sock", "not unix:///absolute/path"),
    Bad("listen", "unix:///" + "a" * 120, "107 bytes"),
    Bad("listen", "127.0.0.1", "neither unix:///path nor HOST:PORT"),
    Bad("listen", "127.0.0.1:65536", "neither unix:///path nor HOST:PORT"),
    Bad("listen", "::1:53", "in brackets"),
    Bad("listen", "300.0.0.1:53", "not an IPv4 address"),
    Bad("listen", "a b:53", "neither an address nor a name"),
    Bad("dns-service", "kube-dns", "not NAMESPACE/NAME"),
    Bad("upstream", "dns.example:53", "not an IP address"),
    Bad("upstream", "8.8.8.8.8", "not an IP address"),
    Bad("upstream", "foo", "not an IP address with or without a port"),
    Bad("upstream", "10.0.0.1:x", "not an IP address"),
    Bad("upstream", "::1:x", "not an IP address"),
    Bad("metrics", "9153", r"not HOST:PORT \(127\.0\.0\.1:9153; on all addresses :9153\)"),
    Bad("metrics", "localhost", "not HOST:PORT$"),
    Bad("external-apex", "a.b", "not a DNS label"),
    Bad("snapshot", "a\nb", "line break"),
]


@pytest.mark.parametrize("case", GOOD, ids=lambda c: f"{c.option}={str(c.raw)[:30]}")
def test_value(case: Good) -> None:
    assert BY_NAME[case.option].read(case.raw) == case.value


@pytest.mark.parametrize("case", BAD, ids=lambda c: f"{c.option}={str(c.raw)[:30]}")
def test_refusal(case: Bad) -> None:
    with pytest.raises(ValueError, match=case.why):
        BY_NAME[case.option].read(case.raw)


@pytest.mark.parametrize("option", BY_NAME.values(), ids=lambda o: o.name)
def test_what_is_shown_can_be_read(option: Any) -> None:
    assert option.read(option.show(option.default)) == option.default
