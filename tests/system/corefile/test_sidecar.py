"""``corefile/sidecar.Corefile`` in a real CoreDNS with a real grpcdns: every promise it makes.

Only addresses and paths are replaced: the sockets' folder, the upstream (a second CoreDNS), and the
ports of metrics, health and readiness.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

import dns.message
import dns.rcode
import pytest

from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.fixtures import skip_unless_built
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.ports import Address, free_address
from harness.waiting import wait_until

pytestmark = pytest.mark.servers

SHIPPED = (ROOT / "corefile" / "sidecar.Corefile").read_text()
OPTIONS = (
    *("--zones", "cluster.local,10.96.0.0/12,10.244.0.0/16", "--upstream", "none"),
    *("--ttl-mode", "adaptive", "--ttl-stable", "30"),
)
XECHO = "xecho.default.svc.cluster.local."
# All other names, with reverse names of public addresses and of private ones outside the cluster.
WORLD = """
. {
    hosts {
        192.0.2.80 www.example.org
        8.8.8.8 dns.example.org
        10.1.2.3 printer.example.org
        172.30.0.1 router.example.org
    }
}
"""


class Sidecar(NamedTuple):
    """The running servers."""

    front: CoreDNS
    backend: Grpcdns
    world: CoreDNS
    metrics: Address
    health: Address
    ready: Address

    def ask(self, qname: str, qtype: str = "A", *, tcp: bool = False) -> dns.message.Message:
        return ask(self.front.address, qname, qtype, tcp=tcp)

    def counter(self, name: str, having: str = "") -> float:
        """The sum over a metric's series, or over those with ``having`` in their labels."""
        lines = get(self.metrics, "metrics").splitlines()
        series = [line for line in lines if line.startswith(name) and having in line]
        return sum(float(line.rpartition(" ")[2]) for line in series)

    def answers_of(self, socket: int) -> float:
        """How many answers CoreDNS got from a worker."""
        return self.counter("coredns_grpc_responses_total", f"/{socket}.sock")


def get(address: Address, path: str) -> str:
    """The body of a 200; "" for another status."""
    try:
        with urllib.request.urlopen(f"http://{address}/{path}", timeout=5) as reply:
            return str(reply.read().decode())
    except urllib.error.HTTPError:
        return ""


def swapped(**places: object) -> str:
    """The shipped Corefile with its addresses and paths replaced; each must occur in it."""
    text = SHIPPED
    for old, new in (
        ("unix:///run/grpcdns/", f"unix://{places['sockets']}/"),
        ("forward . /etc/resolv.conf", f"forward . {places['world']}"),
        ("prometheus :9153", f"prometheus {places['metrics']}"),
        ("    health {", f"    health {places['health']} {{"),
        ("    ready\n", f"    ready {places['ready']}\n"),
        ("lameduck 5s", "lameduck 100ms"),
    ):
        assert old in text, f"the Corefile no longer says {old!r}"
        text = text.replace(old, new)
    return text


@contextlib.contextmanager
def sidecar() -> Iterator[Sidecar]:
    skip_unless_built("coredns")
    metrics, health, ready = (free_address() for _ in range(3))
    with (
        Grpcdns("--manifests", EXAMPLES, *OPTIONS) as backend,
        CoreDNS(WORLD) as world,
        CoreDNS(
            swapped(
                sockets=backend.folder,
                world=world.address,
                metrics=metrics,
                health=health,
                ready=ready,
            )
        ) as front,
    ):
        yield Sidecar(front, backend, world, metrics, health, ready)


@pytest.fixture(scope="module")
def running() -> Iterator[Sidecar]:
    with sidecar() as everything:
        yield everything


@pytest.fixture
def fresh() -> Iterator[Sidecar]:
    """Servers of one test, which may break them."""
    with sidecar() as everything:
        yield everything


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_names_of_the_cluster_come_from_grpcdns(running: Sidecar, tcp: bool) -> None:
    reply = running.ask(XECHO, tcp=tcp)
    assert section(reply) == [f"{XECHO} {reply.answer[0].ttl} IN A 10.96.49.52"]
    assert 20 < reply.answer[0].ttl <= 30, "a ClusterIP that does not change"
    assert section(running.ask("52.49.96.10.in-addr.arpa.", "PTR", tcp=tcp))[0].endswith(
        f" IN PTR {XECHO}"
    )


@pytest.mark.parametrize(
    "qname", ["1.0.0.10.in-addr.arpa.", "1.0.97.10.in-addr.arpa.", "9.9.244.10.in-addr.arpa."]
)
def test_only_reverse_names_of_the_listed_networks_are_ours(running: Sidecar, qname: str) -> None:
    reply = running.ask(qname, "PTR")
    ours = bool(reply.authority) and reply.authority[0].name.to_text().endswith(".in-addr.arpa.")
    assert ours == (".0.0.10." not in f".{qname}")


@pytest.mark.parametrize(
    ("qname", "qtype", "data"),
    [
        ("www.example.org.", "A", "192.0.2.80"),
        ("8.8.8.8.in-addr.arpa.", "PTR", "dns.example.org."),
        ("3.2.1.10.in-addr.arpa.", "PTR", "printer.example.org."),
        ("1.0.30.172.in-addr.arpa.", "PTR", "router.example.org."),
    ],
)
def test_everything_else_is_forwarded(running: Sidecar, qname: str, qtype: str, data: str) -> None:
    assert [record.to_text() for rrset in running.ask(qname, qtype).answer for record in rrset] == [
        data
    ]


def test_unknown_name_of_the_cluster_is_nxdomain_and_not_forwarded(running: Sidecar) -> None:
    reply = running.ask("none.default.svc.cluster.local.")
    assert reply.rcode() == dns.rcode.NXDOMAIN
    assert section(reply, "authority")[0].startswith(
        "cluster.local. 5 IN SOA ns.dns.cluster.local."
    )


@pytest.mark.parametrize(
    "qname", ["web.default.svc.cluster.local.", "nope.default.svc.cluster.local."]
)
def test_answers_are_cached(running: Sidecar, qname: str) -> None:
    running.ask(qname)
    before = running.counter("coredns_cache_hits_total")
    running.ask(qname)
    assert running.counter("coredns_cache_hits_total") == before + 1


def test_what_is_awaited_is_not_cached(running: Sidecar) -> None:
    """CoreDNS asks every time for a name below a headless Service that has no endpoint yet."""
    before = running.counter("coredns_grpc_responses_total")
    for _ in range(10):
        reply = running.ask("not-yet.headless.default.svc.cluster.local.")
        assert reply.rcode() == dns.rcode.NXDOMAIN
    assert running.counter("coredns_grpc_responses_total") == before + 10


def test_the_order_of_addresses_changes(running: Sidecar) -> None:
    name = "headless.default.svc.cluster.local."
    orders = {tuple(r.to_text() for r in running.ask(name).answer[0]) for _ in range(40)}
    assert len(orders) > 1


def test_ready_health_and_metrics(running: Sidecar) -> None:
    assert get(running.ready, "ready") == "OK"
    assert get(running.health, "health") == "OK"
    running.ask(XECHO)
    assert running.counter("coredns_dns_requests_total") > 0
    assert running.counter("coredns_grpc_requests_total") > 0


def test_both_sockets_are_used(running: Sidecar) -> None:
    before = [running.answers_of(socket) for socket in (0, 1)]
    for n in range(20):
        running.ask(f"both-{n}.default.svc.cluster.local.")
    assert [running.answers_of(socket) for socket in (0, 1)] == [count + 10 for count in before]


@pytest.mark.slow
def test_a_killed_worker_loses_no_answer(fresh: Sidecar) -> None:
    names = (f"n{n}.default.svc.cluster.local." for n in itertools.count())
    for socket in (0, 1):
        os.kill(fresh.backend.children()[f"worker {socket}"], signal.SIGKILL)
        assert {fresh.ask(next(names)).rcode() for _ in range(100)} == {dns.rcode.NXDOMAIN}
        before = fresh.answers_of(socket)
        while fresh.answers_of(socket) == before:  # bounded by the test's timeout
            fresh.ask(next(names))


@pytest.mark.slow
def test_servfail_is_not_cached(fresh: Sidecar) -> None:
    """SERVFAIL without workers; answers again as soon as CoreDNS has reconnected."""
    name = "database.default.svc.cluster.local."
    fresh.backend.stop()
    assert fresh.ask(name).rcode() == dns.rcode.SERVFAIL
    assert get(fresh.ready, "ready") == "OK"  # CoreDNS's ready says nothing about grpcdns
    fresh.backend.start()
    wait_until(lambda: len(section(fresh.ask(name))) == 2, "answered again", timeout=3)


def test_other_names_are_answered_without_grpcdns(fresh: Sidecar) -> None:
    fresh.backend.stop()
    assert section(fresh.ask("www.example.org."))[0].endswith(" IN A 192.0.2.80")
