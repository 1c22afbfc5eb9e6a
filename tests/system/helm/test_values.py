"""values.yaml: every key is documented, in the schema, and changes what is rendered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from grpcdns import __version__
from tests.system.helm.chart import (
    CHART,
    at,
    defaults,
    leaves,
    merged,
    refusal,
    render,
    schema,
)
from tests.system.helm.chart import helm as run_helm

pytestmark = pytest.mark.servers

EVERYTHING: Final = {
    "grpcdns": {"tcp": {"enabled": True, "service": True}},
    "networkPolicy": {"enabled": True},
    "prometheus": {name: {"enabled": True} for name in ("monitor", "rules", "dashboards")},
}
PROPORTIONAL: Final = merged(EVERYTHING, {"autoscaler": {"enabled": True}})
BY_LOAD: Final = merged(EVERYTHING, {"hpa": {"enabled": True}})
TLS: Final = merged(EVERYTHING, {"grpcdns": {"tcp": {"tls": {"secretName": "dns"}}}})
SIDECAR: Final = {"mode": "sidecar"}

OTHER: Final[dict[str, Any]] = {
    "mode": "sidecar",
    "grpcdns.zones": ["cluster.example"],
    "grpcdns.multicluster": ["cluster.local"],
    "grpcdns.pods": "verified",
    "grpcdns.ttlMode": "fixed",
    "grpcdns.ttl": 7,
    "grpcdns.topology.minShare": 0.2,
    "grpcdns.dnsService": "dns/front",
    "grpcdns.logLevel": "debug",
    "grpcdns.logFormat": "text",
    "grpcdns.probes": "grpc",
    "grpcdns.extraArgs": ["--guard=50"],
    "clusterServer.plugins": [{"name": "errors"}],
    "servers": [{"zones": [{"zone": "."}], "plugins": [{"name": "errors"}]}],
    "extraConfig": {"import": {"parameters": "/opt/*.conf"}},
    "zoneFiles": [{"filename": "a.db", "contents": "a"}],
    "deployment.dnsPolicy": "ClusterFirst",
    "serviceType": "NodePort",
    "service.ipFamilyPolicy": "PreferDualStack",
    "service.ipFamilies": ["IPv6"],
    "service.externalTrafficPolicy": "Local",
    "service.internalTrafficPolicy": "Local",
    "service.trafficDistribution": "PreferSameZone",
    "topologySpreadConstraints": [],
    "podDisruptionBudget.unhealthyPodEvictionPolicy": "IfHealthyBudget",
    "extraSecrets": [{"name": "certificates", "mountPath": "/etc/coredns/tls"}],
    "sidecar.service": "dns",
}
"""Another value for the keys whose kind does not tell one."""
BASES: Final[dict[str, Mapping[str, Any]]] = {
    "autoscaler": PROPORTIONAL,
    "hpa": BY_LOAD,
    "sidecar": SIDECAR,
    "grpcdns.tcp.tls.clientAuth": TLS,
    "hpa.enabled": {},
    "autoscaler.enabled": {},
    "serviceAccount.create": {"serviceAccount": {"name": "other"}},
    "service.clusterIPs": {},
    "prometheus.service.enabled": {},
    "grpcdns.tcp.service": {"grpcdns": {"tcp": {"enabled": True}}},
}
"""What a key needs to have a meaning."""


def other(key: str, value: Any) -> Any:
    """Another value, that the schema allows."""
    if key in OTHER:
        return OTHER[key]
    if key.endswith("pullPolicy"):
        return "Always"
    match value:
        case bool():
            return not value
        case int():
            return value + 1
        case str():
            return "other"
        case dict():
            return {"other": "value"}
        case _:
            strings = ("externalIPs", "clusterIPs", "customFlags", "args")
            return ["other"] if key.rpartition(".")[2] in strings else [{"name": "other"}]


def base(key: str) -> Mapping[str, Any]:
    return next((BASES[one] for one in (key, key.partition(".")[0]) if one in BASES), EVERYTHING)


def base_text(key: str) -> str:
    return _base_text(json.dumps(base(key)))


@cache
def _base_text(values: str) -> str:
    done = render(json.loads(values))
    assert done.returncode == 0, done.stderr
    return done.stdout


def changes(path: tuple[str, ...]) -> bool:
    key = ".".join(path)
    value: Any = merged(defaults(), base(key))
    for word in path:
        value = value[word]
    after = render(merged(base(key), at(path, other(key, value))))
    assert after.returncode == 0, f"{key}: {after.stderr}"
    return base_text(key) != after.stdout


@pytest.mark.slow
def test_every_key_changes_something(helm: Path) -> None:
    keys = [path for path, _ in leaves(defaults())]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(changes, keys))
    dead = [".".join(path) for path, changed in zip(keys, found, strict=True) if not changed]
    assert dead == []


def test_lint(helm: Path) -> None:
    for values in ({}, PROPORTIONAL, BY_LOAD, TLS):
        done = run_helm("lint", CHART, "--strict", values=values)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "WARNING" not in done.stdout


def test_lint_of_mode_sidecar(helm: Path) -> None:
    """Helm wants whole Deployments: nothing else is wrong with a part of one."""
    said = run_helm("lint", CHART, "--strict", values=SIDECAR).stdout
    (error,) = (line for line in said.splitlines() if "[ERROR]" in line or "[WARNING]" in line)
    assert "templates/sidecar.yaml: a Deployment must contain matchLabels" in error


def test_a_package_has_all_of_it(helm: Path, tmp_path: Path) -> None:
    """What is published renders what the folder does."""
    done = run_helm("package", CHART, "--destination", tmp_path)
    assert done.returncode == 0, done.stderr
    (package,) = tmp_path.glob("*.tgz")
    values = merged(EVERYTHING, {"mode": "beside"})
    of_package = run_helm("template", "grpcdns", package, "-n", "kube-system", values=values)
    assert of_package.stdout == render(values).stdout != ""


def test_the_chart_is_of_this_version() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert chart["appVersion"] == __version__


# -- the schema


def properties(schema: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, one in schema.get("properties", {}).items():
        yield (*path, key)
        if one.get("properties") and one.get("additionalProperties") is False:
            yield from properties(one, (*path, key))


def keys_of(values: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items():
        yield (*path, key)
        if isinstance(value, dict):
            yield from keys_of(value, (*path, key))


def is_open(path: tuple[str, ...]) -> bool:
    """Whether the schema leaves an object, or what holds it, to Kubernetes."""
    at_: Any = schema()
    for key in path:
        at_ = at_.get("properties", {}).get(key, at_ if "properties" not in at_ else {})
        if "$ref" in at_:
            at_ = schema()["definitions"][at_["$ref"].rpartition("/")[2]]
    return at_.get("additionalProperties") is not False


def test_the_schema_has_every_key_and_no_other() -> None:
    listed = set(properties(schema()))
    given = set(keys_of(defaults()))
    unknown = {path for path in given - listed if not is_open(path[:-1])}
    referenced = {path for path in unknown if path[-2].endswith("Probe")}
    assert unknown - referenced == set()
    optional = {("global",), *(("podDisruptionBudget", k) for k in ("minAvailable", "selector"))}
    assert listed - given == optional


WRONG: Final[dict[str, tuple[Mapping[str, Any], str]]] = {
    "an unknown key": ({"replicas": 3}, "'replicas' not allowed"),
    "an unknown key of grpcdns": ({"grpcdns": {"zone": []}}, "'zone' not allowed"),
    "an unknown key of a plugin": (
        {"servers": [{"plugins": [{"name": "errors", "block": ""}]}]},
        "'block' not allowed",
    ),
    "a mode": ({"mode": "daemonset"}, "'beside', 'sidecar'"),
    "no zone": ({"grpcdns": {"zones": []}}, "minItems"),
    "zones in one text": ({"grpcdns": {"zones": ["cluster.local,10.96.0.0/12"]}}, "zones/0"),
    "an option that is none": ({"grpcdns": {"extraArgs": ["guard=50"]}}, "extraArgs/0"),
    "a TTL": ({"grpcdns": {"ttl": 86400}}, "maximum"),
    "a tag that YAML reads as a number": ({"image": {"tag": 1.14}}, "string"),
    "the plugin that grpcdns replaces": (
        {"servers": [{"plugins": [{"name": "kubernetes"}]}]},
        "the plugin kubernetes would answer for the cluster",
    ),
    "a clusterset zone that is not served": (
        {"grpcdns": {"multicluster": ["clusterset.local"]}},
        "clusterset.local is not in grpcdns.zones",
    ),
    "zones that follow the cluster": (
        {"grpcdns": {"zones": ["cluster.local", "auto"]}},
        "auto is no zone of the Corefile",
    ),
    "gRPC probes without a port": ({"grpcdns": {"probes": "grpc"}}, "needs grpcdns.tcp.enabled"),
    "gRPC probes over TLS": (
        merged(TLS, {"grpcdns": {"probes": "grpc"}}),
        "the kubelet's probe is plaintext",
    ),
    "TLS without a port": (
        {"grpcdns": {"tcp": {"tls": {"secretName": "x"}}}},
        "needs grpcdns.tcp.enabled",
    ),
    "client certificates without TLS": (
        {"grpcdns": {"tcp": {"enabled": True, "tls": {"clientAuth": True}}}},
        "needs grpcdns.tcp.tls.secretName",
    ),
    "two autoscalers": (merged(PROPORTIONAL, BY_LOAD), "only one of them"),
    "no DNS for CoreDNS": ({"deployment": {"dnsPolicy": "None"}}, "needs deployment.dnsConfig"),
    "a monitor of nothing": (
        {"prometheus": {"monitor": {"enabled": True}, "service": {"enabled": False}}},
        "needs prometheus.service.enabled",
    ),
}


@pytest.mark.parametrize("about", WRONG)
def test_wrong_values_are_refused(about: str, helm: Path) -> None:
    values, says = WRONG[about]
    assert says in refusal(values)


# -- the comments


def documented() -> dict[tuple[str, ...], bool]:
    """Each key of values.yaml, and whether a comment stands above it."""
    found: dict[tuple[str, ...], bool] = {}
    path: list[tuple[int, str]] = []
    above = False
    for line in (CHART / "values.yaml").read_text().splitlines():
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if text.startswith("#"):
            above = True
        elif text and not text.startswith("- ") and text.partition(":")[0].isidentifier():
            path = [one for one in path if one[0] < indent]
            path.append((indent, text.partition(":")[0]))
            found[tuple(key for _, key in path)] = above
            above = False
        else:
            above = False
    return found


def test_every_key_is_documented() -> None:
    """By a comment above it, or above what it is a part of."""
    comments = documented()
    silent = [
        ".".join(path)
        for path, _ in leaves(defaults())
        if not any(comments.get(path[: n + 1]) for n in range(len(path)))
    ]
    assert silent == []
