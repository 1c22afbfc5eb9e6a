"""The real controllers and ours make slices of the same Services, Pods and Endpoints, at random.

A real API server and kube-controller-manager get them, a namespace for each draw, with a test
playing kubelet. We get them as they were written and as `kubectl get` prints them afterwards.
Compared is what the slices of each Service say, and their labels; how endpoints are cut into
slices, and the slices' names, differ.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from random import Random
from typing import Any, Final

import pytest
from dns.rcode import NXDOMAIN

from grpcdns.source.kinds import SERVICE_NAME, Fields, pod_label
from grpcdns.source.manifests.controllers import (
    HEADLESS,
    ManifestEndpoints,
    ManifestPod,
    ManifestService,
    make_slices,
)
from grpcdns.source.manifests.source import read_contents
from harness.api import Object
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.objects import namespace
from harness.waiting import wait_until
from tests.unit.core.test_orders import SEED

pytestmark = [pytest.mark.servers, pytest.mark.slow]

DRAWS: Final = int(os.environ.get("DIFFERENTIAL_CLUSTERS", "12"))
NAMES: Final = ("web", "db", "x", "api")
LABELS: Final = ({"app": "a"}, {"app": "b"}, {"app": "a", "tier": "t"}, {"tier": "t"}, {"app": ""})
OWN_LABELS: Final[tuple[dict[str, str], ...]] = ({}, {"team": "x"}, {"team": "x", HEADLESS: ""},
                     {"endpointslice.kubernetes.io/managed-by": "me"})  # fmt: skip

Spread = dict[str, set[tuple[Any, ...]]]
"""For each Service what its slices say: family, address, ready, hostname, Pod, ports, labels."""


def test_slices(cluster: Cluster) -> None:
    print(f"DIFFERENTIAL_SEED={SEED}")
    random = Random(SEED)
    draws = {f"made-{SEED % 1000}-{number}": draw(random) for number in range(DRAWS)}
    printed = {name: _create(cluster, name, objects) for name, objects in draws.items()}
    expected = {name: made(objects) for name, objects in printed.items()}

    def agree() -> bool:
        return all(real(cluster, name) == spread for name, spread in expected.items())

    try:
        wait_until(agree, "the controllers agree", timeout=30)
    finally:
        for name, objects in draws.items():
            assert _differences(real(cluster, name), expected[name]) == {}, json.dumps(objects)
    for name, objects in draws.items():
        written = [_with_families(one) for one in objects]
        assert _differences(expected[name], made(written)) == {}, json.dumps(objects)
    assert any(spread for spread in expected.values())


def test_hostname_override_makes_no_name(cluster: Cluster) -> None:
    """It is the name that a container sees (Kubernetes 1.34, KEP-4762). DNS names are made of
    hostname and subdomain as ever, and of the address where there is no hostname."""
    space = f"override-{SEED % 1000}"
    spec = {"hostnameOverride": "other.example", "subdomain": "x",
            "automountServiceAccountToken": False,
            "containers": [{"name": "c", "image": "i"}]}  # fmt: skip
    pods = [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": "a"}},
         "spec": {**spec, **more},
         "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}],
                    "conditions": [{"type": "Ready", "status": "True"}]}}
        for name, ip, more in (("named", "10.1.7.1", {"hostname": "h"}), ("bare", "10.1.7.2", {}))
    ]  # fmt: skip
    headless = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
                "spec": {"clusterIP": "None", "selector": {"app": "a"}}}  # fmt: skip
    printed = _create(cluster, space, [headless, *pods])
    assert [one["spec"].get("hostnameOverride") for one in printed[1:]] == ["other.example"] * 2
    wait_until(lambda: real(cluster, space) == made(printed), "the controllers agree", timeout=30)
    found = {row[1]: row[3] for row in made(printed)["x"]}
    assert found == {"10.1.7.1": "h", "10.1.7.2": ""}
    with Grpcdns("--kubeconfig", cluster.admin_kubeconfig, "--upstream", "none") as server:
        for label, address in (("h", "10.1.7.1"), ("10-1-7-2", "10.1.7.2")):
            reply = server.ask(f"{label}.x.{space}.svc.cluster.local.")
            assert [record.to_text() for rrset in reply.answer for record in rrset] == [address]
        for name in ("other", "other.example", "10-1-7-1"):
            assert server.ask(f"{name}.x.{space}.svc.cluster.local.").rcode() == NXDOMAIN, name


def draw(random: Random) -> list[Object]:
    """The Services, Endpoints and Pods of a namespace, as one would write them."""
    services = [_service(random, name) for name in random.sample(NAMES, 3)]
    endpoints = [_endpoints(random, name) for name in random.sample(NAMES, random.randrange(3))]
    selecting = {one["metadata"]["name"] for one in services if one["spec"].get("selector")}
    pods = [_pod(random, number) for number in range(random.randrange(6))]
    return [
        *services,
        *(one for one in endpoints if one["metadata"]["name"] not in selecting),
        *pods,
    ]


def made(objects: Iterable[Object]) -> Spread:
    """What our slices say."""
    entries = read_contents("\n".join(map(json.dumps, objects)).encode(), Fields()).entries
    raws = [entry.load() for entry in entries]
    spread: Spread = {}
    for each, labels in make_slices(
        [raw for raw in raws if isinstance(raw, ManifestService)],
        [raw for raw in raws if isinstance(raw, ManifestEndpoints)],
        [raw for raw in raws if isinstance(raw, ManifestPod)],
        frozenset(),
    ):
        ports = tuple(sorted((port.name, port.protocol, port.number) for port in each.ports))
        spread.setdefault(each.service, set()).update(
            (each.address_type, address, end.ready, end.hostname, end.pod, ports,
             tuple(sorted(labels.items())))
            for end in each.endpoints for address in end.addresses
        )  # fmt: skip
    return spread


def real(cluster: Cluster, space: str) -> Spread:
    """What the controllers' slices say."""
    spread: Spread = {}
    for each in cluster.api.list("EndpointSlice", space, "discovery.k8s.io/v1"):
        labels = each["metadata"]["labels"]
        rows = {
            (each["addressType"], address, end["conditions"]["ready"], end.get("hostname") or "",
             pod_label((end.get("targetRef") or {}).get("name")),
             tuple(sorted((p["name"], p["protocol"], p["port"]) for p in each["ports"] or ())),
             tuple(sorted(labels.items())))
            for end in each["endpoints"] or () for address in end["addresses"]
        }  # fmt: skip
        if rows:
            spread.setdefault(labels[SERVICE_NAME], set()).update(rows)
    return spread


def _with_families(obj: Object) -> Object:
    """The one default that depends on the cluster."""
    if obj["kind"] != "Service" or obj["spec"].get("type") == "ExternalName":
        return obj
    return {**obj, "spec": {"ipFamilies": ["IPv4"], **obj["spec"]}}


def _differences(theirs: Spread, ours: Spread) -> dict[str, dict[str, Any]]:
    return {
        name: {"theirs": theirs.get(name, set()) - ours.get(name, set()),
               "ours": ours.get(name, set()) - theirs.get(name, set())}
        for name in theirs.keys() | ours.keys() if theirs.get(name) != ours.get(name)
    }  # fmt: skip


def _create(cluster: Cluster, space: str, objects: list[Object]) -> list[Object]:
    """The objects as the API has them then."""
    cluster.api.create(namespace(space))
    found = []
    for written in objects:
        obj = {**written, "metadata": {**written["metadata"], "namespace": space}}
        if obj["kind"] != "Pod":
            found.append(cluster.api.create(obj))
            continue
        status = obj.pop("status")
        terminating = obj["metadata"].pop("deletionTimestamp", None)
        created = cluster.kubelet.run(obj, (), ready=False)
        created = cluster.api.patch_status(created, status)
        if terminating:
            cluster.kubelet.terminate(created)
            created = cluster.api.get("Pod", created["metadata"]["name"], space)
        found.append(created)
    return found


def _service(random: Random, name: str) -> Object:
    spec: Object = {}
    kind = random.choice(("cluster", "cluster", "headless", "headless", "dual", "six", "external"))
    if random.random() < 0.7:
        spec["selector"] = random.choice(LABELS)
    if kind == "external":
        spec |= {"type": "ExternalName", "externalName": "www.example.net"}
    elif kind == "headless":
        spec["clusterIP"] = "None"
    elif kind == "dual":
        spec |= {"ipFamilies": ["IPv4", "IPv6"], "ipFamilyPolicy": "RequireDualStack"}
        spec |= {"clusterIP": "None"} if random.random() < 0.5 else {}
    elif kind == "six":
        spec |= {"ipFamilies": ["IPv6"]}
    if kind != "headless" or random.random() < 0.8:
        several = random.sample(((80, "http", "TCP", "web"), (81, "alt", "TCP", 8081),
                                 (53, "dns", "UDP", "dns"), (53, "dns-tcp", "TCP", None)),
                                random.randrange(1, 4))  # fmt: skip
        spec["ports"] = [
            {"port": number, "name": port, "protocol": protocol,
             **({"targetPort": target} if target else {})}
            for number, port, protocol, target in several
        ]  # fmt: skip
    if random.random() < 0.2:
        spec["publishNotReadyAddresses"] = True
    if kind in ("cluster", "dual", "six") and "clusterIP" not in spec:
        spec["type"] = random.choice(("ClusterIP", "NodePort", "LoadBalancer"))
    meta = {"name": name, "labels": random.choice(OWN_LABELS)}
    return {"apiVersion": "v1", "kind": "Service", "metadata": meta, "spec": spec}


def _pod(random: Random, number: int) -> Object:
    name = random.choice((f"pod-{number}", f"dotted.pod-{number}", f"{'p' * 62}{number}",
                          f"{'p' * 70}{number}"))  # fmt: skip
    meta: Object = {"name": name, "labels": random.choice(LABELS)}
    spec: Object = {"automountServiceAccountToken": False, "containers": [_container(random, "c")]}
    if random.random() < 0.3:
        sidecar = _container(random, "s")
        spec["initContainers"] = [{**sidecar, "restartPolicy": "Always"}
                                  if random.random() < 0.5 else sidecar]  # fmt: skip
    if random.random() < 0.5:
        spec["hostname"] = f"host-{number}"
    if random.random() < 0.3:
        spec["hostnameOverride"] = f"{random.choice(NAMES)}.example"
    if random.random() < 0.6:
        spec["subdomain"] = random.choice(NAMES)
    four, six = f"10.1.0.{random.randrange(1, 9)}", f"fd00::{random.randrange(1, 9)}"
    ips = random.choice(((four,), (four,), (four, six), (six, four), (six,), ()))
    status: Object = {
        "phase": random.choice(("Running", "Running", "Running", "Pending", "Succeeded", "Failed")),
        "conditions": [{"type": "Ready", "status": random.choice(("True", "True", "False"))}],
    }
    if ips:
        status |= {"podIP": ips[0], "podIPs": [{"ip": ip} for ip in ips]}
    if random.random() < 0.2 and status["phase"] == "Running":
        meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def _container(random: Random, name: str) -> Object:
    ports = random.sample(({"name": "web", "containerPort": 8080},
                           {"name": "web", "containerPort": 9090, "protocol": "UDP"},
                           {"name": "dns", "containerPort": 5353, "protocol": "UDP"}),
                          random.randrange(3))  # fmt: skip
    ports = list({port["name"]: port for port in ports}.values())
    return {"name": name, "image": "i", "ports": ports}


def _endpoints(random: Random, name: str) -> Object:
    meta: Object = {"name": name, "labels": random.choice(({}, {"team": "y"}))}
    if random.random() < 0.15:
        meta["labels"] = {"endpointslice.kubernetes.io/skip-mirror": random.choice(("true", "no"))}
    if random.random() < 0.1:
        meta["annotations"] = {"control-plane.alpha.kubernetes.io/leader": "{}"}
    subsets = [_subset(random) for _ in range(random.randrange(4))]
    return {"apiVersion": "v1", "kind": "Endpoints", "metadata": meta, "subsets": subsets}


def _subset(random: Random) -> Object:
    addresses = [_address(random) for _ in range(random.randrange(1, 4))]
    subset: Object = {random.choice(("addresses", "notReadyAddresses")): addresses}
    if random.random() < 0.4:
        subset["notReadyAddresses"] = [_address(random)]
    if random.random() < 0.8:
        subset["ports"] = random.sample(({"name": "http", "port": 80}, {"name": "alt", "port": 81},
                                         {"name": "dns", "port": 53, "protocol": "UDP"}),
                                        random.randrange(1, 3))  # fmt: skip
    return subset


def _address(random: Random) -> Object:
    made: Object = {"ip": random.choice(("10.2.0.1", "10.2.0.2", "fd00:2::1", "fd00:2::2"))}
    if random.random() < 0.3:
        made["hostname"] = random.choice(("h-1", "h-2"))
    if random.random() < 0.3:
        made["targetRef"] = {"kind": "Pod", "name": random.choice(("p-1", "p-2"))}
    return made
