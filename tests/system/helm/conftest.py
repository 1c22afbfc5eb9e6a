"""A cluster of the test module with the Prometheus Operator's kinds, and helm for it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
import yaml

from harness.api import ApiError
from harness.cluster import Cluster
from harness.objects import namespace
from harness.paths import ROOT
from harness.waiting import wait_until
from tests.system.deploy.conftest import STOCK, upstream
from tests.system.helm.chart import CHART, Values
from tests.system.helm.chart import helm as run_helm

__all__ = ["site", "upstream"]

NAMESPACE: Final = "kube-system"
MONITORING: Final = "/apis/monitoring.coreos.com/v1"


class Site:
    """The cluster, CoreDNS in it as kubeadm installs it, and an operator with helm."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.api = cluster.api
        self.folder = cluster.folder

    def run(
        self, *words: str | Path, values: Values | None = None
    ) -> subprocess.CompletedProcess[str]:
        config = f"--kubeconfig={self.cluster.admin_kubeconfig}"
        return run_helm(*words, "-n", NAMESPACE, config, values=values, folder=self.folder)

    def done(self, *words: str | Path, values: Values | None = None) -> str:
        run = self.run(*words, values=values)
        assert run.returncode == 0, run.stderr
        return run.stdout

    @contextmanager
    def release(self, values: Values, name: str = "grpcdns") -> Iterator[str]:
        """Installed; its NOTES. Uninstalled afterwards."""
        said = self.done("install", name, CHART, values=values)
        try:
            yield said
        finally:
            self.done("uninstall", name)


@pytest.fixture(scope="module")
def site(helm: Path, own_cluster: Cluster) -> Site:
    for text in (STOCK, ROOT / "tests/system/helm/crds.yaml"):
        for obj in yaml.safe_load_all(text.read_text()):
            own_cluster.api.create(obj, manager="kubeadm")
    own_cluster.api.create(namespace("monitoring"))
    wait_until(lambda: _has_kinds(own_cluster), "the Prometheus Operator's kinds")
    return Site(own_cluster)


def _has_kinds(cluster: Cluster) -> bool:
    try:
        found = cluster.api.request("GET", MONITORING)["resources"]
    except ApiError:
        return False
    return {one["kind"] for one in found} >= {"ServiceMonitor", "PrometheusRule"}
