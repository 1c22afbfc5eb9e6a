"""``--topology-zone`` and ``--topology-node`` on a real API with the real controllers: Pods in
three zones, and a grpcdns in each of two of them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import pytest

from harness.api import Object
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.kubelet import Kubelet
from harness.objects import namespace, pod, port, service
from harness.steady import Steady
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ZONES: Final = ("zone-a", "zone-b", "zone-c")
ON_A_NODE: Final = 2
NS: Final = "near"
WITHIN: Final = 1.0
"""Seconds from the slice's change to the new answer."""


def ip(zone: str, number: int) -> str:
    return f"10.20.{ZONES.index(zone)}.{number}"


def of(*zones: str) -> frozenset[str]:
    return frozenset(ip(zone, number) for zone in zones for number in range(ON_A_NODE))


class World(NamedTuple):
    """``pods`` by zone; ``servers`` by the zone that they are told to be in."""

    cluster: Cluster
    kubelets: dict[str, Kubelet]
    pods: dict[str, list[Object]]
    servers: dict[str, Grpcdns]

    def set_ready(self, zone: str, ready: bool) -> float:
        """The Pods of a zone become ready, or stop being so; returns when the slices say so, in
        steady seconds."""
        for one in self.pods[zone]:
            self.kubelets[zone].set_ready(one, ready)
        wait_until(lambda: self.slices_say(zone, ready), "the controller has written it")
        return time.monotonic()

    def slices_say(self, zone: str, ready: bool) -> bool:
        points = [
            point
            for one in self.cluster.api.list("EndpointSlice", NS, "discovery.k8s.io/v1")
            if one["metadata"]["labels"]["kubernetes.io/service-name"].startswith("db")
            for point in one["endpoints"]
            if point["zone"] == zone
        ]
        return bool(points) and all(point["conditions"]["ready"] is ready for point in points)

    def answer(self, zone: str, name: str = "db", worker: int = 0) -> frozenset[str]:
        reply = self.servers[zone].ask(f"{name}.{NS}.svc.cluster.local.", worker=worker)
        return frozenset(record.to_text() for rrset in reply.answer for record in rrset)

    def expect(self, zone: str, given: frozenset[str], *, by: float, name: str = "db") -> None:
        """Both workers answer this; ``by`` is a time in steady seconds."""
        for worker in (0, 1):
            wait_until(
                lambda worker=worker: self.answer(zone, name, worker) == given,  # type: ignore[misc]
                f"{name} as worker {worker} of {zone} should answer",
                timeout=max(0.0, by - time.monotonic()),
                interval=0.01,
            )


def options(zone: str) -> dict[str, str]:
    """As the downward API gives them to a Pod on that zone's node."""
    return {"GRPCDNS_TOPOLOGY_ZONE": zone, "GRPCDNS_TOPOLOGY_NODE": f"node-{zone}"}


def zone_of_a_pod(cluster: Cluster, kubelet: Kubelet) -> str | None:
    """The label that the API gives to a Pod on a Node, once it has heard of the Node."""
    path = f"/api/v1/namespaces/{NS}/pods?dryRun=All"
    made = cluster.api.request("POST", path, pod("dry", namespace=NS, nodeName=kubelet.node))
    found: str | None = made["metadata"].get("labels", {}).get("topology.kubernetes.io/zone")
    return found


@pytest.fixture(scope="module")
def world(cluster: Cluster) -> Iterator[World]:
    api, made = cluster.api, namespace(NS)
    api.create(made)
    kubelets = {zone: Kubelet(api, f"node-{zone}", zone=zone) for zone in ZONES}
    run: dict[str, Any] = {"namespace": NS, "labels": {"app": "db"}}
    for zone, kubelet in kubelets.items():
        kubelet.remove(kubelet.run(pod("first", namespace=NS), ["10.20.9.9"]))
        wait_until(lambda kubelet=kubelet: zone_of_a_pod(cluster, kubelet), f"{zone} is known")  # type: ignore[misc]
    pods = {
        zone: [
            kubelet.run(pod(f"{zone}-{number}", **run), [ip(zone, number)])
            for number in range(ON_A_NODE)
        ]
        for zone, kubelet in kubelets.items()
    }
    spec: dict[str, Any] = {
        "namespace": NS, "headless": True, "selector": {"app": "db"}, "ports": [port(80, "http")],
    }  # fmt: skip
    for name, field in (("db", "PreferSameZone"), ("db-close", "PreferClose"),
                        ("db-node", "PreferSameNode"), ("db-all", None)):  # fmt: skip
        asks: dict[str, Any] = {"trafficDistribution": field} if field else {}
        api.create(service(name, **spec, **asks))
    with ExitStack() as stack:
        servers = {
            zone: stack.enter_context(
                Grpcdns("--kubeconfig", cluster.admin_kubeconfig, "--upstream", "none",
                        env=options(zone))
            )
            for zone in ZONES[:2]
        }  # fmt: skip
        yield World(cluster, kubelets, pods, servers)
    api.delete(made)


def soon() -> float:
    return time.monotonic() + 10


def test_the_controllers_write_hints_and_pods_know_their_zone(world: World) -> None:
    """What the documented set-up relies on."""
    for zone in ZONES:
        found = world.cluster.api.get("Pod", f"{zone}-0", NS)
        assert found["metadata"]["labels"]["topology.kubernetes.io/zone"] == zone

    def hints(name: str) -> list[Any]:
        query = {"labelSelector": f"kubernetes.io/service-name={name}"}
        slices = world.cluster.api.list("EndpointSlice", NS, "discovery.k8s.io/v1", **query)
        return [point.get("hints") for one in slices for point in one["endpoints"]]

    count = ON_A_NODE * len(ZONES)
    wait_until(lambda: all(len(hints(name)) == count for name in ("db", "db-node")), "slices")
    assert all(hint["forZones"] and "forNodes" not in hint for hint in hints("db"))
    assert all(hint["forZones"] and hint["forNodes"] for hint in hints("db-node"))
    assert set(map(str, hints("db-all"))) == {"None"}


@pytest.mark.parametrize("zone", ZONES[:2])
def test_each_answers_its_own_zone(world: World, zone: str) -> None:
    for name in ("db", "db-close", "db-node"):
        world.expect(zone, of(zone), by=soon(), name=name)
    world.expect(zone, of(*ZONES), by=soon(), name="db-all")


def test_a_zone_that_fails_and_comes_back(world: World) -> None:
    first, second, third = ZONES
    world.expect(first, of(first), by=soon())
    try:
        changed = world.set_ready(first, False)
        world.expect(first, of(second, third), by=changed + WITHIN)
        world.expect(second, of(second), by=changed + WITHIN)
    finally:
        changed = world.set_ready(first, True)
    world.expect(first, of(first), by=changed + WITHIN)


def test_a_zone_with_too_few_is_not_preferred(world: World) -> None:
    """One endpoint of four in two zones is a half of an equal share, one of eight is not."""
    first = ZONES[0]
    kubelet = world.kubelets[ZONES[2]]
    labels = {"app": "crowd"}
    spec: dict[str, Any] = {
        "namespace": NS, "headless": True, "selector": labels, "ports": [port(80)],
    }  # fmt: skip
    world.cluster.api.create(service("crowd", **spec, trafficDistribution="PreferSameZone"))
    crowd = [f"10.21.0.{number}" for number in range(7)]
    made = pod("crowd-a", namespace=NS, labels=labels)
    world.kubelets[first].run(made, ["10.21.1.1"])
    for number, address in enumerate(crowd[:3]):
        kubelet.run(pod(f"crowd-{number}", namespace=NS, labels=labels), [address])
    world.expect(first, frozenset({"10.21.1.1"}), by=soon(), name="crowd")
    for number, address in enumerate(crowd[3:], 3):
        kubelet.run(pod(f"crowd-{number}", namespace=NS, labels=labels), [address])
    world.expect(first, frozenset({"10.21.1.1", *crowd}), by=soon(), name="crowd")


@pytest.mark.parametrize("ready", [True, False], ids=["its zone is ready", "its zone has failed"])
@pytest.mark.parametrize("zone", ZONES[:2])
def test_kill_9_of_a_worker_loses_nothing(
    world: World, coredns: Callable[..., CoreDNS], zone: str, ready: bool
) -> None:
    """Through CoreDNS: every answer, before and after, is the endpoints of that zone, or those of
    the others while it has no ready ones."""
    given = of(zone) if ready else of(*(one for one in ZONES if one != zone))
    server = world.servers[zone]
    try:
        if not ready:
            world.set_ready(zone, False)
        world.expect(zone, given, by=soon())
        kill_while_asked(server, coredns, {(f"db.{NS}.svc.cluster.local.", "A"): given})
        world.expect(zone, given, by=soon())
    finally:
        if not ready:
            world.set_ready(zone, True)
    world.expect(zone, of(zone), by=soon())


def kill_while_asked(
    server: Grpcdns,
    coredns: Callable[..., CoreDNS],
    questions: Mapping[tuple[str, str], frozenset[str]],
) -> None:
    front = coredns(f". {{\nerrors\n{server.grpc_block}\n}}")
    with Steady(front.address, dict(questions), rate=50) as steady:
        wait_until(lambda: steady.report().right > 20, "asked")
        pid = server.children()["worker 0"]
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: server.children().get("worker 0", pid) != pid, "another worker")
        wait_until(server.serving, "it serves", timeout=30)
        right = steady.report().right
        wait_until(lambda: steady.report().right > right + 20, "asked after it")
    report = steady.report()
    print(f"\n{report}")
    assert not report.failed
