"""The overlay's command lines, Corefile, probes and rights, without a node."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dns.rcode
import pytest
import yaml

from grpcdns.cli import parser_of
from grpcdns.config.load import load
from grpcdns.config.options import OPTIONS, Config
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.traps.trap import NOTE
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.paths import ROOT
from harness.waiting import wait_until
from tests.system.deploy.conftest import STOCK
from tests.system.deploy.kustomize import DEPLOY, built, find
from tests.system.deploy.pod import Pod
from tests.system.deploy.test_apply import COMPONENTS, with_components

pytestmark = pytest.mark.servers


def test_pod(kubeconfig: Path, upstream: CoreDNS, tmp_path: Path) -> None:
    """Started in order, queried, stopped in order."""
    pod = Pod(built(DEPLOY / "kubeadm"), kubeconfig, tmp_path)
    with pod.grpcdns:
        wait_until(pod.probe("startupProbe"), "the startup probe", timeout=60)
        assert pod.probe("readinessProbe")()
        assert pod.probe("livenessProbe")()
        with pod.coredns(upstream.address) as coredns:
            name = "kube-dns.kube-system.svc.cluster.local"
            assert section(ask(coredns.address, name)) == [f"{name}. 30 IN A 10.96.0.10"]
            reverse = section(ask(coredns.address, "10.0.96.10.in-addr.arpa", "PTR"))
            assert reverse == [f"10.0.96.10.in-addr.arpa. 30 IN PTR {name}."]
            pod_name = "10-244-0-5.default.pod.cluster.local"
            assert section(ask(coredns.address, pod_name)) == [f"{pod_name}. 5 IN A 10.244.0.5"]
            outside = section(ask(coredns.address, "8.8.8.8.in-addr.arpa", "PTR"))
            assert outside[0].endswith("outside.example.")
            assert ask(coredns.address, "www.example.org").rcode() == dns.rcode.NOERROR

            # CoreDNS ends first, and answers for the cluster until it does.
            coredns.process.send(signal.SIGTERM)
            other = "no-such.kube-system.svc.cluster.local"
            assert ask(coredns.address, other).rcode() == dns.rcode.NXDOMAIN
            coredns.process.wait()
        assert pod.probe("readinessProbe")()
        assert pod.grpcdns.stop() == 0
    assert (tmp_path / "cache" / "snapshot").stat().st_mode & 0o777 == 0o600


def test_native_grpc_probes(kubeconfig: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "overlay"
    overlay.mkdir()
    pod = Pod(built(with_components(overlay, "grpc-probe")), kubeconfig, tmp_path)
    with pod.grpcdns:
        wait_until(pod.probe("startupProbe"), "the startup probe", timeout=60)
        assert pod.probe("readinessProbe")()


def config_of(objects: list[dict[str, Any]]) -> Config:
    """What grpcdns makes of its arguments in the Deployment."""
    args = find(objects, "Deployment")["spec"]["template"]["spec"]["initContainers"][0]["args"]
    return of_words(args[1:])


def of_words(words: Sequence[str]) -> Config:
    parsed = parser_of("serve").read(words)
    flags = {o.name: given for o in OPTIONS if (given := getattr(parsed, o.field)) is not None}
    return load(flags, {}).config


def test_what_the_stock_corefile_sets_is_set(kustomize: Path) -> None:
    """Each line of its `kubernetes` block, here and in the guides. Names outside the zones have a
    server block of their own, which is what `fallthrough` is for."""
    (stock,) = (o for o in yaml.safe_load_all(STOCK.read_text()) if o["kind"] == "ConfigMap")
    block = re.search(r" kubernetes cluster.local .*?\{\n(.*?)\}", stock["data"]["Corefile"], re.S)
    assert block
    settings = dict(line.split(None, 1) for line in block[1].splitlines() if line.strip())
    assert settings.keys() == {"pods", "fallthrough", "ttl"}
    ttl = int(settings["ttl"])
    configs = [config_of(built(DEPLOY / "kubeadm")), *guides()]
    assert len(configs) == 4
    for config in configs:
        assert config.pods == settings["pods"]
        assert ttl in ((config.ttl_stable,) if config.ttl_mode == "adaptive" else (config.ttl,))


def guides() -> Iterator[Config]:
    """The command lines of documents for a cluster, and that of docker-compose.yml."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    yield of_words(compose["services"]["grpcdns"]["command"][1:])
    for page in (ROOT / "README.md", *ROOT.glob("docs/*.md")):
        for line in re.findall(r"\bgrpcdns serve (--[^`\n]*)", page.read_text()):
            if "--zones " in line:
                yield of_words(shlex.split(line))


@pytest.mark.parametrize("component", ["", *COMPONENTS])
def test_corefile_and_arguments_agree(component: str, tmp_path: Path, kustomize: Path) -> None:
    """The multicluster zone is the user's to add to the Corefile, as the component says."""
    objects = built(with_components(tmp_path, *filter(None, [component])))
    config = config_of(objects)
    assert config.pods == ("verified" if component == "pods-verified" else "insecure")
    corefile = find(objects, "ConfigMap")["data"]["Corefile"]
    serious = {one.trap.name for one in check_corefile(corefile, config.zones)
               if one.trap.level != NOTE}  # fmt: skip
    assert serious == ({"not-asked"} if component == "multicluster" else set())
    assert all(address in corefile for address in config.listen if address.startswith("unix"))


def rules() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = find(built(DEPLOY / "base"), "ClusterRole")["rules"]
    return found


def test_no_other_right_is_granted(kubeadm: Cluster, kubeconfig: Path) -> None:
    """The rights of the service account according to the API, less those that everybody has."""
    api = kubeadm.service_account_api("alone", rules(), namespace="default")
    anybody = kubeadm.service_account_api("nobody", (), namespace="default")
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": "default"},
    }
    path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
    granted, basic = (
        [
            (set(rule.get("apiGroups", [])), set(rule.get("resources", [])), set(rule["verbs"]))
            for rule in one.request("POST", path, review)["status"]["resourceRules"]
        ]
        for one in (api, anybody)
    )
    assert [rule for rule in granted if rule not in basic] == [
        (set(rule["apiGroups"]), set(rule["resources"]), set(rule["verbs"])) for rule in rules()
    ]


LESS = [
    (resource, verb)
    for resource in ("namespaces", "services", "endpointslices")
    for verb in ("list", "watch")
]


@pytest.mark.parametrize(("resource", "verb"), LESS)
def test_a_missing_right_is_reported(
    resource: str, verb: str, kubeadm: Cluster, kubeconfig: Path, tmp_path: Path
) -> None:
    """The refusal is logged; without list it never becomes ready."""
    fewer = [
        {
            **rule,
            "resources": [one],
            "verbs": [v for v in rule["verbs"] if (one, v) != (resource, verb)],
        }
        for rule in rules()
        for one in rule["resources"]
    ]
    account = kubeadm.service_account_kubeconfig(f"less-{resource}-{verb}", fewer)
    pod = Pod(built(DEPLOY / "kubeadm"), account, tmp_path)
    with pod.grpcdns:
        wait_until(lambda: "forbidden" in pod.grpcdns.log_text.lower(), "the refusal", timeout=30)
        if verb == "list":
            assert not pod.probe("readinessProbe")()
