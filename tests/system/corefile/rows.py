"""A row for each trap: a Corefile that has it, the corrected one, and how a CoreDNS shows it.

``shows`` checks a running CoreDNS: true with the bad Corefile, false with the good one. When the
bad one does not start, it is the text in the CoreDNS log instead. world.py replaces ``<0>`` and the
like by addresses.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import dns.exception
import dns.query
import dns.zone
import urllib3

from grpcdns.corefile.traps.trap import Backend
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.ports import free_address
from harness.waiting import wait_until
from tests.system.corefile.world import World

Shows = Callable[[CoreDNS, World], bool]
WEB: Final = "web.default.svc.cluster.local."
OUTSIDE: Final = "www.example.org."
GRPC: Final = "grpc . <0> <1> {\n policy round_robin\n}"
REST: Final = ". {\n errors\n forward . <upstream>\n}"


class Row(NamedTuple):
    """``line``: of the finding. ``served``: the value of --zones, for the rows that compare it.
    ``backend``: what the check knows of the grpcdns behind it."""

    trap: str
    bad: str
    good: str
    shows: Shows | str
    line: int = 2
    served: Sequence[str] = ()
    id: str = ""
    far: bool = False
    backend: Backend = Backend()


def block(*lines: str, zones: str = "cluster.local 10.96.0.0/12") -> str:
    """A server block of these lines."""
    return "\n".join([f"{zones} {{", *lines, "}"])


def _grpc(line: str) -> str:
    return block(line) + "\n" + REST


GOOD: Final = _grpc(GRPC)


# -- how CoreDNS shows a trap


def rcode(name: str, expected: str, qtype: str = "A") -> Shows:
    def shows(coredns: CoreDNS, _: World) -> bool:
        return dns.rcode.to_text(ask(coredns.address, name, qtype).rcode()) == expected

    return shows


def answered(name: str, record: str, qtype: str = "A") -> Shows:
    """Whether a record of the answer ends with this data."""

    def shows(coredns: CoreDNS, _: World) -> bool:
        return any(line.endswith(record) for line in section(ask(coredns.address, name, qtype)))

    return shows


def _from_outside(name: str, qtype: str = "A") -> Shows:
    return answered(name, "192.0.2.80" if qtype == "A" else "outside.example.", qtype)


def _first_worker_only(coredns: CoreDNS, _: World) -> bool:
    ttls = {ask(coredns.address, WEB).answer[0].ttl for _ in range(8)}
    return ttls in ({5}, {200})


def _errors(coredns: CoreDNS) -> int:
    return coredns.log_text.count("[ERROR] plugin/errors")


def _logs_nothing(coredns: CoreDNS, _: World) -> bool:
    assert ask(coredns.address, WEB).rcode() == dns.rcode.SERVFAIL
    assert ask(coredns.address, WEB).rcode() == dns.rcode.SERVFAIL
    return not _errors(coredns)


def _rewritten_before_cached(coredns: CoreDNS, _: World) -> bool:
    """Two workers with different TTLs take turns: a second answer with the first TTL was cached."""
    first = ask(coredns.address, WEB).answer[0].ttl
    second = ask(coredns.address, "alias.default.svc.cluster.local.").answer[0].ttl
    return abs(first - second) < 100


def _probed_in_cluster_zone(coredns: CoreDNS, _: World) -> bool:
    wait_until(lambda: '"HINFO IN' in coredns.log_text, "the probe of loop in the log")
    probe = next(line for line in coredns.log_text.splitlines() if '"HINFO IN' in line)
    return "cluster.local." in probe


def _no_transfer(coredns: CoreDNS, _: World) -> bool:
    host, port = coredns.address
    try:
        dns.zone.from_xfr(dns.query.xfr(host, "cluster.local.", port=port, timeout=5))
    except (dns.exception.DNSException, EOFError):
        return True
    return False


def _api_is_asked(_: CoreDNS, world: World) -> bool:
    return world.api.was()


def _not_ready(coredns: CoreDNS, world: World) -> bool:
    url = f"http://{world.text('<ready>', ready=READY)}/ready"
    try:
        return bool(urllib3.request("GET", url, retries=False, timeout=2).status != 200)
    except urllib3.exceptions.HTTPError:
        return True


def _serves_a_brace(coredns: CoreDNS, _: World) -> bool:
    return "\n}.:" in coredns.log_text


READY: Final = str(free_address())
HEALTH: Final = str(free_address())


def _ends_immediately(coredns: CoreDNS, _: World) -> bool:
    began = time.monotonic()
    coredns.process.send(signal.SIGTERM)
    coredns.process.wait(timeout=20)
    return time.monotonic() - began < 1.0


def _read_on_the_network(coredns: CoreDNS, world: World) -> bool:
    world.spy.seen.clear()
    ask(coredns.address, WEB)
    return b"\3web\7default\3svc" in world.spy.seen


def _same_for_every_client(coredns: CoreDNS, _: World) -> bool:
    """Two clients get the same answer, which depends on the client's address."""
    query = dns.message.make_query("client.cluster.local.", "A")
    host, port = coredns.address
    answers = {
        section(dns.query.udp(query, host, port=port, source=source, timeout=5))[0]
        for source in ("127.0.0.1", "127.0.0.2")
    }
    return len(answers) == 1


# fmt: off
STANZA: Final = (
    Row("grpc-unfinished", _grpc("grpc ."), GOOD, "Wrong argument count"),
    Row("grpc-unfinished", _grpc(f"grpc {'a' * 64} <0> <1>"), GOOD, "unable to normalize",
        id="long-label"),
    Row("grpc-twice", _grpc("grpc . <0> <1>\ngrpc . <0> <1>"), GOOD,
        "this plugin can only be used once per Server Block", line=3),
    Row("grpc-host-name", _grpc("grpc . localhost:5301 <1>"), GOOD, "not an IP address or file"),
    Row("grpc-scheme", _grpc("grpc . unix:/run/0.sock <1>"), GOOD, "not an IP address or file",
        id="unix-without-slashes"),
    Row("grpc-scheme", _grpc("grpc . unix://run/0.sock unix://run/1.sock"), GOOD,
        rcode(WEB, "SERVFAIL"), id="unix-with-two-slashes"),
    Row("grpc-scheme", _grpc("grpc . grpc://<tcp0> grpc://<tcp1>"), GOOD, rcode(WEB, "SERVFAIL"),
        id="grpc"),
    Row("grpc-file", _grpc("grpc . <resolv>"), GOOD, rcode(WEB, "SERVFAIL")),
    Row("grpc-too-many", _grpc("grpc . " + " ".join(f"127.0.0.1:{5300 + n}" for n in range(16))),
        GOOD, "more than 15 TOs configured: 16"),
    Row("grpc-property", _grpc("grpc . <0> <1> {\n health_check 5s\n}"), GOOD,
        "unknown property 'health_check'", line=3),
    Row("grpc-property", _grpc("grpc . <0> <1> {\n policy fastest\n}"), GOOD,
        "unknown policy 'fastest'", line=3, id="policy"),
    Row("one-worker", _grpc("grpc . <dead>"), _grpc("grpc . <dead> <1>"), rcode(WEB, "SERVFAIL")),
    Row("same-to-twice", _grpc("grpc . <dead> <dead>"), _grpc("grpc . <dead> <1>"),
        rcode(WEB, "SERVFAIL")),
    Row("no-port", _grpc("grpc . 127.0.0.1 127.0.0.2"), _grpc("grpc . <tcp0> <tcp1>"),
        rcode(WEB, "SERVFAIL")),
    Row("tls-on-unix", _grpc("grpc . <0> <1> {\n tls\n}"), GOOD, rcode(WEB, "SERVFAIL"), line=3),
    Row("no-tls", _grpc("grpc . <far> <far>"), GOOD, _read_on_the_network, far=True),
    Row("policy-sequential", _grpc("grpc . <0> <ttl200> {\n policy sequential\n}"),
        _grpc("grpc . <0> <ttl200> {\n policy round_robin\n}"), _first_worker_only, line=3),
    Row("from-outside", _grpc("grpc example.org <0> <1>"), GOOD, rcode(WEB, "SERVFAIL")),
    Row("except", _grpc("grpc . <0> <1> {\n except default.svc.cluster.local\n}"), GOOD,
        rcode(WEB, "SERVFAIL"), line=3),
    Row("fallthrough", _grpc("grpc . <0> <1> {\n fallthrough\n}"),
        GOOD + "\nextra.cluster.local {\n forward . <upstream>\n}",
        rcode("x.extra.cluster.local.", "NXDOMAIN"), line=3),
)

BESIDE: Final = (
    Row("forward-before-grpc", block(GRPC, "forward . <upstream>"), GOOD, _from_outside(WEB),
        line=5),
    Row("kubernetes-beside-grpc",
        block("kubernetes cluster.local {\n endpoint <api>\n startup_timeout 100ms\n}", GRPC),
        GOOD, rcode(WEB, "SERVFAIL")),
    Row("answered-before-grpc", block("hosts {\n 192.0.2.1 a.cluster.local\n}", GRPC),
        block("hosts {\n 192.0.2.1 a.cluster.local\n fallthrough\n}", GRPC),
        rcode(WEB, "SERVFAIL")),
    Row("answered-before-grpc", block("template IN AAAA {\n match ^no[.]\n}", GRPC),
        block("template IN AAAA {\n match ^no[.]\n fallthrough\n}", GRPC),
        rcode(WEB, "SERVFAIL", "AAAA"), id="template"),
    Row("answered-before-grpc", block("template IN A {\n rcode NXDOMAIN\n}", GRPC), block(GRPC),
        rcode(WEB, "NXDOMAIN"), id="template-for-all"),
    Row("autopath", block("autopath @grpc", GRPC), GOOD,
        "grpc does not implement the AutoPather interface"),
    Row("transfer", block("transfer {\n to *\n}", GRPC), GOOD, _no_transfer, id="same"),
    Row("cache-client-aware",
        block("rewrite edns0 local set 0xffee {client_ip}", "grpc . <aware>", "cache"),
        block("rewrite edns0 local set 0xffee {client_ip}", "grpc . <aware>",
             "cache {\n disable success\n disable denial\n}"), _same_for_every_client),
    Row("rewrite-order",
        block("rewrite name alias.default.svc.cluster.local web.default.svc.cluster.local",
             "grpc . <0> <ttl200> {\n policy round_robin\n}", "cache 3600"),
        block("rewrite name alias.default.svc.cluster.local web.default.svc.cluster.local",
             "grpc . <0> <ttl200> {\n policy round_robin\n}"), _rewritten_before_cached),
    Row("loop-useless", block("log", GRPC, "loop"),
        block("log", GRPC) + "\n. {\n log\n forward . <upstream>\n loop\n}",
        _probed_in_cluster_zone, line=6),
    Row("no-errors", block("grpc . <dead> <dead>"), block("errors", "grpc . <dead> <dead>"),
        _logs_nothing, line=1),
)

WHOLE: Final = (
    Row("no-grpc", REST, GOOD, _from_outside(WEB), line=1),
    Row("import", block(GRPC, "import <more>"), GOOD, _from_outside(WEB), line=5),
    Row("grpc-for-all", block(GRPC, zones="."), GOOD, rcode(OUTSIDE, "REFUSED")),
    Row("all-reverse", block(GRPC, zones="cluster.local in-addr.arpa") + "\n" + REST, GOOD,
        rcode("8.8.8.8.in-addr.arpa.", "NXDOMAIN", "PTR"), line=1),
    Row("no-reverse", block(GRPC, zones="cluster.local") + "\n" + REST, GOOD,
        _from_outside("7.7.96.10.in-addr.arpa.", "PTR"), line=1),
    Row("no-rest", block(GRPC), GOOD, rcode(OUTSIDE, "REFUSED"), line=1),
    Row("not-served", block(GRPC, zones="cluster.local cluster.lan") + "\n" + REST, GOOD,
        rcode("web.default.svc.cluster.lan.", "REFUSED"), line=1,
        served=("cluster.local.", "in-addr.arpa.")),
    Row("not-asked", block(GRPC, zones="cluster.local") + "\n" + REST, GOOD,
        _from_outside("7.7.96.10.in-addr.arpa.", "PTR"), line=1,
        served=("cluster.local.", "96.10.in-addr.arpa.")),
    Row("stray-brace", GOOD + "\n}", GOOD, _serves_a_brace, line=10),
    Row("kubernetes-left-over",
        block(GRPC) + "\n. {\n kubernetes cluster.local {\n  endpoint <api>\n"
        "  startup_timeout 100ms\n }\n forward . <upstream>\n}", GOOD, _api_is_asked, line=7),
    Row("no-ready", GOOD, block(GRPC) + "\n. {\n ready <ready>\n forward . <upstream>\n}",
        _not_ready, line=1),
    Row("no-lameduck", block(GRPC) + "\n. {\n health <health>\n forward . <upstream>\n}",
        block(GRPC) + "\n. {\n health <health> {\n  lameduck 1s\n }\n forward . <upstream>\n}",
        _ends_immediately, line=7),
    Row("syntax", "cluster.local {\n grpc . <0> <1> {\n", GOOD, "Unexpected EOF", line=2),
    Row("syntax", "cluster.local {\n errors\n", GOOD, "expecting '}'", line=1, id="open"),
    Row("syntax", "cluster.local {\n errors }\n", GOOD, "Unexpected '}'", line=2, id="brace"),
    Row("syntax", "cluster.local {\n import\n}\n", GOOD, "Wrong argument count", line=2,
        id="import"),
)

REFUSED: Final = (
    Row("k8s-external", block("k8s_external example.com", GRPC), GOOD,
        "kubernetes plugin not loaded"),
    Row("zone-twice", block(GRPC) + "\n" + block("whoami"), GOOD, "already defined", line=6),
    Row("zone-twice", block(GRPC, zones="cluster.local cluster.local."), GOOD, "already defined",
        line=1, id="last-dot"),
    Row("zone-twice", block(GRPC, zones="cluster.local 10.96.0.0/12 10.96.0.0/16"), GOOD,
        "already defined", line=1, id="networks-overlap"),
    Row("zone-twice", block(GRPC, zones="cluster.local 10.96.0.0/16 96.10.in-addr.arpa"), GOOD,
        "already defined", line=1, id="network-and-name"),
    Row("zone-twice", block(GRPC) + "\n" + block("whoami"),
        block("view a {\n expr true\n}", GRPC) + "\n" + block("view b {\n expr true\n}", "whoami")
        + "\n" + block("whoami"), "already defined", line=6, id="views"),
    Row("unknown-directive", block(GRPC, "forwrd . <upstream>"), GOOD, "Unknown directive", line=5),
    Row("external-plugin", block(GRPC, "k8s_gateway cluster.local"), GOOD, "Unknown directive",
        line=5),
    Row("bad-zone", block(GRPC, zones="cluster..local"), GOOD, "not a valid domain name", line=1),
    Row("bad-zone", block(GRPC, zones="cluster.local:70000"), GOOD, "invalid port", line=1,
        id="port"),
    Row("bad-zone", block(GRPC, zones="https3://cluster.local"), GOOD, "requires TLS", line=1,
        id="https3"),
    Row("bad-zone", block(GRPC, zones="::/8"), GOOD, "invalid CIDR", line=1, id="network"),
    Row("refused", block(GRPC, "cache {\n denial 9x\n}"), GOOD, "invalid syntax", line=6),
    Row("refused", block(GRPC, "cache { servfail 0 }"), block(GRPC, "cache {\n servfail 0\n}"),
        "Wrong argument count", line=5, id="one-line"),
    Row("refused", block(GRPC, "errors\n{\n stacktrace\n}"),
        block(GRPC, "errors {\n stacktrace\n}"), "this plugin can only be used once",
        line=6, id="brace-on-the-next-line"),
    Row("refused", block(GRPC, "health 127.0.0.1"), GOOD, "missing port", line=5, id="health"),
    Row("refused", block(GRPC, "reload 1s"), GOOD, "interval value", line=5, id="reload"),
    Row("refused", block(GRPC, "loadbalance random"), GOOD, "unknown policy", line=5,
        id="loadbalance"),
    Row("refused", block(GRPC, "rewrite name a"), GOOD, "too few arguments", line=5, id="rewrite"),
    Row("refused", GOOD.replace("errors\n forward", "errors x\n forward"), GOOD,
        "invalid log file", line=7, id="errors"),
    Row("refused", GOOD + "\nexample.org {\n forward . unix:///run/dns.sock\n}", GOOD,
        "not supported as a destination", line=11, id="forward"),
    Row("refused", GOOD + "\nexample.org {\n hosts {\n fallthrough\n 192.0.2.1 a\n }\n}", GOOD,
        "unknown property", line=13, id="hosts"),
    Row("refused", GOOD + "\nexample.org {\n template IN X\n}", GOOD, "invalid RR class", line=11,
        id="template"),
    Row("refused", block("bind 127.0.0.1:53", GRPC), GOOD, "not a valid IP address", id="bind"),
    Row("refused", block("autopath @grpc", GRPC), GOOD, "AutoPather", id="autopath"),
)
# fmt: on
ROWS: Final = (*STANZA, *BESIDE, *WHOLE, *REFUSED)
