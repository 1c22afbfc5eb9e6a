"""A real API and its controllers, grpcdns, and CoreDNS in front: the answers that clients get."""

from __future__ import annotations

import copy
import signal
from collections.abc import Iterator

import pytest

from harness.accounts import READ_DNS
from harness.dns import ask, section
from harness.fixtures import skip_unless_built
from harness.grpcdns import Grpcdns
from harness.waiting import wait_until
from tests.system.e2e.fixture import MYHOST, WEB_V6, ZONES, World, example_objects, run
from tests.system.e2e.fixture import world as fixture_world

pytestmark = pytest.mark.servers

HEADLESS = "headless.default.svc.cluster.local."
SVC = ".default.svc.cluster.local."
PODS = [f"172.17.0.{n}" for n in (9, 10, 11, 12)]
SECOND = 1.0
"""How soon an answer follows what the API has accepted."""

ROWS = [
    ("xecho" + SVC, "A", [f"xecho{SVC} 5 IN A 10.96.49.52"], []),
    ("52.49.96.10.in-addr.arpa.", "PTR", [f"52.49.96.10.in-addr.arpa. 5 IN PTR xecho{SVC}"], []),
    (MYHOST, "A", [f"{MYHOST} 5 IN A {ip}" for ip in PODS], []),
    (
        MYHOST,
        "SRV",
        [f"{MYHOST} 5 IN SRV 0 25 80 {MYHOST}"],
        [f"{MYHOST} 5 IN A {ip}" for ip in PODS],
    ),
    (HEADLESS, "A", [f"{HEADLESS} 5 IN A {ip}" for ip in PODS], []),
    ("12.0.17.172.in-addr.arpa.", "PTR", [f"12.0.17.172.in-addr.arpa. 5 IN PTR {MYHOST}"], []),
    (
        "database" + SVC,
        "A",
        [f"database{SVC} 5 IN A 192.168.50.11", f"database{SVC} 5 IN A 192.168.50.12"],
        [],
    ),
    ("primary.database" + SVC, "A", [f"primary.database{SVC} 5 IN A 192.168.50.11"], []),
    ("web" + SVC, "A", [f"web{SVC} 5 IN A 10.96.7.7"], []),
    ("web" + SVC, "AAAA", [f"web{SVC} 5 IN AAAA {WEB_V6}"], []),
    (
        "docs" + SVC,
        "A",
        [f"docs{SVC} 5 IN CNAME www.example.org.", "www.example.org. 5 IN A 192.0.2.80"],
        [],
    ),
    ("www.example.org.", "A", ["www.example.org. 30 IN A 192.0.2.80"], []),
]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    for fixture in ("cluster", "coredns"):
        skip_unless_built(fixture)
    with fixture_world() as running:
        yield running


def _age(lines: list[str]) -> list[str]:
    """Records with the TTL that they were given: the cache counts it down."""
    aged = []
    for line in lines:
        name, ttl, rest = line.split(" ", 2)
        aged.append(" ".join((name, "30" if 5 < int(ttl) <= 30 else "5", rest)))
    return sorted(aged)


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize(
    ("qname", "qtype", "answer", "additional"), ROWS, ids=[f"{row[1]}-{row[0]}" for row in ROWS]
)
def test_answers_are_those_of_the_demo(
    world: World, qname: str, qtype: str, answer: list[str], additional: list[str], tcp: bool
) -> None:
    reply = ask(world.coredns.address, qname, qtype, tcp=tcp)
    assert _age(section(reply)) == _age(answer)
    assert _age(section(reply, "additional")) == _age(additional)


def test_pods_come_become_unready_and_go(world: World) -> None:
    """Asks grpcdns directly: CoreDNS's cache keeps an answer for its TTL, as it should."""
    pod = copy.deepcopy(next(o for o in example_objects() if o["kind"] == "Pod"))
    pod["metadata"]["name"] = "late"
    pod["spec"]["hostname"] = "late"
    pod["status"]["podIP"] = "172.17.0.77"
    name = f"late.{HEADLESS}"

    def in_api() -> bool:
        slices = world.cluster.api.list("EndpointSlice", "default", "discovery.k8s.io/v1")
        return any(
            endpoint["addresses"] == ["172.17.0.77"] and endpoint["conditions"]["ready"]
            for one in slices
            for endpoint in one["endpoints"] or ()
        )

    def follows(expected: list[str], what: str) -> None:
        """The controller may take a second: the clock starts when it is done."""
        wait_until(lambda: in_api() == bool(expected), f"the controller: {what}")
        for worker in (0, 1):
            wait_until(
                lambda w=worker: section(world.grpcdns.ask(name, worker=w)) == expected,  # type: ignore[misc]
                what,
                timeout=SECOND,
            )

    follows([], "nothing there yet")
    made = run(world.cluster, pod, ready=False)
    world.cluster.kubelet.set_ready(made, True)
    follows([f"{name} 5 IN A 172.17.0.77"], "the Pod's name")
    world.cluster.kubelet.set_ready(made, False)
    follows([], "the name of a Pod that is not ready")
    world.cluster.kubelet.set_ready(made, True)
    follows([f"{name} 5 IN A 172.17.0.77"], "the name of a Pod that is ready again")
    world.cluster.kubelet.remove(made)
    follows([], "the name of a Pod that is gone")


def test_services_come_and_go(world: World) -> None:
    from harness.objects import port, service

    name = f"later{SVC}"
    made = world.cluster.api.create(service("later", ports=[port(80)], cluster_ips=["10.96.77.77"]))
    for qname, qtype, data in (
        (name, "A", "10.96.77.77"),
        ("77.77.96.10.in-addr.arpa.", "PTR", name),
    ):
        expected = [f"{qname} 5 IN {qtype} {data}"]
        wait_until(
            lambda q=qname, t=qtype, e=expected: section(world.grpcdns.ask(q, t)) == e,  # type: ignore[misc]
            f"{qname} answered",
            timeout=SECOND,
        )
    world.cluster.api.delete(made)
    wait_until(lambda: not world.grpcdns.ask(name).answer, "the name gone", timeout=SECOND)


def test_in_cluster_files_and_nothing_more_than_list_and_watch(world: World) -> None:
    """In a private mount namespace, the service account's files are where a Pod has them."""
    place = world.cluster.in_cluster_files("in-cluster", READ_DNS)
    with Grpcdns("--zones", ZONES, env=place.env, prefix=place.inside) as grpcdns:
        assert section(grpcdns.ask("xecho" + SVC)) == [f"xecho{SVC} 5 IN A 10.96.49.52"]
        grpcdns.process.send(signal.SIGTERM)
        assert grpcdns.process.wait() == 0
