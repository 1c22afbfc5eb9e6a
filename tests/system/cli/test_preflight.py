"""``grpcdns preflight`` against a real kube-apiserver: with and without what it looks for."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from grpcdns.cli import main
from grpcdns.preflight.report import STATUSES, Report
from harness.accounts import READ_DNS, Rules
from harness.certificates import Authority
from harness.cluster import Cluster
from harness.kubeconfig import write_kubeconfig
from harness.objects import endpoint_slice, port, service, service_cidr
from harness.paths import ROOT
from harness.ports import Address, free_address

ZONES = "cluster.local,10.96.0.0/16,fd00:96::/112,10.244.0.0/16"
COREFILE = f"""{ZONES.replace(",", " ")} {{
    grpc . unix:///run/grpcdns/0.sock unix:///run/grpcdns/1.sock {{
        policy round_robin
    }}
    cache {{
        servfail 0
    }}
}}
. {{
    health {{
        lameduck 5s
    }}
    ready
    forward . /etc/resolv.conf
}}
"""
NODE = {
    "apiVersion": "v1",
    "kind": "Node",
    "metadata": {"name": "preflight-node"},
    "spec": {"podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24"]},
}
WAITING = "grpcdns: asking the cluster\n"
SERVE: Rules = (
    *READ_DNS,
    {
        "apiGroups": ["networking.k8s.io"],
        "resources": ["servicecidrs"],
        "verbs": ["list", "watch"],
    },
)
"""What the account of serve may do."""
ASK: Rules = (
    *SERVE,
    {"apiGroups": [""], "resources": ["configmaps", "serviceaccounts"], "verbs": ["get"]},
)
"""What CoreDNS's account may do, and to read what preflight looks for."""


class Place(NamedTuple):
    """A namespace with a DNS Service, a ConfigMap and an account as kube-system has them."""

    cluster: Cluster
    namespace: str

    def options(self, zones: str = ZONES) -> list[str]:
        return [
            *("--kubeconfig", str(self.cluster.admin_kubeconfig)),
            *("--zones", zones),
            *("--as", f"{self.namespace}/dns"),
            *("--configmap", f"{self.namespace}/coredns"),
            *("--dns-service", f"{self.namespace}/kube-dns"),
        ]

    def put_corefile(self, text: str) -> None:
        self.cluster.api.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "coredns", "namespace": self.namespace},
                "data": {"Corefile": text},
            }
        )


@pytest.fixture
def place(cluster: Cluster, namespace: str) -> Iterator[Place]:
    """All in place."""
    made = Place(cluster, namespace)
    ports = [port(53, "dns", "UDP"), port(53, "dns-tcp", "TCP")]
    cluster.service_account_token("dns", SERVE, namespace=namespace)
    cluster.api.create(service("kube-dns", namespace=namespace, ports=ports))
    cluster.api.create(
        endpoint_slice("dns", "kube-dns", [{"addresses": ["10.244.3.7"]}], ports,
                       namespace=namespace)
    )  # fmt: skip
    made.put_corefile(COREFILE)
    cluster.api.create(NODE)
    yield made
    cluster.api.delete(NODE)


def report(*options: str, code: int, capsys: pytest.CaptureFixture[str]) -> Report:
    """Runs it; the report, which must fit the schema to the field."""
    assert main(["preflight", *options, "--output", "json"]) == code
    printed = json.loads(capsys.readouterr().out)
    found = msgspec.convert(printed, Report)
    assert msgspec.to_builtins(found) == printed, "no field but those of the schema"
    assert found.ready == (code == 0)
    assert found.counts == {
        status: sum(check.status == status for check in found.checks) for status in STATUSES
    }
    return found


def statuses(found: Report) -> dict[str, str]:
    """The checks that are not ok."""
    return {check.id: check.status for check in found.checks if check.status != "ok"}


def check(found: Report, id: str) -> Any:  # noqa: A002
    return next(one for one in found.checks if one.id == id)


def test_all_in_place(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(*place.options(), code=0, capsys=capsys)
    assert statuses(found) == {}
    assert [one.id for one in found.checks] == [
        "api",
        "account",
        *("served.namespaces", "served.services", "served.endpointslices"),
        *("rights.namespaces", "rights.services", "rights.endpointslices", "rights.servicecidrs"),
        *("corefile", "networks.services", "networks.pods"),
        *("dns-service", "dns-service.endpoints", "size"),
    ]
    assert (found.user, found.kubernetes[:3]) == ("admin", "v1.")
    assert found.account == f"system:serviceaccount:{place.namespace}:dns"
    assert check(found, "dns-service.endpoints").found == "1 of 1 ready"
    assert check(found, "networks.pods").found == "10.244.0.0/16, all in --zones"


class Missing(NamedTuple):
    """``options`` come after those of all that is in place; ``found``: in that check's text."""

    id: str
    options: tuple[str, ...]
    status: str
    found: str
    zones: str = ZONES


MISSING = [
    Missing("account", ("--as", "kube-system/nobody"), "fail", "nobody does not exist"),
    Missing("rights.pods", ("--as", "kube-system/nobody"), "fail", "may not list or watch pods"),
    Missing("served.serviceimports", (), "fail", "serviceimports not served"),
    Missing("namespaces", ("--namespaces", "default,nowhere"), "warning", "nowhere"),
    Missing("corefile", ("--configmap", "kube-system/none"), "fail", "no ConfigMap"),
    Missing("networks.services", (), "fail", "10.96.0.0/16, fd00:96::/112 not in --zones",
            zones="cluster.local,10.244.0.0/16"),
    Missing("networks.pods", (), "fail", "10.244.0.0/16 not in --zones",
            zones="cluster.local,10.96.0.0/16,fd00:96::/112"),
    Missing("dns-service", ("--dns-service", "kube-system/none"), "fail", "no Service"),
    Missing("dns-service.endpoints", ("--dns-service", "kube-system/none"), "fail",
            "no endpoints"),
]  # fmt: skip
EVERY_KIND = ("--pods", "verified", "--multicluster", "cluster.local")


@pytest.mark.parametrize("case", MISSING, ids=lambda case: case.id)
def test_what_is_missing(case: Missing, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    options = [*place.options(case.zones), *EVERY_KIND, *case.options]
    found = report(*options, code=1, capsys=capsys)
    one = check(found, case.id)
    assert one.status == case.status
    assert case.found in one.found
    assert one.do


@pytest.mark.parametrize(
    ("corefile", "status", "said"),
    [
        (COREFILE.replace("unix:///run/grpcdns/0.sock", "grpcdns:5301"), "fail", "grpcdns:5301"),
        (COREFILE.replace(" 10.244.0.0/16", ""), "warning", "[not-asked]"),
        (".:53 {\n    kubernetes cluster.local\n    ready\n}\n", "warning", "no grpc in it"),
    ],
    ids=["error", "warning", "stock"],
)
def test_a_corefile_to_mend(
    corefile: str, status: str, said: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    place.put_corefile(corefile)
    found = report(*place.options(), code=int(status == "fail"), capsys=capsys)
    assert statuses(found) == {"corefile": status}
    assert said in check(found, "corefile").found


def test_zones_that_follow_the_cluster(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """--zones auto has the networks. The Corefile must have those that were added."""
    zones = "auto,10.244.0.0/16"
    assert statuses(report(*place.options(zones), code=0, capsys=capsys)) == {}
    added = place.cluster.api.create(service_cidr("preflight", "10.208.0.0/16"))
    try:
        found = report(*place.options(zones), code=0, capsys=capsys)
        assert statuses(found) == {"corefile": "warning"}
        assert "208.10.in-addr.arpa" in check(found, "corefile").found
        found = report(*place.options(), code=1, capsys=capsys)
        assert statuses(found) == {"networks.services": "fail"}
        assert "10.208.0.0/16 not in --zones" in check(found, "networks.services").found
    finally:
        place.cluster.api.delete(added)


SMALL = COREFILE.replace(
    "servfail 0", "servfail 0\n        success 8 30 0\n        denial 9984 30 0"
)


@pytest.mark.parametrize(
    ("corefile", "mode", "said"),
    [
        (SMALL.replace("success 8", "success 9984"), "adaptive", ""),
        (COREFILE, "adaptive", "a minimum TTL of 5 s [cache-minimum]"),
        (COREFILE, "fixed", ""),
        (SMALL, "fixed", "success: room for 1,024 answers, and 1,2"),
    ],
    ids=["fits", "minimum TTL", "fixed TTLs", "small"],
)
def test_a_cache_is_compared_with_the_options_and_the_cluster(
    corefile: str,
    mode: str,
    said: str,
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """1,200 endpoints of a headless Service are as many names."""
    for number in range(2 if "room for" in said else 0):
        points = [{"addresses": [f"10.244.{4 + number}.{n % 250}"]} for n in range(600)]
        made = endpoint_slice(f"many-{number}", "many", points, [], namespace=place.namespace)
        made["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
        place.cluster.api.create(made)
    place.put_corefile(corefile)
    found = report(*place.options(), "--ttl-mode", mode, code=0, capsys=capsys)
    assert statuses(found) == ({"corefile": "warning"} if said else {})
    assert said in check(found, "corefile").found


def test_before_anything_is_deployed(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither account nor binding is there; the rights are asked for all the same."""
    found = report(*place.options(), "--as", f"{place.namespace}/later", code=1, capsys=capsys)
    assert statuses(found) == {
        "account": "fail",
        "rights.namespaces": "fail",
        "rights.services": "fail",
        "rights.endpointslices": "fail",
        "rights.servicecidrs": "warning",
    }
    do = check(found, "rights.services").do
    assert "kubectl apply -k deploy/base" in do
    assert f"--serviceaccount={place.namespace}:later" in do


def test_a_binding_without_an_account(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    account = {"apiVersion": "v1", "kind": "ServiceAccount"}
    name = {"name": "dns", "namespace": place.namespace}
    place.cluster.api.delete({**account, "metadata": name})
    found = report(*place.options(), code=1, capsys=capsys)
    assert statuses(found) == {"account": "fail"}


IMPERSONATE: Rules = (
    *ASK,
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (IMPERSONATE, {}),
        (ASK, dict.fromkeys(
            ("rights.namespaces", "rights.services", "rights.endpointslices",
             "rights.servicecidrs"), "unknown")),
    ],
    ids=["by impersonation", "not at all"],
)  # fmt: skip
def test_who_may_not_review(
    rules: Rules,
    expected: Mapping[str, str],
    place: Place,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Without the right to create SubjectAccessReviews."""
    cluster, namespace = place.cluster, place.namespace
    kubeconfig = cluster.service_account_kubeconfig("operator", rules, namespace=namespace)
    found = report(*place.options(), "--kubeconfig", str(kubeconfig), code=0, capsys=capsys)
    assert statuses(found) == {"networks.pods": "unknown", **expected}
    for name in expected:
        assert "create subjectaccessreviews or impersonate" in check(found, name).found


def test_as_the_account_itself(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """What serve's own account may not read is unknown, and no failure."""
    kubeconfig = place.cluster.service_account_kubeconfig("dns", namespace=place.namespace)
    found = report(*place.options(), "--kubeconfig", str(kubeconfig), code=0, capsys=capsys)
    assert statuses(found) == {
        "corefile": "unknown",
        "rights.servicecidrs": "warning",
        "networks.services": "unknown",
        "networks.pods": "unknown",
    }
    assert "get configmaps" in check(found, "corefile").found
    assert "asked as itself" in check(found, "account").found


def test_in_a_pod(place: Place) -> None:
    pod = place.cluster.in_cluster_files("dns", namespace=place.namespace)
    options = [one for one in place.options()[2:] if one != "--as" and not one.endswith("/dns")]
    command = [*pod.inside, sys.executable, "-m", "grpcdns", "preflight", *options]
    env = {**os.environ, **pod.env}
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)
    if "unshare" in done.stderr:
        pytest.skip(f"no mount namespaces here: {done.stderr}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"system:serviceaccount:{place.namespace}:dns, asked as itself" in done.stdout


def test_as_text(place: Place) -> None:
    """A line a check, what to do once for all that need it, and how many are which."""
    command = [sys.executable, "-m", "grpcdns", "preflight", *place.options()]
    command += ["--as", f"{place.namespace}/later", "--configmap", f"{place.namespace}/none"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[:15]] == [
        *("ok", "fail", "ok", "ok", "ok", "fail", "fail", "fail", "warning", "fail"),
        *("ok", "ok", "ok", "ok", "ok"),
    ]
    assert lines[16] == "What to do"
    names = ", ".join(f"right to {kind}" for kind in ("Namespaces", "Services", "EndpointSlices"))
    assert lines[18].startswith(f"  {names}, right to ServiceCIDRs: deploy/kubeadm")
    assert lines[-1] == "15 checks: 9 ok, 1 with a warning, 5 failed"
    assert done.stderr == ""


class Broken(NamedTuple):
    id: str
    kubeconfig: Path
    said: str


@pytest.fixture
def broken(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broken]:
    """A kubeconfig of an API that gives no answer to our questions."""
    authority = Authority(tmp_path)
    path = tmp_path / "kubeconfig"
    if request.param in ("dead", "silent"):
        address = free_address()
        said = "Connection refused" if request.param == "dead" else "no answer in 2 s"
        with socket.socket() as listener:
            if request.param == "silent":
                listener.bind(address)
                listener.listen()
            yield Broken("", write_kubeconfig(path, address, authority.cert, token="t"), said)
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    how: dict[str, tuple[Address, Path, str | None, str]] = {
        "401": (cluster.address, cluster.ca, "wrong", "401 Unauthorized"),
        "nobody": (cluster.address, cluster.ca, None, "401 Unauthorized"),
        "tls": (cluster.address, authority.cert, "t", "TLS: certificate verify failed"),
    }
    address, ca, token, said = how[request.param]
    yield Broken("", write_kubeconfig(path, address, ca, token=token), said)


@pytest.mark.timed
@pytest.mark.servers
@pytest.mark.parametrize("broken", ["dead", "silent", "401", "nobody", "tls"], indirect=True)
def test_an_api_that_cannot_be_asked_is_one_line_within_five_seconds(broken: Broken) -> None:
    command = [sys.executable, "-m", "grpcdns", "preflight"]
    command += ["--kubeconfig", str(broken.kubeconfig)]
    began = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert time.monotonic() - began < 5.0
    assert done.returncode == 1, done.stderr
    first, *_, last = done.stdout.splitlines()
    assert first.startswith("fail  API  https://127.0.0.1:")
    assert broken.said in first
    assert last == "1 check: 1 failed"
    assert done.stderr in ("", WAITING), "after two seconds"


def test_an_api_that_dies_halfway(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was asked before stands; all the rest fails, each with a line."""
    from grpcdns.preflight import kubernetes_client

    real = kubernetes_client.KubernetesClient.may_user

    def dying(self: Any, *args: Any) -> Any:
        self._client.configuration.host = f"https://{free_address()}"
        return real(self, *args)

    monkeypatch.setattr(kubernetes_client.KubernetesClient, "may_user", dying)
    found = report(*place.options(), code=1, capsys=capsys)
    assert set(statuses(found).values()) == {"fail"}
    assert [one.id for one in found.checks if one.status == "ok"] == [
        *("api", "account", "served.namespaces", "served.services", "served.endpointslices")
    ]
    assert "Connection refused" in check(found, "size").found


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--output", "xml"], "--output"),
        (["--as", "jane"], "--as"),
        (["--configmap", "coredns"], "--configmap"),
        (["--timeout", "soon"], "--timeout"),
        (["--manifests", "."], "--manifests: preflight asks a cluster"),
        (["--kubeconfig", "/nowhere"], "kubeconfig /nowhere: No such file"),
        (["--zones", "a..b"], "--zones"),
    ],
)
def test_options_that_make_no_sense(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["preflight", *options]) == 2
    assert said in capsys.readouterr().err
