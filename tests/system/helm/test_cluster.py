"""The chart on a real API: accepted as a dry run, installed, upgraded, taken over by kube-dns,
switched to as mode `sidecar`, uninstalled."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from grpcdns.cli import parser_of
from tests.system.deploy.kustomize import DEPLOY
from tests.system.helm.chart import CHART, Object, merged, render, rendered
from tests.system.helm.conftest import NAMESPACE, Site
from tests.system.helm.test_facts import OWN
from tests.system.helm.test_facts import ROWS as FACTS

pytestmark = pytest.mark.servers

EVERYTHING: Final = {
    "grpcdns": {"pods": "verified", "tcp": {"enabled": True, "service": True}, "probes": "grpc"},
    "networkPolicy": {"enabled": True, "egress": [{}]},
    "hpa": {"enabled": True},
    "prometheus": {name: {"enabled": True} for name in ("monitor", "rules", "dashboards")},
    "service": {"trafficDistribution": "PreferSameZone"},
}
KUBE_DNS: Final = "10.96.0.10"
ROWS: Final = {**{about: row.values for about, row in FACTS.items()}, "everything": EVERYTHING}


@pytest.mark.parametrize("about", ROWS)
def test_the_api_accepts_it(about: str, site: Site) -> None:
    """Each object as a dry run, with strict validation of fields."""
    for obj in rendered(ROWS[about]):
        site.api.apply(obj, dry_run=True)


def found(site: Site, objects: list[Object]) -> dict[tuple[str, str], Any]:
    """Those that are there."""
    out = {}
    for one in objects:
        name, kind = one["metadata"]["name"], one["kind"]
        listed = site.api.list(kind, one["metadata"].get("namespace"), one["apiVersion"])
        for there in listed:
            if there["metadata"]["name"] == name:
                out[kind, name] = there
    return out


def test_installed_upgraded_uninstalled(site: Site) -> None:
    objects = [o for o in rendered(EVERYTHING) if o["kind"] != "Pod"]
    keys = {(one["kind"], one["metadata"]["name"]) for one in objects}
    site.done("install", "grpcdns", CHART, "--dry-run=server", values=EVERYTHING)
    assert found(site, objects) == {}
    with site.release(EVERYTHING):
        before = found(site, objects)
        assert before.keys() == keys
        values = merged(EVERYTHING, {"grpcdns": {"zones": ["cluster.local", "10.96.0.0/12"]}})
        site.done("upgrade", "grpcdns", CHART, values=values)
        after = found(site, objects)
        pods = [one["Deployment", "grpcdns"]["spec"]["template"] for one in (before, after)]
        sums = [one["metadata"]["annotations"]["checksum/config"] for one in pods]
        assert sums[0] != sums[1], "a changed Corefile replaces the Pods"
        assert "--zones=cluster.local,10.96.0.0/12" in pods[1]["spec"]["initContainers"][0]["args"]
    assert found(site, objects) == {}


def test_an_address_that_another_service_has_is_refused(site: Site) -> None:
    run = site.run("install", "grpcdns", CHART, values={"service": {"clusterIP": KUBE_DNS}})
    assert "provided IP is already allocated" in run.stderr
    site.done("uninstall", "grpcdns")
    assert site.api.get("Service", "kube-dns", NAMESPACE)["spec"]["clusterIP"] == KUBE_DNS


def test_the_notes_are_commands_that_work(site: Site, kubectl: Path) -> None:
    with site.release({}) as notes:
        lines = [line.strip() for line in notes.splitlines() if line.startswith("  ")]
        look, test, explain, there, back = lines
        deployment = look.split()[-1].split("/")[1]
        assert site.api.get("Deployment", deployment, NAMESPACE, "apps/v1")
        assert test == f"helm -n {NAMESPACE} test grpcdns"
        words = shlex.split(explain.partition(" -- ")[2])
        assert words[:2] == ["grpcdns", "explain"]
        parser_of("explain").read(words[2:])

        stock = site.api.get("Service", "kube-dns", NAMESPACE)["spec"]
        run(site, kubectl, there)
        kube_dns = site.api.get("Service", "kube-dns", NAMESPACE)["spec"]
        assert kube_dns["selector"] == OWN
        assert kube_dns["clusterIP"] == stock["clusterIP"]
        own = site.api.get("Service", "grpcdns", NAMESPACE)["spec"]
        assert targets(kube_dns) >= targets(own), "the same ports of the same Pods"
        run(site, kubectl, back)
        assert site.api.get("Service", "kube-dns", NAMESPACE)["spec"] == stock


def test_the_way_back_is_what_was_found(site: Site) -> None:
    """Of a DNS Service with another name, another selector and no release before."""
    other = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "rke2-coredns", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "rke2"}, "ports": [{"port": 53, "protocol": "UDP"}]},
    }
    made = site.api.create(other)
    values = {"grpcdns": {"dnsService": f"{NAMESPACE}/rke2-coredns"}}
    with site.release(values) as notes:
        there, back = (
            line for line in notes.splitlines() if " patch service rke2-coredns " in line
        )
        assert back.endswith('"value":{"app":"rke2"}}]\'')
        site.api.patch(made, {"spec": {"selector": {"app": None, **OWN}}})
        again = site.done("upgrade", "grpcdns", CHART, values=values)
        assert there in again
    site.api.delete(made)


def run(site: Site, kubectl: Path, line: str) -> None:
    program, *words = shlex.split(line)
    assert program == "kubectl"
    options = [f"--kubeconfig={site.cluster.admin_kubeconfig}", f"--cache-dir={site.folder}/cache"]
    subprocess.run([kubectl, *options, *words], check=True, capture_output=True)


def targets(service: Mapping[str, Any]) -> set[tuple[Any, str]]:
    return {(port["targetPort"], port["protocol"]) for port in service["ports"]}


def test_a_trial_gets_no_query_of_others(site: Site) -> None:
    """No Service of others selects its Pods, and its own selects no Pod of others."""
    labels = {"k8s-app": "kube-dns"}
    with site.release({}):
        template = site.api.get("Deployment", "grpcdns", NAMESPACE, "apps/v1")["spec"]["template"]
        ours = template["metadata"]["labels"]
        for service in site.api.list("Service"):
            selector = service["spec"].get("selector")
            if selector and service["metadata"]["name"].startswith("grpcdns"):
                assert not selector.items() <= labels.items()
            elif selector:
                assert not selector.items() <= ours.items()


def test_mode_sidecar_is_no_release(site: Site) -> None:
    """It would own, and on uninstall delete, the cluster's CoreDNS."""
    said = site.run("install", "grpcdns", CHART, values={"mode": "sidecar"})
    assert said.returncode != 0
    assert "mode sidecar changes objects of others" in said.stderr


def test_mode_sidecar_by_the_switch(site: Site, kubectl: Path, tmp_path: Path) -> None:
    """As README.md says: rendered into a folder, to and back by deploy/switch."""
    done = render({"mode": "sidecar", "grpcdns": {"ttlStable": 20}})
    assert done.returncode == 0, done.stderr
    (tmp_path / "sidecar.yaml").write_text(done.stdout)
    (tmp_path / "kustomization.yaml").write_text("resources: [sidecar.yaml]\n")
    before = site.api.get("Deployment", "coredns", NAMESPACE, "apps/v1")["spec"]
    switch(site, kubectl, "to", tmp_path)
    deployment = site.api.get("Deployment", "coredns", NAMESPACE, "apps/v1")["spec"]
    (sidecar,) = deployment["template"]["spec"]["initContainers"]
    assert "--ttl-stable=20" in sidecar["args"]
    assert deployment["selector"] == before["selector"]
    switch(site, kubectl, "back", tmp_path)
    assert site.api.get("Deployment", "coredns", NAMESPACE, "apps/v1")["spec"] == before
    switch(site, kubectl, "clean", tmp_path)
    assert found(site, rendered({"mode": "sidecar"})).keys() == {
        ("Deployment", "coredns"),
        ("Service", "kube-dns"),
    }


def switch(site: Site, kubectl: Path, *words: str | Path) -> None:
    command = f"{kubectl} --kubeconfig={site.cluster.admin_kubeconfig} --cache-dir={site.folder}/c"
    done = subprocess.run(
        [DEPLOY / "switch", *words],
        env={"PATH": "/usr/bin:/bin", "KUBECTL": command},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
