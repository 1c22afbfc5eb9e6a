"""What each check of preflight concludes, without a cluster: one row a case."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from grpcdns.config import values
from grpcdns.core.cluster.objects import Kind
from grpcdns.preflight import corefile, dns_service, namespaces, networks, rights, served, size
from grpcdns.preflight.account import Account, choose_account, decide_account, parse_account
from grpcdns.preflight.checks import decide_api_error, decide_user
from grpcdns.preflight.kubernetes_client import Right
from grpcdns.preflight.report import FAIL, OK, UNKNOWN, WARNING, Check, Verdict, is_ready
from grpcdns.preflight.resources import resource_of
from grpcdns.source.api.client import ApiError, Unreachable

COREDNS = Account("system:serviceaccount:kube-system:coredns", is_self=False)
SLICES = resource_of(Kind.ENDPOINT_SLICE)
PODS = resource_of(Kind.POD)
ZONES = values.many(values.zone)("cluster.local,10.96.0.0/12,10.244.0.0/16")
GOOD = """cluster.local 10.96.0.0/12 10.244.0.0/16 {
    grpc . unix:///a unix:///b {
        policy round_robin
    }
    cache {
        servfail 0
    }
}
. {
    health {
        lameduck 5s
    }
    ready
    forward . /etc/resolv.conf
}
"""


class Case(NamedTuple):
    """``found`` and ``do``: text that must be in the verdict."""

    id: str
    verdict: Verdict
    status: str
    found: str = ""
    do: str = ""


def listed(*verbs: str, plural: str = "endpointslices") -> list[dict[str, Any]]:
    return [{"name": plural, "verbs": list(verbs)}, {"name": f"{plural}/status", "verbs": ["get"]}]


def configmap(text: str) -> dict[str, Any]:
    return {"data": {"Corefile": text}}


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]
    return {"spec": {"clusterIPs": ["10.96.0.10"], "ports": ports, **spec}}


def piece(*ready: bool | None) -> dict[str, Any]:
    return {"endpoints": [{"conditions": {"ready": one}} for one in ready]}


def counts(services: int = 0, endpoints: int = 0, pods: int = 0) -> size.Counts:
    return size.Counts(services, endpoints // 10, endpoints, pods)


ALL = {"list": Right(True), "watch": Right(True)}
NO_WATCH = {"list": Right(True), "watch": Right(False, "no binding")}

CASES = [
    Case("user", decide_user("https://api", "jane", "v1.36.3"), OK, "v1.36.3, as jane"),
    Case("user-anonymous", decide_user("https://api", "system:anonymous", ""), FAIL,
         "sees the credentials as system:anonymous", "give it a token"),
    Case("api-401", decide_api_error("https://api", ApiError(401, "Unauthorized")), FAIL,
         "401 Unauthorized", "renew the credentials"),
    Case("api-403", decide_api_error("https://api", ApiError(403, "Forbidden")), FAIL,
         "403", "ask for a role"),
    Case("api-500", decide_api_error("https://api", ApiError(502, "Bad Gateway")), FAIL,
         "502", "a proxy before it"),
    Case("api-tls", decide_api_error("https://api", Unreachable("TLS: certificate")), FAIL,
         "TLS: certificate", "certificate-authority-data"),
    Case("api-gone", decide_api_error("https://api", Unreachable("Connection refused")), FAIL,
         "Connection refused", "kubectl get --raw /version"),
    Case("account", decide_account(COREDNS, True), OK, "kube-system:coredns"),
    Case("account-missing", decide_account(COREDNS, False), FAIL, "does not exist",
         "kubectl create serviceaccount -n kube-system coredns"),
    Case("served", served.decide_served(SLICES, listed("get", "list", "watch"), []), OK,
         "discovery.k8s.io/v1"),
    Case("served-not", served.decide_served(SLICES, [], []), FAIL,
         "discovery.k8s.io/v1 endpointslices not served", "Kubernetes 1.21"),
    Case("served-older", served.decide_served(SLICES, [], ["v1beta1"]), FAIL, "only v1beta1"),
    Case("served-no-watch", served.decide_served(SLICES, listed("list"), []), FAIL,
         "served without watch"),
    Case("served-other", served.decide_served(SLICES, listed("list", "watch", plural="x"), []),
         FAIL, "not served"),
    Case("rights", rights.decide_rights(SLICES, COREDNS, ALL), OK,
         "may list and watch endpointslices.discovery.k8s.io"),
    Case("rights-no-watch", rights.decide_rights(SLICES, COREDNS, NO_WATCH), FAIL,
         "may not watch endpointslices.discovery.k8s.io (no binding)",
         "--serviceaccount=kube-system:coredns"),
    Case("rights-component", rights.decide_rights(PODS, COREDNS, NO_WATCH), FAIL,
         "may not watch pods", "deploy/components/pods-verified"),
    Case("rights-person", rights.decide_rights(PODS, Account("jane", True), NO_WATCH), FAIL,
         "may not watch pods", "--user=jane"),
    Case("namespaces", namespaces.decide_namespaces(["a", "b"], []), OK, "a, b: all exist"),
    Case("namespaces-missing", namespaces.decide_namespaces(["a", "b"], ["b"]), WARNING,
         "not there: b", "correct --namespaces"),
    Case("corefile", corefile.decide_configmap("ns/c", configmap(GOOD), ZONES), OK),
    Case("corefile-stock", corefile.decide_configmap(
             "ns/c", configmap(".:53 {\n kubernetes cluster.local\n ready\n}\n"), ()),
         WARNING, "no grpc in it", "--configmap kube-system/coredns-grpcdns"),
    Case("corefile-no-configmap", corefile.decide_configmap("ns/c", None, ()), FAIL,
         "no ConfigMap ns/c", "--configmap NAMESPACE/NAME"),
    Case("corefile-no-key", corefile.decide_configmap("ns/c", {"data": None}, ()), FAIL,
         "no key Corefile"),
    Case("corefile-error", corefile.decide_configmap(
             "ns/c", configmap(GOOD.replace("unix:///a", "worker:5301")), ()),
         FAIL, "line 2: TO worker:5301", "line 2: "),
    Case("corefile-syntax", corefile.decide_configmap("ns/c", configmap("a {\n"), ()), FAIL,
         "[syntax]"),
    Case("corefile-warning", corefile.decide_configmap(
             "ns/c", configmap(GOOD.replace("    ready\n", "")), ()), WARNING, "[no-ready]"),
    Case("corefile-zone", corefile.decide_configmap(
             "ns/c", configmap(GOOD), values.many(values.zone)("cluster.local,10.96.0.0/12")),
         FAIL, "[not-served]"),
    Case("networks", networks.decide_networks("Pod", ["10.244.3.0/24"], ["10.244.0.0/16"], ZONES),
         OK, "10.244.0.0/16, all in --zones"),
    Case("networks-default", networks.decide_networks(
             "Service", ["10.0.0.0/16", "fd00::/112"], ["10.0.0.0/16"],
             ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")), OK),
    Case("networks-missing", networks.decide_networks(
             "Pod", ["10.200.3.0/24"], ["10.200.0.0/16"], ZONES), FAIL,
         "10.200.0.0/16 not in --zones", "add 10.200.0.0/16 to --zones"),
    Case("networks-partly", networks.decide_networks(
             "Service", ["10.96.0.0/11"], ["10.96.0.0/11"], ZONES), FAIL, "10.96.0.0/11 not in"),
    Case("networks-second-family", networks.decide_networks(
             "Service", ["10.96.0.0/16", "fd00:96::/112"], ["10.96.0.0/16", "fd00:96::/112"],
             ZONES), FAIL, "fd00:96::/112 not in", "add fd00:96::/112 to"),
    Case("networks-narrow-zone", networks.decide_networks(
             "Pod", ["10.244.1.0/24"], ["10.244.0.0/16"],
             values.many(values.zone)("cluster.local,10.244.1.0/24")), OK),
    Case("dns-service", dns_service.decide_service("k/dns", service()), OK, "k/dns, 10.96.0.10"),
    Case("dns-service-missing", dns_service.decide_service("k/dns", None), FAIL,
         "no Service k/dns", "--dns-service NAMESPACE/NAME"),
    Case("dns-service-headless", dns_service.decide_service(
             "k/dns", service(clusterIPs=["None"], clusterIP="None")), WARNING, "no cluster IP"),
    Case("dns-service-no-tcp", dns_service.decide_service(
             "k/dns", service(ports=[{"port": 53, "protocol": "UDP"}])), FAIL,
         "no port 53 over TCP"),
    Case("dns-service-nulls", dns_service.decide_service("k/dns", service(ports=None)), FAIL,
         "no port 53 over UDP and TCP"),
    Case("endpoints", dns_service.decide_endpoints("k/dns", [piece(True, False), piece(None)]),
         OK, "2 of 3 ready"),
    Case("endpoints-none", dns_service.decide_endpoints("k/dns", [{"endpoints": None}]), FAIL,
         "k/dns has no endpoints", "is CoreDNS deployed?"),
    Case("endpoints-not-ready", dns_service.decide_endpoints("k/dns", [piece(False, False)]), FAIL,
         "none of 2 endpoints", "readiness probe"),
    Case("size", size.decide_size(counts(10_000, 100_000), 2), OK,
         "10,000 Services, 10,000 EndpointSlices with about 100,000 endpoints: expect 140 MB"),
    Case("size-one", size.decide_size(size.Counts(1, 1, 1, 0), 1), OK,
         "1 Service, 1 EndpointSlice with about 1 endpoint: expect 52 MB with 1 worker"),
    Case("size-pods", size.decide_size(counts(pods=100_000), 2), OK, "100,000 Pods: expect 140 MB"),
    Case("size-over-the-limit", size.decide_size(counts(150_000, 1_500_000), 2), WARNING,
         "more than the limit of 768Mi", "1,500Mi"),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_verdict(case: Case) -> None:
    assert case.verdict.status == case.status, case.verdict
    assert case.found in case.verdict.found
    assert case.do in case.verdict.do
    assert bool(case.verdict.do) == (case.status != OK), "each failure comes with what to do"


@pytest.mark.parametrize(
    ("text", "user"),
    [
        ("self", "self"),
        ("kube-system/coredns", "system:serviceaccount:kube-system:coredns"),
        ("system:serviceaccount:dns:coredns", "system:serviceaccount:dns:coredns"),
    ],
)
def test_account_as_text(text: str, user: str) -> None:
    assert parse_account(text) == user


@pytest.mark.parametrize("text", ["jane", "a/b/c", "system:serviceaccount:dns", "/x", "a/"])
def test_what_is_no_account(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_account(text)


OTHER = "system:serviceaccount:dns:coredns"


@pytest.mark.parametrize(
    ("given", "user", "in_pod", "account"),
    [
        ("", "jane", False, COREDNS),
        ("", "", False, COREDNS),
        ("", OTHER, False, Account(OTHER, True)),
        ("", OTHER, True, Account(OTHER, True)),
        ("", "", True, Account("", True)),
        ("self", "jane", False, Account("jane", True)),
        (OTHER, "jane", False, Account(OTHER, False)),
        (OTHER, OTHER, False, Account(OTHER, True)),
        (OTHER, COREDNS.user, True, Account(OTHER, False)),
    ],
)
def test_whose_rights(given: str, user: str, in_pod: bool, account: Account) -> None:
    assert choose_account(given, user, in_pod) == account


def test_groups_of_a_service_account() -> None:
    assert COREDNS.groups[1] == "system:serviceaccounts:kube-system"


def checks(**statuses: str) -> list[Check]:
    return [
        Check(id=name, name=name, status=status, found="", do="")  # type: ignore[arg-type]
        for name, status in statuses.items()
    ]


@pytest.mark.parametrize(
    ("statuses", "ready"),
    [
        ({"api": OK, "size": OK}, True),
        ({"api": OK, "size": WARNING}, True),
        ({"api": OK, "size": OK, "corefile": UNKNOWN}, True),
        ({"api": OK, "size": FAIL, "corefile": OK}, False),
        ({"api": OK, "size": UNKNOWN, "corefile": UNKNOWN}, False),
        ({"api": FAIL}, False),
    ],
)
def test_ready(statuses: dict[str, str], ready: bool) -> None:
    """Unknown is no failure, unless nothing could be asked."""
    assert is_ready(checks(**statuses)) is ready


@pytest.mark.parametrize(
    ("page", "total", "endpoints"),
    [
        ({"items": None, "metadata": {}}, 0, 0),
        ({"items": [{"endpoints": None}], "metadata": {"remainingItemCount": None}}, 1, 0),
        ({"items": [piece(True), piece(True, True, True)], "metadata": {"remainingItemCount": 98}},
         100, 200),
    ],
)  # fmt: skip
def test_counting_by_the_first_page(page: Any, total: int, endpoints: int) -> None:
    assert size.count_objects(page) == (total, endpoints)
