"""What each mode and option renders, as facts: `OBJECT PATH: VALUE`, not as files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from grpcdns.cli import parser_of
from grpcdns.config.load import load
from grpcdns.config.options import OPTIONS
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.traps.trap import NOTE
from tests.system.helm.chart import Object, rendered

pytestmark = pytest.mark.servers

ABSENT: Final = "absent"
OWN: Final = {"app.kubernetes.io/instance": "grpcdns", "app.kubernetes.io/name": "grpcdns"}
POD: Final = "Deployment/grpcdns spec template spec"
ARGS: Final = f"{POD} initContainers 0 args"
BASE: Final = {
    "ClusterRole/grpcdns", "ClusterRoleBinding/grpcdns", "ConfigMap/grpcdns", "Deployment/grpcdns",
    "Pod/grpcdns-test", "PodDisruptionBudget/grpcdns", "Service/grpcdns", "Service/grpcdns-metrics",
    "ServiceAccount/grpcdns",
}  # fmt: skip


class Row(NamedTuple):
    """``facts``: the words of a path, and the value there. ``has``: what a list or a text has.
    ``more`` and ``less``: objects that are there, or not, beside those of mode `beside`."""

    values: Mapping[str, Any] = {}
    facts: Mapping[str, Any] = {}
    has: Mapping[str, Any] = {}
    more: tuple[str, ...] = ()
    less: tuple[str, ...] = ()


ROWS: Final = {
    "beside": Row(
        facts={
            "Deployment/grpcdns spec replicas": 2,
            f"{POD} priorityClassName": "system-cluster-critical",
            f"{POD} dnsPolicy": "Default",
            f"{POD} serviceAccountName": "grpcdns",
            f"{POD} containers 0 image": "coredns/coredns:1.14.7",
            f"{POD} initContainers 0 image": "grpcdns:0.1.0",
            f"{POD} topologySpreadConstraints 0 labelSelector matchLabels": OWN,
            "Deployment/grpcdns spec template metadata labels": OWN,  # kube-dns asks none of them
            "Service/grpcdns spec selector": OWN,
            "Service/grpcdns spec clusterIP": ABSENT,
            "PodDisruptionBudget/grpcdns spec selector matchLabels": OWN,
            "PodDisruptionBudget/grpcdns spec maxUnavailable": 1,
        },
        has={ARGS: "--ttl-mode=adaptive"},
    ),
    "the cluster's DNS address": Row(
        {"service": {"clusterIP": "10.96.0.10"}},
        {"Service/grpcdns spec clusterIP": "10.96.0.10"},
        {ARGS: "--dns-service=kube-system/grpcdns"},
    ),
    "a share of kube-dns": Row(
        {"podLabels": {"k8s-app": "kube-dns"}},
        {
            "Deployment/grpcdns spec template metadata labels k8s-app": "kube-dns",
            "Deployment/grpcdns spec selector matchLabels": OWN,  # which cannot be changed later
        },
    ),
    "topology": Row(
        {"grpcdns": {"topology": {"minShare": 0}},
         "service": {"trafficDistribution": "PreferSameZone"}},
        {
            "Service/grpcdns spec trafficDistribution": "PreferSameZone",
            f"{POD} initContainers 0 env 0 valueFrom fieldRef fieldPath":
                "metadata.labels['topology.kubernetes.io/zone']",
        },
        {ARGS: "--topology-min-share=0"},
    ),
    "no topology": Row(
        {"grpcdns": {"topology": {"enabled": False}}}, {f"{POD} initContainers 0 env": ABSENT}
    ),
    "one TTL": Row(
        {"grpcdns": {"ttlMode": "fixed", "ttl": 30}},
        {f"{ARGS} 3": "--ttl-mode=fixed", f"{ARGS} 4": "--ttl=30"},
    ),
    "three workers": Row(
        {"grpcdns": {"workers": 3}},
        has={
            ARGS: "--listen=unix:///run/grpcdns/2.sock",
            "ConfigMap/grpcdns data Corefile": "/1.sock unix:///run/grpcdns/2.sock {",
            f"{POD} initContainers 0 startupProbe exec command":
                "--server=unix:///run/grpcdns/2.sock",
        },
    ),
    "Pods that exist": Row(
        {"grpcdns": {"pods": "verified"}},
        has={"ClusterRole/grpcdns rules 0 resources": "pods", ARGS: "--pods=verified"},
    ),
    "a clusterset": Row(
        {"grpcdns": {"zones": ["cluster.local", "clusterset.local", "10.96.0.0/12"],
                     "multicluster": ["clusterset.local"]}},
        has={
            "ClusterRole/grpcdns rules 3 resources": "serviceimports",
            "ConfigMap/grpcdns data Corefile": "cluster.local clusterset.local 10.96.0.0/12 {",
            ARGS: "--multicluster=clusterset.local",
        },
    ),
    "a TCP port": Row(
        {"grpcdns": {"tcp": {"enabled": True, "service": True}, "probes": "grpc"}},
        {
            f"{POD} initContainers 0 readinessProbe grpc port": 5301,
            "Service/grpcdns-grpc spec ports 0 port": 5301,
        },
        {ARGS: "--listen=0.0.0.0:5301"},
        more=("Service/grpcdns-grpc",),
    ),
    "TLS": Row(
        {"grpcdns": {"tcp": {"enabled": True, "tls": {"secretName": "dns", "clientAuth": True}}}},
        has={
            ARGS: "--tls-client-ca=/etc/grpcdns-tls/ca.crt",
            f"{POD} volumes": {"name": "grpcdns-tls", "secret": {"secretName": "dns"}},
        },
    ),
    "no snapshot": Row(
        {"grpcdns": {"snapshot": {"enabled": False}}},
        {f"{POD} volumes 3": ABSENT, f"{POD} initContainers 0 volumeMounts 2": ABSENT},
    ),
    "more server blocks": Row(
        {
            "servers": [
                {"zones": [{"zone": ".", "use_tcp": True}],
                 "plugins": [{"name": "errors"}, {"name": "ready"}, {"name": "health"},
                             {"name": "forward", "parameters": ". 192.0.2.53"}]},
                {"zones": [{"zone": ".", "scheme": "tls://"}], "port": 853, "hostPort": 853,
                 "plugins": [{"name": "tls", "parameters": "/etc/tls/tls.crt /etc/tls/tls.key"}]},
            ],
            "extraServers": "example.org {\n    whoami\n}\n",
            "extraConfig": {"import": {"parameters": "/opt/coredns/*.conf"}},
            "zoneFiles": [{"filename": "a.db", "contents": "a 1 IN A 192.0.2.1\n"}],
            "extraSecrets": [{"name": "certificates", "mountPath": "/etc/tls"}],
        },
        {
            "ConfigMap/grpcdns data a.db": "a 1 IN A 192.0.2.1\n",
            f"{POD} containers 0 ports 2":
                {"name": "tcp-853", "containerPort": 853, "hostPort": 853, "protocol": "TCP"},
            "Service/grpcdns spec ports 2":
                {"name": "tcp-853", "port": 853, "targetPort": 853, "protocol": "TCP"},
            "Service/grpcdns spec ports 3": ABSENT,
        },
        {
            "ConfigMap/grpcdns data Corefile": "tls://.:853 {\n    tls /etc/tls/tls.crt /etc/tls/",
            f"{POD} containers 0 volumeMounts":
                {"name": "certificates", "mountPath": "/etc/tls", "readOnly": True},
        },
    ),
    "Prometheus": Row(
        {"prometheus": {"monitor": {"enabled": True, "namespace": "monitoring"},
                        "rules": {"enabled": True, "runbookBase": "https://dns.example/"},
                        "dashboards": {"enabled": True, "namespace": "monitoring"}}},
        {
            "ServiceMonitor/grpcdns metadata namespace": "monitoring",
            "ServiceMonitor/grpcdns spec namespaceSelector matchNames": ["kube-system"],
            "ServiceMonitor/grpcdns spec endpoints 0 port": "grpcdns-metrics",
            "ServiceMonitor/grpcdns spec endpoints 1 port": "metrics",
            "PrometheusRule/grpcdns spec groups 0 rules 0 annotations runbook_url":
                "https://dns.example/docs/operations.md#grpcdnsdown",
            "ConfigMap/grpcdns-dashboards metadata labels grafana_dashboard": "1",
        },
        more=("ServiceMonitor/grpcdns", "PrometheusRule/grpcdns", "ConfigMap/grpcdns-dashboards"),
    ),
    "no budget": Row({"podDisruptionBudget": None}, less=("PodDisruptionBudget/grpcdns",)),
    "another budget": Row(
        {"podDisruptionBudget": {"minAvailable": 1}},
        {"PodDisruptionBudget/grpcdns spec minAvailable": 1,
         "PodDisruptionBudget/grpcdns spec maxUnavailable": ABSENT},
    ),
    "a network policy": Row(
        {"networkPolicy": {"enabled": True, "metricsFrom": [{"podSelector": {}}]}},
        {
            "NetworkPolicy/grpcdns spec podSelector matchLabels": OWN,
            "NetworkPolicy/grpcdns spec policyTypes": ["Ingress"],
            "NetworkPolicy/grpcdns spec ingress 0 from": ABSENT,
            "NetworkPolicy/grpcdns spec ingress 1 from": [{"podSelector": {}}],
        },
        {"NetworkPolicy/grpcdns spec ingress 0 ports": {"port": 53, "protocol": "UDP"}},
        more=("NetworkPolicy/grpcdns",),
    ),
    "replicas by load": Row(
        {"hpa": {"enabled": True, "maxReplicas": 7}},
        {"Deployment/grpcdns spec replicas": ABSENT,
         "HorizontalPodAutoscaler/grpcdns spec maxReplicas": 7,
         "HorizontalPodAutoscaler/grpcdns spec scaleTargetRef name": "grpcdns"},
        more=("HorizontalPodAutoscaler/grpcdns",),
    ),
    "replicas by size": Row(
        {"autoscaler": {"enabled": True}},
        {"Deployment/grpcdns spec replicas": ABSENT,
         "Role/grpcdns-autoscaler rules 0 resourceNames": ["grpcdns"]},
        {"Deployment/grpcdns-autoscaler spec template spec containers 0 command":
            "--target=Deployment/grpcdns",
         "ConfigMap/grpcdns-autoscaler data linear": '"nodesPerReplica":16'},
        more=tuple(f"{kind}/grpcdns-autoscaler" for kind in (
            "ServiceAccount", "ConfigMap", "ClusterRole", "ClusterRoleBinding", "Role",
            "RoleBinding", "Deployment")),
    ),
    "an account of others": Row(
        {"serviceAccount": {"create": False, "name": "dns"}, "rbac": {"create": False}},
        {f"{POD} serviceAccountName": "dns"},
        less=("ServiceAccount/grpcdns", "ClusterRole/grpcdns", "ClusterRoleBinding/grpcdns"),
    ),
    "scheduling": Row(
        {"priorityClassName": "", "topologySpreadConstraints": None, "nodeSelector": {"a": "b"},
         "tolerations": []},
        {f"{POD} priorityClassName": ABSENT, f"{POD} topologySpreadConstraints": ABSENT,
         f"{POD} nodeSelector": {"a": "b", "kubernetes.io/os": "linux"},
         f"{POD} tolerations": ABSENT},
    ),
    "an image of one's own": Row(
        {"grpcdns": {"image": {"repository": "registry.example/grpcdns", "tag": "2"}},
         "image": {"pullSecrets": [{"name": "mine"}]}},
        {f"{POD} initContainers 0 image": "registry.example/grpcdns:2",
         f"{POD} imagePullSecrets": [{"name": "mine"}],
         "Pod/grpcdns-test spec containers 0 image": "registry.example/grpcdns:2"},
    ),
    "the test": Row(
        {"test": {"outside": "example.org"}},
        {"Pod/grpcdns-test spec containers 0 args":
            ["check", "--dns=$(GRPCDNS_SERVICE_HOST)",
             "--name=kubernetes.default.svc.cluster.local", "--name=example.org"]},
    ),
}  # fmt: skip


def objects_of(row: Row) -> dict[str, Object]:
    return {f"{o['kind']}/{o['metadata']['name']}": o for o in rendered(row.values)}


def value_at(objects: Mapping[str, Object], path: str) -> Any:
    at: Any = objects
    for word in path.split():
        if isinstance(at, list):
            at = at[int(word)] if int(word) < len(at) else ABSENT
        else:
            at = at.get(word, ABSENT) if isinstance(at, Mapping) else ABSENT
    return at


@pytest.mark.parametrize("about", ROWS)
def test_facts(about: str, helm: Path) -> None:
    row = ROWS[about]
    objects = objects_of(row)
    assert objects.keys() == (BASE | set(row.more)) - set(row.less)
    for path, value in row.facts.items():
        assert value_at(objects, path) == value, path
    for path, part in row.has.items():
        assert part in value_at(objects, path), path


@pytest.mark.parametrize("about", ROWS)
def test_corefile_and_arguments_are_right(about: str, helm: Path) -> None:
    """grpcdns takes its arguments, and its own check finds nothing in the Corefile."""
    objects = objects_of(ROWS[about])
    args = value_at(objects, ARGS)
    parsed = parser_of("serve").read(args[1:])
    flags = {o.name: given for o in OPTIONS if (given := getattr(parsed, o.field)) is not None}
    config = load(flags, {}).config
    corefile = objects["ConfigMap/grpcdns"]["data"]["Corefile"]
    found = [one for one in check_corefile(corefile, config.zones) if one.trap.level != NOTE]
    assert found == []
    assert all(one in corefile for one in config.listen if one.startswith("unix"))


def test_names_of_another_release(helm: Path) -> None:
    """Two releases share no cluster-wide name, and none selects the other's Pods."""
    first, second = (
        {(o["kind"], o["metadata"]["name"]): o for o in rendered({}, release=name)}
        for name in ("grpcdns", "trial")
    )
    assert not first.keys() & second.keys()
    assert second["Service", "trial-grpcdns"]["spec"]["selector"] == {
        **OWN,
        "app.kubernetes.io/instance": "trial",
    }
    (args,) = (o["spec"]["containers"][0]["args"] for o in second.values() if o["kind"] == "Pod")
    assert args[1] == "--dns=$(TRIAL_GRPCDNS_SERVICE_HOST)"


def test_mode_sidecar_for_another_coredns(helm: Path) -> None:
    values = {
        "mode": "sidecar",
        "sidecar": {
            "deployment": "rke2-coredns",
            "service": "rke2-coredns",
            "serviceAccount": "dns",
            "args": ["-conf", "/etc/grpcdns/Corefile", "-dns.port", "5353"],
        },
    }
    objects = {f"{o['kind']}/{o['metadata']['name']}": o for o in rendered(values)}
    pod = objects["Deployment/rke2-coredns"]["spec"]["template"]["spec"]
    assert "--dns-service=kube-system/rke2-coredns" in pod["initContainers"][0]["args"]
    assert pod["containers"][0]["args"][-1] == "5353"
    assert objects["Service/rke2-coredns"]["spec"]["ports"][0]["port"] == 9154
    assert value_at(objects, "ClusterRoleBinding/grpcdns subjects 0 name") == "dns"
    assert not [key for key in objects if key.startswith(("Pod/", "ServiceAccount/"))]
