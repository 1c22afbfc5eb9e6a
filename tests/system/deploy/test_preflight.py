"""`grpcdns preflight` on kubeadm's CoreDNS, before and after the overlay is applied."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from grpcdns.cli import main
from harness.cluster import Cluster
from tests.system.deploy.conftest import Apply
from tests.system.deploy.kustomize import DEPLOY, built

OPTIONS: Sequence[str] = ("--zones", "cluster.local,10.96.0.0/12,10.244.0.0/16", "--output", "json")
RIGHTS = {"rights.namespaces", "rights.services", "rights.endpointslices"}


@pytest.mark.servers
def test_before_and_after(
    kubeadm: Cluster, apply: Apply, capsys: pytest.CaptureFixture[str]
) -> None:
    """No Pod runs here and the cluster's Services have IPv6, too: those two fail in both."""
    before = statuses(kubeadm, capsys)
    assert failed(before) == {*RIGHTS, "networks.services", "dns-service.endpoints"}
    assert (before["account"], before["corefile"]) == ("ok", "warning")
    apply(built(DEPLOY / "kubeadm"))
    after = statuses(kubeadm, capsys, "--configmap", "kube-system/coredns-grpcdns")
    assert failed(after) == {"networks.services", "dns-service.endpoints"}
    assert after["corefile"] == "ok"


def statuses(kubeadm: Cluster, capsys: pytest.CaptureFixture[str], *options: str) -> dict[str, str]:
    kubeconfig = str(kubeadm.admin_kubeconfig)
    assert main(["preflight", "--kubeconfig", kubeconfig, *OPTIONS, *options]) == 1
    return {one["id"]: one["status"] for one in json.loads(capsys.readouterr().out)["checks"]}


def failed(found: dict[str, str]) -> set[str]:
    return {name for name, status in found.items() if status == "fail"}
