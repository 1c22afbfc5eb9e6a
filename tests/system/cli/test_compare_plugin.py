"""``grpcdns compare`` before a switch: CoreDNS with its kubernetes plugin, and grpcdns."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from grpcdns.cli import main
from harness.api import Object
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.objects import endpoint_slice, service
from harness.waiting import wait_until

PLUGIN = """cluster.local in-addr.arpa ip6.arpa {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
        kubeconfig {$KUBECONFIG}
        namespaces {$NAMESPACE}
    }
}"""
HTTP = {"name": "http", "port": 80, "protocol": "TCP"}


def objects(namespace: str) -> list[Object]:
    endpoints = [
        {"addresses": ["10.77.0.1"], "hostname": "one", "conditions": {"ready": True}},
        {"addresses": ["10.77.0.2"], "conditions": {"ready": True}},
        {"addresses": ["10.77.0.3"], "conditions": {"ready": False}},
    ]
    return [
        service("plain", namespace=namespace, ports=[HTTP]),
        service("db", namespace=namespace, ports=[HTTP], headless=True),
        endpoint_slice("db-a", "db", endpoints, [HTTP], namespace=namespace),
        service("docs", namespace=namespace, type="ExternalName",
                externalName=f"plain.{namespace}.svc.cluster.local"),
    ]  # fmt: skip


def test_a_cluster_of_ones_own_is_answered_alike(
    cluster: Cluster,
    namespace: str,
    coredns: Callable[..., CoreDNS],
    capsys: pytest.CaptureFixture[str],
) -> None:
    for obj in objects(namespace):
        cluster.api.create(obj)
    kubeconfig = str(cluster.admin_kubeconfig)
    options = ("--kubeconfig", kubeconfig, "--namespaces", namespace, "--upstream", "none")
    plugin = coredns(PLUGIN, env={"KUBECONFIG": kubeconfig, "NAMESPACE": namespace})
    with Grpcdns(*options) as ours:
        name = f"one.db.{namespace}.svc.cluster.local"
        wait_until(lambda: ours.ask(name).answer, "the slice answered")
        words = ["compare", "--server", ours.listen[0], "--with", str(plugin.address)]
        code = main([*words, "--ttl-too", "--json", *options])
        data = json.loads(capsys.readouterr().out)
    assert data["differences"] == []
    assert code == 0
    assert data["questions"] > 15


def test_deliberate_differences_do_not_fail(
    cluster: Cluster,
    namespace: str,
    coredns: Callable[..., CoreDNS],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """One of them, D13, is that the plugin gives no reply."""
    nobody = endpoint_slice("nobody", "db", [{"addresses": ["10.77.0.9"]}], [HTTP],
                            namespace=namespace)  # fmt: skip
    del nobody["metadata"]["labels"]
    names = endpoint_slice("names", "db", [{"addresses": ["www.example.org"]}], [HTTP],
                           namespace=namespace, family="FQDN")  # fmt: skip
    for obj in (*objects(namespace), nobody, names):
        cluster.api.create(obj)
    kubeconfig = str(cluster.admin_kubeconfig)
    options = ("--kubeconfig", kubeconfig, "--namespaces", namespace, "--upstream", "none")
    plugin = coredns(PLUGIN, env={"KUBECONFIG": kubeconfig, "NAMESPACE": namespace})
    with Grpcdns(*options) as ours:
        name = f"one.db.{namespace}.svc.cluster.local"
        wait_until(lambda: ours.ask(name).answer, "the slice answered")
        words = ["compare", "--server", ours.listen[0], "--with", str(plugin.address)]
        words += ["--timeout", "500ms", *options]
        assert main([*words, "--json"]) == 0
        data = json.loads(capsys.readouterr().out)
        assert main([*words, "--strict"]) == 1
        out = capsys.readouterr().out
    found = {(one["difference"], bool(one["error"])) for one in data["differences"]}
    assert found == {("D8", False), ("D13", True)}
    assert "D13, slices that name no Service: 9.0.77.10.in-addr.arpa. PTR\n" in out
