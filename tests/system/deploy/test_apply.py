"""The overlay on a real API server: valid, and without privileges."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cluster import Cluster
from tests.system.deploy.conftest import Apply
from tests.system.deploy.kustomize import DEPLOY, built, find

FOLDERS = ["base", "kubeadm"]
COMPONENTS = ["multicluster", "pods-verified", "grpc-probe"]


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
