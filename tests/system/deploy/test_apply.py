"""The overlay on a real API server: validated, merged into the stock CoreDNS, reverted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.api import ApiError
from harness.cluster import Cluster
from tests.system.deploy.conftest import Apply
from tests.system.deploy.kustomize import DEPLOY, built, find

FOLDERS = ["base", "kubeadm", "back", "back/leftovers"]
COMPONENTS = ["multicluster", "pods-verified", "grpc-probe"]


def deployment(cluster: Cluster) -> dict[str, Any]:
    return cluster.api.get("Deployment", "coredns", "kube-system", "apps/v1")


def spec_of_pods(cluster: Cluster) -> dict[str, Any]:
    spec: dict[str, Any] = deployment(cluster)["spec"]["template"]["spec"]
    return spec


@pytest.mark.servers
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_accepts_it(folder: str, kubeadm: Cluster, apply: Apply) -> None:
    """Dry run, with strict validation of fields."""
    assert apply(built(DEPLOY / folder), dry_run=True)


@pytest.mark.servers
@pytest.mark.parametrize("component", COMPONENTS)
def test_the_api_accepts_each_component(
    component: str, kubeadm: Cluster, apply: Apply, tmp_path: Path
) -> None:
    objects = built(with_components(tmp_path, component))
    assert apply(objects, dry_run=True)
    assert objects != built(DEPLOY / "kubeadm"), "it changes something"


def with_components(folder: Path, *components: str) -> Path:
    """A kustomization as a user writes it: deploy/kubeadm and some components."""
    lines = ["apiVersion: kustomize.config.k8s.io/v1beta1", "kind: Kustomization", "resources:"]
    lines += [f"  - {relative(folder, DEPLOY / 'kubeadm')}", "components:"]
    lines += [f"  - {relative(folder, DEPLOY / 'components' / one)}" for one in components]
    (folder / "kustomization.yaml").write_text("\n".join(lines) + "\n")
    return folder


def relative(folder: Path, target: Path) -> str:
    return "/".join([".."] * (len(folder.resolve().parts) - 1)) + str(target)


@pytest.mark.servers
def test_there_and_back(kubeadm: Cluster, apply: Apply) -> None:
    before = deployment(kubeadm)["spec"]
    service = kubeadm.api.get("Service", "kube-dns", "kube-system")["spec"]
    kept = kubeadm.api.get("ConfigMap", "coredns", "kube-system")["data"]

    apply(built(DEPLOY / "kubeadm"))
    pods = spec_of_pods(kubeadm)
    (sidecar,) = pods["initContainers"]
    (coredns,) = pods["containers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("grpcdns", "Always")
    assert coredns["image"] == before["template"]["spec"]["containers"][0]["image"]
    assert coredns["args"] == ["-conf", "/etc/coredns/Corefile"]
    assert {mount["name"] for mount in coredns["volumeMounts"]} == {
        "config-volume",
        "grpcdns-sockets",
    }
    volumes = {volume["name"]: volume for volume in pods["volumes"]}
    assert volumes["config-volume"]["configMap"]["name"] == "coredns-grpcdns"
    assert volumes["grpcdns-sockets"]["emptyDir"]["medium"] == "Memory"
    ports = kubeadm.api.get("Service", "kube-dns", "kube-system")["spec"]["ports"]
    assert [port["name"] for port in ports] == ["dns", "dns-tcp", "metrics", "grpcdns-metrics"]
    assert kubeadm.api.get("ConfigMap", "coredns", "kube-system")["data"] == kept

    apply(built(DEPLOY / "back"))
    assert deployment(kubeadm)["spec"] == before
    assert kubeadm.api.get("Service", "kube-dns", "kube-system")["spec"] == service

    for obj in built(DEPLOY / "back" / "leftovers"):
        kubeadm.api.delete(obj)
    with pytest.raises(ApiError, match="404"):
        kubeadm.api.get("ConfigMap", "coredns-grpcdns", "kube-system")
    assert kubeadm.api.get("ConfigMap", "coredns", "kube-system")["data"] == kept


@pytest.mark.servers
def test_the_sidecar_has_no_privileges(kustomize: Path) -> None:
    objects = built(DEPLOY / "kubeadm")
    (sidecar,) = find(objects, "Deployment")["spec"]["template"]["spec"]["initContainers"]
    security = sidecar["securityContext"]
    assert security["runAsNonRoot"]
    assert security["runAsUser"] > 0
    assert security["readOnlyRootFilesystem"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert set(sidecar["resources"]["limits"]) == {"memory"}, "no CPU limit: it would throttle"


@pytest.mark.servers
def test_leftovers_are_what_was_created(kustomize: Path) -> None:
    """Everything that deploy/kubeadm creates, and nothing that it only changes."""
    made = {(o["kind"], o["metadata"]["name"]) for o in built(DEPLOY / "kubeadm")}
    changed = {("Deployment", "coredns"), ("Service", "kube-dns")}
    left = {(o["kind"], o["metadata"]["name"]) for o in built(DEPLOY / "back" / "leftovers")}
    assert left == made - changed
