"""Flags, variables and file: which wins, what is rejected, what is printed."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import pytest

from grpcdns.config.load import load
from grpcdns.config.options import BY_NAME, OPTIONS, Config, UserError
from grpcdns.core.answers.policy import AnswerOptions, Policy


@dataclasses.dataclass(frozen=True)
class Wrong:
    """A mistake, where it was written, and the one line it gives."""

    line: str
    flags: dict[str, Any] = dataclasses.field(default_factory=dict)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    file: str = ""


WRONG = [
    Wrong("--ttl: 4000 is not between 0 and 3600", {"ttl": "4000"}),
    Wrong("GRPCDNS_TTL: 'x' is not a whole number", env={"GRPCDNS_TTL": "x"}),
    Wrong("{file}: ttl: -1 is not between 0 and 3600", file="ttl = -1"),
    Wrong("{file}: unknown key tll (did you mean ttl?)", file="tll = 5"),
    Wrong("{file}: unknown key endpoint_pod_names (did you mean endpoint-pod-names?)",
          file="endpoint_pod_names = true"),
    Wrong("--config {file}: not TOML: Expected '=' after a key in a key/value pair "
          "(at line 2, column 5)", file="ttl = 5\nttl 6"),
    Wrong("unknown variable GRPCDNS_ZONE (did you mean GRPCDNS_ZONES?)",
          env={"GRPCDNS_ZONE": "a."}),
    Wrong("unknown variable GRPCDNS_QQQQQQQQ", env={"GRPCDNS_QQQQQQQQ": "a."}),
    Wrong("--namespaces: cannot be combined with namespace-labels: leave one of them out",
          {"namespaces": "a", "namespace-labels": "a=b"}),
    Wrong("--zonal: cannot be combined with no-endpoints: leave one of them out",
          {"zonal": "true"}, {"GRPCDNS_NO_ENDPOINTS": "true"}),
    Wrong("--manifests: cannot be combined with kubeconfig: leave one of them out",
          {"manifests": ["a"], "kubeconfig": "b"}),
    Wrong("--multicluster: clusterset.local. is not among the zones (cluster.local.)",
          {"zones": "cluster.local", "multicluster": "clusterset.local"}),
    Wrong("GRPCDNS_ZONES: at least one zone must be a forward zone, such as cluster.local",
          env={"GRPCDNS_ZONES": "in-addr.arpa,10.0.0.0/8"}),
    Wrong("--external-zones: cluster.local. is already among the zones",
          {"external-zones": "cluster.local"}),
    Wrong("--context: has no effect without kubeconfig", {"context": "a"}),
    Wrong("--tls-cert: has no effect without tls-key", {"tls-cert": "a"}),
    Wrong("--tls-key: has no effect without tls-cert", {"tls-key": "a"}),
    Wrong("--tls-client-ca: has no effect without tls-cert", {"tls-client-ca": "a"}),
    Wrong(
        "--labels: label selector 'a in (b': expected ',' or ')' after a value",
        {"labels": "a in (b"},
    ),
    Wrong(
        "GRPCDNS_NAMESPACE_LABELS: label selector '=b': '=' is not a label's name",
        env={"GRPCDNS_NAMESPACE_LABELS": "=b"},
    ),
    Wrong("--listen: no address to listen on", {"listen": ","}),
    Wrong("--admin: 0.0.0.0:80 is no loopback address: others could read the page"
          " (admin-anywhere allows it)", {"admin": "0.0.0.0:80"}),
    Wrong("--admin: [::]:80 is no loopback address: others could read the page"
          " (admin-anywhere allows it)", {"admin": ":80"}),
    Wrong("--admin: admin.example:80 is no loopback address: others could read the page"
          " (admin-anywhere allows it)", {"admin": "admin.example:80"}),
    Wrong("--admin-anywhere: has no effect without admin", {"admin-anywhere": "true"}),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda c: c.line[:60])
def test_a_mistake_is_one_line_that_names_the_option(case: Wrong, tmp_path: Path) -> None:
    file = tmp_path / "grpcdns.toml"
    file.write_text(case.file)
    with pytest.raises(UserError) as caught:
        load(case.flags, case.env, str(file) if case.file else "")
    assert str(caught.value) == case.line.format(file=file)


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        load({}, {}, str(tmp_path / "none.toml"))
    assert str(caught.value) == f"--config {tmp_path}/none.toml: No such file or directory"


def test_flag_wins_over_variable_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "grpcdns.toml"
    file.write_text('ttl = 1\nzones = ["a.example"]\nlog-level = "error"')
    loaded = load({"ttl": "3"}, {"GRPCDNS_TTL": "2", "GRPCDNS_ZONES": "b.example"}, str(file))
    config = loaded.config
    assert (config.ttl, config.zones, config.log_level) == (3, ("b.example.",), "error")
    assert config.pods == "disabled"
    assert [loaded.origin[name] for name in ("ttl", "zones", "log-level", "pods")] == [
        "--ttl",
        "GRPCDNS_ZONES",
        f"{file}: log-level",
        "default",
    ]


def test_the_file_may_be_named_by_a_variable(tmp_path: Path) -> None:
    file = tmp_path / "grpcdns.toml"
    file.write_text("ttl = 7")
    assert load({}, {"GRPCDNS_CONFIG": str(file)}).config.ttl == 7


@pytest.mark.parametrize(
    "variable",
    [
        "GRPCDNS_SERVICE_HOST",
        "GRPCDNS_SERVICE_PORT",
        "GRPCDNS_SERVICE_PORT_METRICS",
        "GRPCDNS_PORT",
        "GRPCDNS_PORT_9153_TCP",
        "GRPCDNS_PORT_9153_TCP_ADDR",
        "GRPCDNS_METRICS_SERVICE_HOST",
        "GRPCDNS_METRICS_PORT",
    ],
)
def test_variables_of_a_service_called_grpcdns_are_ignored(variable: str) -> None:
    assert load({}, {variable: "tcp://10.0.0.1:53"}).config == Config()


def test_empty_variable_means_not_given_where_that_is_the_default() -> None:
    env = {"GRPCDNS_NAMESPACES": "", "GRPCDNS_METRICS": "", "GRPCDNS_KUBECONFIG": ""}
    assert load({}, env).config == Config()


def test_every_field_is_an_option_and_the_other_way_round() -> None:
    assert len(OPTIONS) == len(BY_NAME)
    assert {option.field for option in OPTIONS} == set(Config.__struct_fields__)


def test_the_default_of_an_answer_option_is_declared_once() -> None:
    declared = {name for base in (Policy, Config) for name in inspect.get_annotations(base)}
    assert not declared & set(AnswerOptions.__struct_fields__)
    assert Config().policy() == Policy()


def test_policy_takes_every_answer_option() -> None:
    chosen = {
        "zones": ("a.", "b."), "ttl": 1, "ttl_mode": "adaptive", "ttl_stable": 60,
        "namespaces": ("n",), "pods": "verified",
        "endpoint_pod_names": True, "no_endpoints": True, "ignore_empty_service": True,
        "zonal": True, "topology_zone": "z", "topology_node": "n", "topology_min_share": "0.5",
        "cluster_id": "c",
        "serve_terminating": True, "hold_empty": 60.0,
        "multicluster": ("b.",), "dns_service": "a/b", "external_zones": ("c.",),
        "external_apex": "x", "external_headless": True, "external_ttl": 9,
    }  # fmt: skip
    assert set(chosen) == set(AnswerOptions.__struct_fields__)
    config = msgspec.structs.replace(Config(), **chosen)
    assert config.policy() == msgspec.structs.replace(Policy(), **chosen)


HOME = {"HOME": "{home}", "KUBECONFIG": ""}
KUBECONFIGS = {
    "of a flag": ({"kubeconfig": "/a"}, {"KUBECONFIG": "/b"}, "/a", "--kubeconfig"),
    "of KUBECONFIG": ({}, {"KUBECONFIG": "/b:/c", "HOME": "{home}"}, "/b:/c", "KUBECONFIG"),
    "in the home": ({}, HOME, "{home}/.kube/config", "~/.kube/config"),
    "of no home": ({}, {"HOME": "{home}/none"}, "", "default"),
    "in a Pod": (
        {}, HOME | {"KUBECONFIG": "/b", "KUBERNETES_SERVICE_HOST": "10.96.0.1"}, "", "default"
    ),
    "with manifests": ({"manifests": ["/m"]}, {"KUBECONFIG": "/b"}, "", "default"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("flags", "env", "value", "origin"), KUBECONFIGS.values(), ids=KUBECONFIGS.keys()
)
def test_the_kubeconfig_is_found_as_kubectl_does(
    flags: dict[str, Any], env: dict[str, str], value: str, origin: str, tmp_path: Path
) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").touch()
    environ = {name: text.format(home=tmp_path) for name, text in env.items()}
    loaded = load(flags, environ)
    assert loaded.config.kubeconfig == value.format(home=tmp_path)
    assert loaded.origin["kubeconfig"] == origin


def test_a_context_of_the_kubeconfig_that_was_found() -> None:
    assert load({"context": "c"}, {"KUBECONFIG": "/b"}).config.context == "c"


def test_json_round_trip() -> None:
    config = Config(zones=("a.",), api_qps=2.5, manifests=("x", "y"), zonal=True)
    assert Config.from_json(config.to_json()) == config
    with pytest.raises(msgspec.DecodeError):
        Config.from_json(b"{")


def test_printed_configuration_is_a_file_that_gives_the_same(tmp_path: Path) -> None:
    flags = {"zones": "x.example,10.96.0.0/12", "zonal": "true", "snapshot-max-age": "90m"}
    loaded = load(flags | {"api-qps": "2.5", "labels": "a in (b, c),d!=e"}, {"GRPCDNS_TTL": "0"})
    file = tmp_path / "printed.toml"
    file.write_text(loaded.text())
    assert load({}, {}, str(file)).config == loaded.config
    assert "ttl = 0  # GRPCDNS_TTL\n" in loaded.text()
    assert 'snapshot-max-age = "90m"  # --snapshot-max-age\n' in loaded.text()
    assert set(tomllib.loads(loaded.text())) == set(BY_NAME)


def test_importing_it_loads_nothing_heavy() -> None:
    code = "import sys, grpcdns.config.load; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(run.stdout.split())
    heavy = {"grpc", "kubernetes", "dnslib", "dns", "asyncio", "argparse", "rich", "yaml", "google"}
    assert not heavy & modules


@pytest.mark.parametrize(
    ("admin", "anywhere"),
    [("127.0.0.2:80", ""), ("[::1]:80", ""), ("localhost:80", ""), ("unix:///a/b", ""),
     ("0.0.0.0:80", "true")],
)  # fmt: skip
def test_where_the_page_may_be(admin: str, anywhere: str) -> None:
    flags = {"admin": admin} | ({"admin-anywhere": anywhere} if anywhere else {})
    assert load(flags, {}).config.admin == admin
