"""The Pods of mode `beside` as processes, with the rights of the account that helm has made:
started, queried, and looked at by `helm test`, whose Pod runs as a process, too."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from harness.certificates import Authority
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.waiting import wait_until
from tests.system.deploy.pod import Pod
from tests.system.helm.chart import Values, rendered
from tests.system.helm.conftest import NAMESPACE, Site
from tests.system.helm.kubelet import Kubelet

pytestmark = pytest.mark.servers

NAME: Final = "kube-dns.kube-system.svc.cluster.local"
OUTSIDE: Final = {"test": {"outside": "www.example.org"}}


@contextmanager
def running(
    values: Values, site: Site, upstream: CoreDNS, folder: Path
) -> Iterator[tuple[Pod, CoreDNS]]:
    """The Pod of an installed release: grpcdns first, CoreDNS after its startup probe."""
    with site.release(values):
        kubeconfig = site.cluster.kubeconfig_of("grpcdns", namespace=NAMESPACE)
        pod = Pod(rendered(values), kubeconfig, folder)
        with pod.grpcdns:
            wait_until(pod.probe("startupProbe"), "the startup probe", timeout=60)
            assert pod.probe("readinessProbe")()
            assert pod.probe("livenessProbe")()
            with pod.coredns(upstream.address) as coredns:
                yield pod, coredns


def test_answers_and_helm_test(site: Site, upstream: CoreDNS, tmp_path: Path) -> None:
    with running(OUTSIDE, site, upstream, tmp_path) as (_, coredns):
        assert section(ask(coredns.address, NAME)) == [f"{NAME}. 30 IN A 10.96.0.10"]
        pod_name = "10-244-0-5.default.pod.cluster.local"
        assert section(ask(coredns.address, pod_name)) == [f"{pod_name}. 5 IN A 10.244.0.5"]
        outside = section(ask(coredns.address, "8.8.8.8.in-addr.arpa", "PTR"))
        assert outside[0].endswith("outside.example.")
        with Kubelet(site, coredns.address) as kubelet:
            said = site.done("test", "grpcdns", "--timeout=60s")
            assert "Succeeded" in said
            assert kubelet.output.count("NOERROR, ") == 4, "two names, over UDP and TCP"
            coredns.stop()
            failed = site.run("test", "grpcdns", "--timeout=60s")
            assert failed.returncode != 0
            assert "connection refused" in kubelet.output


@pytest.mark.parametrize("probes", ["exec", "grpc"])
def test_a_tcp_port(probes: str, site: Site, upstream: CoreDNS, tmp_path: Path) -> None:
    values = {"grpcdns": {"tcp": {"enabled": True}, "probes": probes, "workers": 1}}
    with running(values, site, upstream, tmp_path) as (pod, coredns):
        assert section(ask(coredns.address, NAME))
        done = pod.run("query", NAME, "--short", f"--server=127.0.0.1:{pod.native}")
        assert done.stdout == "10.96.0.10\n"


def test_tls(site: Site, upstream: CoreDNS, tmp_path: Path) -> None:
    """The Secret's keys are those that `kubectl create secret tls` and cert-manager write."""
    authority = Authority(tmp_path / "authority")
    pair = authority.issue("grpcdns.test", hosts=["grpcdns.test"])
    (tmp_path / "tls").mkdir()
    for path, name in ((pair.cert, "tls.crt"), (pair.key, "tls.key"), (authority.cert, "ca.crt")):
        shutil.copy(path, tmp_path / "tls" / name)
    tls = {"secretName": "dns", "clientAuth": True}
    values: dict[str, Any] = {"grpcdns": {"tcp": {"enabled": True, "tls": tls}}}
    with running(values, site, upstream, tmp_path) as (pod, coredns):
        assert section(ask(coredns.address, NAME)), "the sockets have no TLS"
        words = ["query", NAME, "--short", f"--server=127.0.0.1:{pod.native}", "--timeout=2s"]
        words += [f"--tls-ca={authority.cert}", "--tls-name=grpcdns.test"]
        assert pod.run(*words).returncode == 1
        done = pod.run(*words, f"--tls-cert={pair.cert}", f"--tls-key={pair.key}")
        assert done.stdout == "10.96.0.10\n"


OPTIONS: Final[dict[str, Values]] = {
    "Pods that exist": {"grpcdns": {"pods": "verified"}},
    "one TTL": {"grpcdns": {"ttlMode": "fixed", "ttl": 30, "snapshot": {"enabled": False}}},
    "more options": {"grpcdns": {"extraArgs": ["--guard=50", "--serve-terminating"]}},
}


@pytest.mark.parametrize("about", OPTIONS)
def test_options_and_rights_fit(about: str, site: Site, upstream: CoreDNS, tmp_path: Path) -> None:
    with running(OPTIONS[about], site, upstream, tmp_path) as (_, coredns):
        assert section(ask(coredns.address, NAME))[0].endswith("IN A 10.96.0.10")
