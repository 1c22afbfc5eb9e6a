"""The slices made of hand-written manifests are those that a cluster's controllers make.

The rows say what is made; `test_as_the_real_controllers_do` has each of them made by real
controllers too, and compares.
"""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import EndpointSlice, Kind, unpack
from grpcdns.source.kinds import Fields
from grpcdns.source.manifests.assembled import assemble
from grpcdns.source.manifests.source import read_contents
from harness.cluster import Cluster
from harness.waiting import wait_until

Spread = set[tuple[Any, ...]]
"""What slices say of a Service, however they are cut: rows of family, address, ready, hostname,
pod and ports."""


def svc(selector: str = "", ports: str = "[{name: http, port: 80}]", more: str = "") -> str:
    select = f"  selector: {selector}\n" if selector else ""
    return (
        "apiVersion: v1\nkind: Service\nmetadata: {name: svc}\n"
        f"spec:\n  clusterIP: None\n  ports: {ports}\n{select}{more}---\n"
    )


def eps(subsets: str, meta: str = "") -> str:
    return (
        f"apiVersion: v1\nkind: Endpoints\nmetadata: {{name: svc{meta}}}\nsubsets: {subsets}\n---\n"
    )


def pod(name: str, ip: str, *, ready: str = "True", spec: str = "", labels: str = "{app: a}",
        ports: str = "[]", phase: str = "Running", more_ips: str = "") -> str:  # fmt: skip
    return (
        f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, labels: {labels}}}\n"
        f"spec: {{{spec}containers: [{{name: c, image: i, ports: {ports}}}]}}\n"
        f"status: {{phase: {phase}, podIP: '{ip}', podIPs: [{{ip: '{ip}'}}{more_ips}],"
        f" conditions: [{{type: Ready, status: '{ready}'}}]}}\n---\n"
    )


HTTP = (("http", "TCP", 80),)
ONE = "[{addresses: [{ip: 10.1.0.1}], ports: [{name: http, port: 80}]}]"

ROWS: dict[str, tuple[str, Spread]] = {
    "mirror: an address": (svc() + eps(ONE), {("IPv4", "10.1.0.1", True, "", "", HTTP)}),
    "mirror: not ready": (
        svc() + eps("[{notReadyAddresses: [{ip: 10.1.0.1}], ports: [{name: http, port: 80}]}]"),
        {("IPv4", "10.1.0.1", False, "", "", HTTP)}),
    "mirror: hostname and pod": (
        svc() + eps("[{addresses: [{ip: 10.1.0.1, hostname: h, targetRef: {kind: Pod, name: p}}],"
                    " ports: [{name: http, port: 80}]}]"),
        {("IPv4", "10.1.0.1", True, "h", "p", HTTP)}),
    "mirror: both families": (
        svc() + eps("[{addresses: [{ip: 10.1.0.1}, {ip: 'fd00::1'}],"
                    " ports: [{name: http, port: 80}]}]"),
        {("IPv4", "10.1.0.1", True, "", "", HTTP), ("IPv6", "fd00::1", True, "", "", HTTP)}),
    "mirror: no ports": (
        svc(ports="[]") + eps("[{addresses: [{ip: 10.1.0.1}]}]"),
        {("IPv4", "10.1.0.1", True, "", "", ())}),
    "mirror: two subsets": (
        svc() + eps("[{addresses: [{ip: 10.1.0.1}], ports: [{name: a, port: 1}]},"
                    " {addresses: [{ip: 10.1.0.2}], ports: [{name: b, port: 2, protocol: UDP}]}]"),
        {("IPv4", "10.1.0.1", True, "", "", (("a", "TCP", 1),)),
         ("IPv4", "10.1.0.2", True, "", "", (("b", "UDP", 2),))}),
    "mirror: ports of the same addresses belong together": (
        svc() + eps("[{addresses: [{ip: 10.1.0.1}], ports: [{name: a, port: 1}]},"
                    " {addresses: [{ip: 10.1.0.1}], ports: [{name: b, port: 2}]}]"),
        {("IPv4", "10.1.0.1", True, "", "", (("a", "TCP", 1), ("b", "TCP", 2)))}),
    "mirror: once not ready is not ready": (
        svc() + eps("[{addresses: [{ip: 10.1.0.1}], notReadyAddresses: [{ip: 10.1.0.1}],"
                    " ports: [{name: http, port: 80}]}]"),
        {("IPv4", "10.1.0.1", False, "", "", HTTP)}),
    "mirror: told not to": (
        svc() + eps(ONE, ", labels: {endpointslice.kubernetes.io/skip-mirror: 'true'}"), set()),
    "mirror: a leader's lock": (
        svc() + eps(ONE, ", annotations: {control-plane.alpha.kubernetes.io/leader: '{}'}"), set()),
    "mirror: no Service": (eps(ONE), set()),
    "mirror: no subsets": (svc() + eps("[]"), set()),
    "pods: ready": (
        svc("{app: a}") + pod("p", "10.1.0.1"), {("IPv4", "10.1.0.1", True, "", "p", HTTP)}),
    "pods: not ready": (
        svc("{app: a}") + pod("p", "10.1.0.1", ready="False"),
        {("IPv4", "10.1.0.1", False, "", "p", HTTP)}),
    "pods: not ready and published": (
        svc("{app: a}", more="  publishNotReadyAddresses: true\n")
        + pod("p", "10.1.0.1", ready="False"),
        {("IPv4", "10.1.0.1", True, "", "p", HTTP)}),
    "pods: an ExternalName that kept its selector": (
        svc("{app: a}", more="  type: ExternalName\n  externalName: a.example\n")
        .replace("  clusterIP: None\n", "") + pod("p", "10.1.0.1"), set()),
    "mirror: an ExternalName": (
        svc(more="  type: ExternalName\n  externalName: a.example\n")
        .replace("  clusterIP: None\n", "") + eps(ONE),
        {("IPv4", "10.1.0.1", True, "", "", HTTP)}),
    "pods: of other labels": (
        svc("{app: a, tier: b}") + pod("p", "10.1.0.1"), set()),
    "pods: finished": (
        svc("{app: a}") + pod("p", "10.1.0.1", phase="Succeeded"), set()),
    "pods: hostname at home": (
        svc("{app: a}") + pod("p", "10.1.0.1", spec="hostname: h, subdomain: svc, "),
        {("IPv4", "10.1.0.1", True, "h", "p", HTTP)}),
    "pods: hostname of another Service": (
        svc("{app: a}") + pod("p", "10.1.0.1", spec="hostname: h, subdomain: other, "),
        {("IPv4", "10.1.0.1", True, "", "p", HTTP)}),
    "pods: named target port": (
        svc("{app: a}", "[{name: http, port: 80, targetPort: web}]")
        + pod("p", "10.1.0.1", ports="[{name: web, containerPort: 8080}]")
        + pod("q", "10.1.0.2", ports="[{name: web, containerPort: 9090}]"),
        {("IPv4", "10.1.0.1", True, "", "p", (("http", "TCP", 8080),)),
         ("IPv4", "10.1.0.2", True, "", "q", (("http", "TCP", 9090),))}),
    "pods: named target port of another protocol": (
        svc("{app: a}", "[{name: http, port: 80, targetPort: web}, {name: x, port: 81}]")
        + pod("p", "10.1.0.1", ports="[{name: web, containerPort: 8080, protocol: UDP}]"),
        {("IPv4", "10.1.0.1", True, "", "p", (("x", "TCP", 81),))}),
    "pods: target port is a number": (
        svc("{app: a}", "[{name: http, port: 80, targetPort: 8080}]") + pod("p", "10.1.0.1"),
        {("IPv4", "10.1.0.1", True, "", "p", (("http", "TCP", 8080),))}),
    "pods: no ports": (
        svc("{app: a}", "[]") + pod("p", "10.1.0.1"), {("IPv4", "10.1.0.1", True, "", "p", ())}),
    "pods: both families asked for": (
        svc("{app: a}", more="  ipFamilyPolicy: RequireDualStack\n  ipFamilies: [IPv4, IPv6]\n")
        + pod("p", "10.1.0.1", more_ips=", {ip: 'fd00::1'}"),
        {("IPv4", "10.1.0.1", True, "", "p", HTTP), ("IPv6", "fd00::1", True, "", "p", HTTP)}),
    "pods: one family of two": (
        svc("{app: a}", more="  ipFamilies: [IPv4]\n")
        + pod("p", "10.1.0.1", more_ips=", {ip: 'fd00::1'}"),
        {("IPv4", "10.1.0.1", True, "", "p", HTTP)}),
}  # fmt: skip


def made(text: str, policy: Policy) -> Spread:
    entries = read_contents(text.encode(), Fields()).entries
    found = assemble(entries, Config(), policy)[Kind.ENDPOINT_SLICE]
    slices = [unpack(Kind.ENDPOINT_SLICE, body) for _, body, _ in found.values() if body]
    return {
        (each.address_type, address, end.ready, end.hostname, end.pod,
         tuple(sorted((p.name, p.protocol, p.number) for p in each.ports)))
        for each in slices if isinstance(each, EndpointSlice) and each.service == "svc"
        for end in each.endpoints for address in end.addresses
    }  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), ROWS.values(), ids=ROWS.keys())
def test_made(text: str, expected: Spread) -> None:
    assert made(text, Policy()) == expected


def test_slices_that_are_there_are_enough() -> None:
    text = svc() + eps(ONE) + (
        "kind: EndpointSlice\nmetadata: {name: s, labels: {kubernetes.io/service-name: svc}}\n"
        "addressType: IPv4\nendpoints: [{addresses: [10.9.9.9]}]\n"
    )  # fmt: skip
    assert {address for _, address, *_ in made(text, Policy())} == {"10.9.9.9"}


def test_endpoints_stand_in_where_no_pods_are_given() -> None:
    """``kubectl get svc,endpoints``: the one liberty taken."""
    assert made(svc("{app: a}") + eps(ONE), Policy()) == {("IPv4", "10.1.0.1", True, "", "", HTTP)}


def test_same_manifests_same_slices() -> None:
    text = svc("{app: a}") + "".join(pod(f"p{n}", f"10.1.0.{n}") for n in range(1, 250))
    entries = read_contents(text.encode(), Fields()).entries
    first, second = (assemble(entries, Config(), Policy()) for _ in range(2))
    assert first == second
    assert list(first[Kind.ENDPOINT_SLICE]) == [f"default/svc-pods-{n}" for n in range(3)]


def test_as_the_real_controllers_do(cluster: Cluster) -> None:
    """Every row in a namespace of its own, all at once."""
    api = cluster.api
    spaces = {id_: f"row-{number}" for number, id_ in enumerate(ROWS)}
    for id_, (text, _) in ROWS.items():
        api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": spaces[id_]}})
        for obj in filter(None, yaml.safe_load_all(text)):
            obj["metadata"]["namespace"] = spaces[id_]
            status = obj.pop("status", None)
            if obj["kind"] == "Pod":
                obj["spec"]["automountServiceAccountToken"] = False
                api.patch_status(cluster.kubelet.run(obj, (), ready=False), status)
            else:
                api.create(obj)

    def agree() -> bool:
        return all(real(cluster, spaces[id_]) == spread for id_, (_, spread) in ROWS.items())

    try:
        wait_until(agree, "the controllers agree", timeout=20)
    finally:
        for id_, (_, spread) in ROWS.items():
            assert (id_, real(cluster, spaces[id_])) == (id_, spread)


def real(cluster: Cluster, namespace: str) -> Spread:
    """What the real slices of the Service say."""
    return {
        (each["addressType"], address, end["conditions"]["ready"], end.get("hostname") or "",
         (end.get("targetRef") or {}).get("name") or "",
         tuple(sorted((p["name"], p["protocol"], p["port"]) for p in each["ports"] or ())))
        for each in cluster.api.list("EndpointSlice", namespace, "discovery.k8s.io/v1")
        for end in each["endpoints"] or () for address in end["addresses"]
    }  # fmt: skip
