"""The chart renders what the kustomizations do, field by field: neither can change alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from grpcdns.corefile.syntax import Directive, parse_corefile
from harness.paths import ROOT
from tests.system.deploy.kustomize import DEPLOY, built, find
from tests.system.deploy.test_apply import with_components
from tests.system.helm.chart import CHART, Object, Values, merged, rendered
from tools.generate_docs import COPIED

pytestmark = pytest.mark.servers

SIDECAR = {"mode": "sidecar", "grpcdns": {"image": {"tag": "latest"}}}
COMPONENTS: Final[dict[str, Values]] = {
    "pods-verified": {"grpcdns": {"pods": "verified"}},
    "multicluster": {
        "grpcdns": {
            "zones": ["cluster.local", "clusterset.local", "10.96.0.0/12", "10.244.0.0/16"],
            "multicluster": ["clusterset.local"],
        }
    },
    "grpc-probe": {"grpcdns": {"tcp": {"enabled": True}, "probes": "grpc"}},
}


def fields(objects: Iterable[Object]) -> dict[tuple[str, str], Object]:
    """The objects by kind and name. Labels of objects that the chart owns say whose they are; a
    Corefile is compared by what it says, without comments and the order of directives."""
    found = {}
    for one in objects:
        metadata = {k: v for k, v in one["metadata"].items() if k != "labels"}
        compared = {**one, "metadata": metadata}
        if "Corefile" in one.get("data", {}):
            compared["data"] = {**one["data"], "Corefile": said(one["data"]["Corefile"])}
        found[one["kind"], one["metadata"]["name"]] = compared
    return found


def said(corefile: str) -> list[Any]:
    return [
        (server.keys, sorted(map(words, server.directives)))
        for server in parse_corefile(corefile).servers
    ]


def words(one: Directive) -> tuple[Any, ...]:
    return one.name, one.args, tuple(map(words, one.block))


def test_the_overlay(kustomize: Path, helm: Path) -> None:
    theirs, ours = built(DEPLOY / "kubeadm"), rendered(SIDECAR)
    assert fields(ours) == fields(theirs)


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_component(component: str, tmp_path: Path, kustomize: Path, helm: Path) -> None:
    """The zone of `multicluster` is the user's to add to the Corefile of the overlay."""
    theirs = fields(built(with_components(tmp_path, component)))
    ours = fields(rendered(merged(SIDECAR, COMPONENTS[component])))
    assert ours.keys() == theirs.keys()
    for key, one in ours.items():
        if key[0] != "ConfigMap" or component != "multicluster":
            assert one == theirs[key], key


def test_every_component_has_its_values() -> None:
    assert {one.name for one in (DEPLOY / "components").iterdir()} == COMPONENTS.keys()


def test_labels_of_others_stay(helm: Path) -> None:
    """Objects that are merged into existing ones have no labels, those of the chart have all that
    the overlay's have."""
    theirs = {(o["kind"], o["metadata"]["name"]): o for o in built(DEPLOY / "kubeadm")}
    for one in rendered(SIDECAR):
        labels = one["metadata"].get("labels", {})
        wanted = theirs[one["kind"], one["metadata"]["name"]]["metadata"].get("labels", {})
        if one["kind"] in ("Deployment", "Service"):
            assert labels == {}
        else:
            assert labels.items() >= wanted.items()
            assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_beside_has_the_same_sidecar(kustomize: Path, helm: Path) -> None:
    """In the Pods of mode `beside`: the container, the volumes, the rights, the Corefile."""
    theirs, ours = built(DEPLOY / "kubeadm"), rendered({"grpcdns": {"image": {"tag": "latest"}}})
    (their_pod, our_pod) = (
        find(one, "Deployment")["spec"]["template"]["spec"] for one in (theirs, ours)
    )
    assert our_pod["initContainers"] == their_pod["initContainers"]
    assert {one["name"]: one for one in our_pod["volumes"]}.items() >= {
        one["name"]: one for one in their_pod["volumes"] if one["name"] != "grpcdns-corefile"
    }.items()
    for kind, field in (("ClusterRole", "rules"), ("ClusterRoleBinding", "roleRef")):
        assert find(ours, kind)[field] == find(theirs, kind)[field]
    our_text, their_text = (find(one, "ConfigMap")["data"]["Corefile"] for one in (ours, theirs))
    assert said(our_text) == said(their_text)


@pytest.mark.parametrize("original", COPIED, ids=lambda path: path.name)
def test_monitoring_files_are_copies(original: Path) -> None:
    assert COPIED[original].read_text() == original.read_text(), "run `make docs`"


def test_monitoring_is_what_the_files_say(helm: Path) -> None:
    prometheus = {name: {"enabled": True} for name in ("monitor", "rules", "dashboards")}
    for mode in ("sidecar", "beside"):
        ours = rendered({"mode": mode, "prometheus": prometheus})
        alerts = yaml.safe_load((DEPLOY / "monitoring" / "alerts.yaml").read_text())
        assert find(ours, "PrometheusRule")["spec"] == alerts
        dashboard = find(ours, "ConfigMap", "grpcdns-dashboards")["data"]["grpcdns.json"]
        assert dashboard.strip() == (DEPLOY / "monitoring" / "grafana.json").read_text().strip()
        if mode == "sidecar":
            monitor = yaml.safe_load((DEPLOY / "monitoring" / "servicemonitor.yaml").read_text())
            assert fields([find(ours, "ServiceMonitor")]) == fields([monitor])


def test_coredns_is_the_version_that_is_tested() -> None:
    module = (ROOT / "tests/servers/coredns/go.mod").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert f"github.com/coredns/coredns v{values['image']['tag']}" in module
