"""``deploy/switch`` on a real API: to grpcdns and back, for CoreDNS in several shapes."""

from __future__ import annotations

import copy
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from harness.cluster import Cluster
from harness.paths import ROOT
from tests.system.deploy.conftest import STOCK
from tests.system.deploy.kustomize import DEPLOY, find

pytestmark = pytest.mark.servers

Object = dict[str, Any]
OTHER_NAME: Final = "cluster-dns"
KEPT: Final = "coredns-before-grpcdns"
KINDS: Final = [
    ("Deployment", "apps/v1"), ("Service", "v1"), ("ConfigMap", "v1"), ("ServiceAccount", "v1"),
    ("PodDisruptionBudget", "policy/v1"),
    ("ClusterRole", "rbac.authorization.k8s.io/v1"),
    ("ClusterRoleBinding", "rbac.authorization.k8s.io/v1"),
]  # fmt: skip
"""Everything that a switch could touch."""


def stock() -> list[Object]:
    return list(yaml.safe_load_all(STOCK.read_text()))


def k3s() -> list[Object]:
    return list(yaml.safe_load_all(STOCK.with_name("k3s.yaml").read_text()))


def renamed(deployment: str, service: str) -> list[Object]:
    """The stock objects, with these names."""
    objects = stock()
    for kind, name in (("Deployment", deployment), ("Service", service)):
        find(objects, kind)["metadata"]["name"] = name
    return objects


def other_name() -> list[Object]:
    """Those of a chart that names them after its release."""
    return renamed(OTHER_NAME, OTHER_NAME)


def with_budget(name: str) -> list[Object]:
    """The stock objects, and a PodDisruptionBudget for their Pods."""
    budget = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name, "namespace": "kube-system"},
        "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"k8s-app": "kube-dns"}}},
    }
    return [*stock(), budget]


class Site:
    """A cluster with CoreDNS in it, and an operator with kubectl."""

    def __init__(self, cluster: Cluster, kubectl: Path) -> None:
        self._api = cluster.api
        self._kubectl = f"{kubectl} --kubeconfig {cluster.admin_kubeconfig}"
        self._kubectl += f" --cache-dir {cluster.folder / 'kubectl'}"
        self._before = self.versions()

    def install(self, objects: list[Object]) -> None:
        for obj in objects:
            self._api.create(obj, manager="installer")

    def switch(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(DEPLOY / "switch"), *map(str, words)],
            env={"PATH": "/usr/bin:/bin", "KUBECTL": self._kubectl},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def refused(self, *words: str | Path) -> str:
        """What it says when it refuses; nothing was changed."""
        before = self.versions()
        run = self.switch(*words)
        assert run.returncode == 1, run.stdout
        assert run.stderr.endswith("\nNothing was changed.\n")
        assert self.versions() == before
        return run.stderr

    def done(self, *words: str | Path) -> str:
        run = self.switch(*words)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def get(self, kind: str, name: str) -> Object:
        return self._api.get(kind, name, "kube-system", dict(KINDS)[kind])

    def patch(self, obj: Object, change: Object) -> None:
        self._api.patch(obj, change)

    def replace(self, obj: Object) -> None:
        """The whole object, as with `kubectl replace`."""
        name = obj["metadata"]["name"]
        path = f"/apis/apps/v1/namespaces/kube-system/deployments/{name}"
        self._api.request("PUT", f"{path}?fieldManager=installer", obj)

    def objects(self) -> Iterator[Object]:
        """All but what kube-apiserver itself makes and updates, in its own time."""
        for kind, version in KINDS:
            for one in self._api.list(kind, None, version):
                if ("kube-apiserver", "Update") not in owners(one):
                    yield {**one, "kind": kind, "apiVersion": version}

    def versions(self) -> dict[tuple[str, str], str]:
        """Of everything there is: what has been changed has another."""
        return {
            (one["kind"], one["metadata"]["name"]): one["metadata"]["resourceVersion"]
            for one in self.objects()
        }

    def clear(self) -> None:
        for one in list(self.objects()):
            if (one["kind"], one["metadata"]["name"]) not in self._before:
                self._api.delete(one)


@pytest.fixture
def site(own_cluster: Cluster, kubectl: Path) -> Iterator[Site]:
    made = Site(own_cluster, kubectl)
    yield made
    made.clear()


class Shape(NamedTuple):
    """CoreDNS as somebody installs it, and the names that it has there. ``page``: the document that
    has the kustomization for it, "" where deploy/kubeadm itself fits."""

    objects: Callable[[], list[Object]]
    deployment: str = "coredns"
    service: str = "kube-dns"
    page: str = ""


RKE2: Final = "rke2-coredns-rke2-coredns"
SHAPES: Final = {
    "kubeadm": Shape(stock),
    "k3s": Shape(k3s),
    "another name": Shape(other_name, OTHER_NAME, OTHER_NAME, "docs/migration.md"),
    "rke2": Shape(partial(renamed, RKE2, RKE2), RKE2, RKE2, "docs/install/rke2.md"),
    "eks": Shape(partial(with_budget, "coredns"), page="docs/install/eks.md"),
    "kops": Shape(partial(with_budget, "kube-dns"), page="docs/install/eks.md"),
    "kubespray": Shape(
        partial(renamed, "coredns", "coredns"), service="coredns", page="docs/install/kubespray.md"
    ),
}


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


def overlay(folder: Path, text: str) -> Path:
    """A kustomization beside deploy/kubeadm."""
    shutil.copytree(DEPLOY, folder / "deploy")
    (folder / "deploy" / "mine").mkdir()
    (folder / "deploy" / "mine" / "kustomization.yaml").write_text(text)
    return folder / "deploy" / "mine"


def documented(folder: Path, page: str) -> Path:
    """The kustomization with patches of a document."""
    blocks = re.findall(r"^```yaml\n(.*?)^```", (ROOT / page).read_text(), re.M | re.S)
    (text,) = (one for one in blocks if "kind: Kustomization" in one and "patches:" in one)
    return overlay(folder, text)


def test_there_and_back(shape: Shape, site: Site, tmp_path: Path) -> None:
    site.install(shape.objects())
    folder = documented(tmp_path, shape.page) if shape.page else DEPLOY / "kubeadm"
    found = {name: site.get(*name) for name in names(shape)}
    existing = site.versions()

    site.done("to", folder)
    pods = site.get("Deployment", shape.deployment)["spec"]["template"]["spec"]
    before = found["Deployment", shape.deployment]["spec"]["template"]["spec"]
    (coredns,), (was,) = pods["containers"], before["containers"]
    assert coredns["image"] == was["image"]
    assert coredns["args"] == ["-conf", "/etc/grpcdns/Corefile"]
    assert [one for one in pods["volumes"] if one in before["volumes"]] == before["volumes"]
    assert [m for m in coredns["volumeMounts"] if m in was["volumeMounts"]] == was["volumeMounts"]
    (sidecar,) = pods["initContainers"]
    assert (sidecar["name"], sidecar["restartPolicy"]) == ("grpcdns", "Always")
    ports = site.get("Service", shape.service)["spec"]["ports"]
    assert [port["name"] for port in ports] == ["dns", "dns-tcp", "metrics", "grpcdns-metrics"]

    site.done("back", folder)
    for name, obj in found.items():
        now = site.get(*name)
        assert now["spec"] == obj["spec"]
        assert owners(now) == owners(obj)

    site.done("clean", folder)
    after = site.versions()
    assert after.keys() == existing.keys()
    corefile = ("ConfigMap", "coredns")
    assert after[corefile] == existing[corefile], "never touched"


def names(shape: Shape) -> list[tuple[str, str]]:
    return [("Deployment", shape.deployment), ("Service", shape.service)]


def owners(obj: Object) -> list[tuple[str, str]]:
    return [(one["manager"], one["operation"]) for one in obj["metadata"].get("managedFields", ())]


def test_another_name_is_refused_and_named(site: Site) -> None:
    site.install(other_name())
    assert f"kube-system/{OTHER_NAME}\n" in site.refused("to")


def changed(kind: str, path: tuple[str | int, ...], value: object) -> list[Object]:
    """The stock objects, with one field of one of them changed."""
    objects = stock()
    at: Any = find(objects, kind)
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return objects


POD: Final = ("spec", "template", "spec")
UNKNOWN: Final = {
    "other arguments": (
        changed(
            "Deployment",
            (*POD, "containers", 0, "args"),
            ["-dns.port", "5353", "-conf", "/etc/coredns/Corefile"],
        ),
        'CoreDNS runs with ["-dns.port","5353","-conf",',
    ),
    "no arguments": (
        changed("Deployment", (*POD, "containers", 0, "args"), []),
        "has no container named coredns with arguments",
    ),
    "another container": (
        changed("Deployment", (*POD, "containers", 0, "name"), "dns"),
        "has no container named coredns with arguments",
    ),
    "another account": (
        changed("Deployment", (*POD, "serviceAccountName"), "dns"),
        "CoreDNS runs as kube-system/dns",
    ),
    "another Service": (changed("Service", ("metadata", "name"), "dns"), "Service kube-system/k"),
    "another budget": (
        [
            *stock(),
            {
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "mine", "namespace": "kube-system"},
                "spec": {
                    "maxUnavailable": 1,
                    "selector": {"matchLabels": {"k8s-app": "kube-dns"}},
                },
            },
        ],
        "PodDisruptionBudget mine",
    ),
}


@pytest.mark.parametrize("about", UNKNOWN)
def test_an_unknown_shape_is_refused(about: str, site: Site) -> None:
    objects, says = UNKNOWN[about]
    site.install(objects)
    assert says in site.refused("to")


def test_an_overlay_that_changes_what_others_set_is_refused(site: Site, tmp_path: Path) -> None:
    """`back` could not restore it: the API does not keep the value that was replaced."""
    site.install(stock())
    folder = overlay(tmp_path, "resources: [../kubeadm]\nreplicas: [{name: coredns, count: 3}]\n")
    assert "changes fields that others have set:\n.spec.replicas\n" in site.refused("to", folder)


def test_what_others_change_meanwhile_stays(site: Site) -> None:
    site.install(stock())
    before = site.get("Deployment", "coredns")
    site.done("to")
    site.patch(before, {"spec": {"replicas": 5}})
    said = site.done("back")
    assert "Deployment coredns: others have changed this since the switch, and it stays:" in said
    assert "  < " in said
    assert "replicas: 5" in said
    assert "args" not in said
    expected = copy.deepcopy(before["spec"])
    expected["replicas"] = 5
    assert site.get("Deployment", "coredns")["spec"] == expected


def test_back_is_refused_when_nothing_was_kept(site: Site) -> None:
    site.install(stock())
    assert f"the ConfigMap kube-system/{KEPT} keeps it" in site.refused("back")


def test_back_is_refused_when_others_changed_the_arguments(site: Site) -> None:
    site.install(stock())
    site.done("to")
    deployment = site.get("Deployment", "coredns")
    (coredns,) = deployment["spec"]["template"]["spec"]["containers"]
    coredns["args"] = ["-conf", "/elsewhere"]
    site.patch(deployment, {"spec": {"template": {"spec": {"containers": [coredns]}}}})
    assert 'CoreDNS runs with ["-conf","/elsewhere"], which is neither' in site.refused("back")


def test_switching_again_keeps_what_was_first(site: Site) -> None:
    site.install(stock())
    before = site.get("Deployment", "coredns")["spec"]
    site.done("to")
    site.done("to")
    site.done("back")
    assert site.get("Deployment", "coredns")["spec"] == before
    site.done("back")
    assert site.get("Deployment", "coredns")["spec"] == before


def test_an_upgrade_by_others_in_between(site: Site) -> None:
    """As kubeadm does it: their whole Deployment replaces ours. A switch keeps the new one."""
    site.install(stock())
    site.done("to")
    upgraded = find(stock(), "Deployment")
    upgraded["spec"]["template"]["spec"]["containers"][0]["image"] = "example.org/coredns:v9"
    site.replace(upgraded)
    before = site.get("Deployment", "coredns")["spec"]
    site.done("to")
    site.done("back")
    assert site.get("Deployment", "coredns")["spec"] == before


def test_clean_is_refused_while_in_use(site: Site) -> None:
    site.install(stock())
    site.done("to")
    assert "There is still a Pod with grpcdns" in site.refused("clean")


@pytest.mark.parametrize("command", ["to", "back", "clean"])
def test_a_dry_run_changes_nothing(command: str, site: Site) -> None:
    site.install(stock())
    if command != "to":
        site.done("to")
    if command == "clean":
        site.done("back")
    before = site.versions()
    site.done(command, "--dry-run")
    assert site.versions() == before


@pytest.mark.parametrize("words", [(), ("there",), ("to", "--force")])
def test_wrong_usage(words: tuple[str, ...]) -> None:
    run = subprocess.run([DEPLOY / "switch", *words], capture_output=True, text=True, check=False)
    assert run.returncode == 2
    assert "deploy/switch back  [--dry-run] [FOLDER]" in run.stderr
