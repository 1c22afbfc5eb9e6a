"""``--ttl-mode adaptive`` behind a real CoreDNS with `cache`, on a real API: cached where nothing
changes, asked every time where something is awaited.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import pytest

from grpcdns.core.handler import ZERO_TTL_RATE
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.grpcdns import Grpcdns
from harness.metrics import samples
from harness.objects import endpoint_slice, port, service
from harness.ports import Address, free_address
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

CACHE: Final = """
    cache 30 {
        success 9984 30 0
        denial 9984 30 0
        servfail 0
    }
"""
"""As in the Corefiles that are shipped: with a minimum of 0 a TTL of 0 stays 0."""
NODELOCAL: Final = """
    cache {
        success 9984 30
        denial 9984 5
    }
"""
"""NodeLocal DNSCache's own cache block. Its minimum TTL is CoreDNS's default, 5 s."""
NODELOCAL_ADAPTED: Final = """
    cache {
        success 9984 30 0
        denial 9984 5 0
    }
"""
IP: Final = "10.9.8.7"


class Setup(NamedTuple):
    ours: Grpcdns
    front: CoreDNS
    """CoreDNS in front of it, with a cache."""
    metrics: Address

    def backend_queries(self) -> float:
        return self._sum("grpcdns_dns_requests_total")

    def zeros(self) -> float:
        return self._sum("grpcdns_dns_ttl_total", 'ttl="zero"')

    def _sum(self, name: str, having: str = "") -> float:
        found = samples(self.metrics)
        return sum(v for k, v in found.items() if k.startswith(name) and having in k)


@pytest.fixture
def setup(cluster: Cluster, coredns: Callable[..., CoreDNS]) -> Iterator[Setup]:
    metrics = free_address()
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics))
    with Grpcdns(*options, "--upstream", "none", "--ttl-mode", "adaptive") as ours:
        front = coredns(f". {{\n    errors\n    {ours.grpc_block}{CACHE}}}")
        yield Setup(ours, front, metrics)


@pytest.fixture
def plugin(cluster: Cluster, coredns: Callable[..., CoreDNS]) -> CoreDNS:
    """kubeadm's own Corefile, as far as the cluster's zone goes."""
    return coredns(f"""
. {{
    errors
    kubernetes cluster.local {{
        kubeconfig {cluster.admin_kubeconfig}
        ttl 30
    }}
    cache 30
}}""")


def answer(address: Address, name: str, qtype: str = "A") -> list[str]:
    return [line.rpartition(" ")[2] for line in section(ask(address, name, qtype))]


def rcode(address: Address, name: str) -> str:
    return ask(address, name).rcode().name


def test_a_quiet_cluster_ip_is_asked_for_once(setup: Setup) -> None:
    name = "kubernetes.default.svc.cluster.local."
    reply = ask(setup.front.address, name)
    assert [rrset.ttl for rrset in reply.answer] == [30]
    before = setup.backend_queries()
    for _ in range(100):
        assert ask(setup.front.address, name).answer
        time.sleep(0.2)  # 20 s in all: an answer with a TTL of 5 s would have expired three times
    assert setup.backend_queries() == before


def test_an_awaited_endpoint_is_answered_at_once(
    setup: Setup, plugin: CoreDNS, cluster: Cluster, namespace: str
) -> None:
    """A client asks for a StatefulSet's Pod before its slice is written. CoreDNS's plugin has
    cached that there is no such name; ours is right by the next try."""
    cluster.api.create(service("db", headless=True, ports=[port(80)], namespace=namespace))
    name = f"db-0.db.{namespace}.svc.cluster.local."
    tag = f"db.{namespace}.svc.cluster.local."
    for server in (setup.front, plugin):
        wait_until(lambda server=server: rcode(server.address, tag) == "NXDOMAIN", "it answers")  # type: ignore[misc]
        assert rcode(server.address, name) == "NXDOMAIN"
    before = setup.backend_queries()
    for _ in range(10):
        assert rcode(setup.front.address, name) == "NXDOMAIN"
    assert setup.backend_queries() == before + 10, "none from the cache"
    points = [{"addresses": [IP], "hostname": "db-0", "conditions": {"ready": True}}]
    cluster.api.create(endpoint_slice("db-a", "db", points, [port(80)], namespace=namespace))
    written = time.monotonic()
    wait_until(lambda: answer(setup.front.address, name) == [IP], "right", interval=0.005)
    print(f"\nright after {time.monotonic() - written:.3f} s")
    assert answer(plugin.address, name) == [], "the plugin's cache still says no"
    (rrset,) = ask(setup.front.address, name).answer
    assert rrset.ttl <= 1, "it has just changed"


def test_a_storm_below_a_headless_service_is_bounded(
    setup: Setup, cluster: Cluster, namespace: str
) -> None:
    """The backend gives only so many answers of TTL 0 a second; CoreDNS caches the others."""
    cluster.api.create(service("db", headless=True, ports=[port(80)], namespace=namespace))
    tag = f"db.{namespace}.svc.cluster.local."
    wait_until(lambda: rcode(setup.front.address, tag) == "NXDOMAIN", "it answers")
    before, began = setup.zeros(), time.monotonic()
    names = [f"x{number % 50}.{tag}" for number in range(8000)]
    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(lambda name: rcode(setup.front.address, name), names)) == {"NXDOMAIN"}
    seconds = time.monotonic() - began
    given = setup.zeros() - before
    assert given > 0
    assert given <= 2 * ZERO_TTL_RATE * (seconds + 2), "each of two workers, each second"


@pytest.mark.parametrize(
    ("cache", "held"), [(NODELOCAL, True), (NODELOCAL_ADAPTED, False)], ids=["own", "adapted"]
)
def test_nodelocal_dnscache_in_front(
    setup: Setup, coredns: Callable[..., CoreDNS], cluster: Cluster, namespace: str,
    cache: str, held: bool,
) -> None:  # fmt: skip
    """Its own minimum TTL of 5 s holds back what is awaited; with a minimum of 0 it does not."""
    upstream = f"{setup.front.address.host}:{setup.front.address.port}"
    node = coredns(f". {{\n    errors\n    forward . {upstream}{cache}}}")
    cluster.api.create(service("db", headless=True, ports=[port(80)], namespace=namespace))
    name = f"db-0.db.{namespace}.svc.cluster.local."
    tag = f"db.{namespace}.svc.cluster.local."
    wait_until(lambda: rcode(setup.front.address, tag) == "NXDOMAIN", "it answers")
    assert rcode(node.address, name) == "NXDOMAIN"
    points = [{"addresses": [IP], "hostname": "db-0", "conditions": {"ready": True}}]
    cluster.api.create(endpoint_slice("db-a", "db", points, [port(80)], namespace=namespace))
    wait_until(lambda: answer(setup.front.address, name) == [IP], "right behind it")
    assert (answer(node.address, name) == []) == held
    wait_until(lambda: answer(node.address, name) == [IP], "right in the end")
