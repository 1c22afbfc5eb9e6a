"""A cluster of the test module, with CoreDNS as kubeadm installs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.paths import ROOT
from tests.system.deploy.kustomize import DEPLOY, built

STOCK: Final = ROOT / "tests" / "system" / "deploy" / "stock.yaml"
Apply = Callable[..., list[dict[str, Any]]]
UPSTREAM = """. {
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.80"
    }
    template IN AAAA {
        rcode NOERROR
    }
    template IN PTR {
        answer "{{ .Name }} 60 IN PTR outside.example."
    }
}"""


@pytest.fixture(scope="module")
def kubeadm(kustomize: Path, own_cluster: Cluster) -> Cluster:
    for obj in yaml.safe_load_all(STOCK.read_text()):
        own_cluster.api.create(obj, manager="kubeadm")
    return own_cluster


@pytest.fixture(scope="module")
def apply(kubeadm: Cluster) -> Apply:
    """Server-side apply of objects, as `kubectl apply --server-side --field-manager grpcdns`."""

    def run(objects: list[dict[str, Any]], *, dry_run: bool = False) -> list[dict[str, Any]]:
        return [kubeadm.api.apply(obj, manager="grpcdns", dry_run=dry_run) for obj in objects]

    return run


@pytest.fixture(scope="module")
def upstream() -> Iterator[CoreDNS]:
    with CoreDNS(UPSTREAM) as running:
        yield running


@pytest.fixture(scope="module")
def kubeconfig(kubeadm: Cluster, apply: Apply) -> Path:
    """Of the service account `coredns`, with the rights that the overlay grants."""
    apply(built(DEPLOY / "kubeadm"))
    return kubeadm.kubeconfig_of("coredns", namespace="kube-system")
