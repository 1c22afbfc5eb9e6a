"""Every expression of the alerts and the dashboard parses, and names metrics and labels that exist:
those of a running grpcdns that serves a real cluster and has answered queries.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from grpcdns.serve.feed.metrics import FAMILIES, PREFIX
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.metrics import get
from harness.objects import service
from harness.paths import ROOT
from harness.ports import free_address
from harness.waiting import wait_until
from tests.system.monitoring.promql import parse

FOLDER: Final = ROOT / "deploy" / "monitoring"
STOCK: Final = ROOT / "tests" / "system" / "deploy" / "stock.yaml"
GIVEN: Final = {"instance": "Prometheus adds it", "le": "a histogram's"}
"""Label -> why it is not in the scrape itself."""
PROMETHEUS: Final = {"up": {"instance", "job"}}
"""Metrics that Prometheus makes of each scrape, and their labels."""
SUFFIXES: Final = ("_bucket", "_sum", "_count")
# Metrics that appear once the event has happened, with the labels they have then.
LATER: Final = {
    "grpcdns_kubernetes_repaired_total": {"kind"},
    "grpcdns_snapshot_age_seconds": set[str](),
    "grpcdns_service_networks_outside_zones": set[str](),
    "grpcdns_kubernetes_dns_programming_duration_seconds_bucket": {"worker", "service_kind", "le"},
    "grpcdns_upstream_lookups_total": {"worker", "result"},
}


def alerts() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / "grafana.json").read_text())
    return found


def expressions() -> list[str]:
    """Grafana's variables are replaced as Grafana would."""
    targets = [t["expr"] for panel in dashboard()["panels"] for t in panel.get("targets", ())]
    shown = [one.replace("$__rate_interval", "5m").replace("$instance", ".*") for one in targets]
    return [*(rule["expr"] for rule in alerts()), *shown]


@pytest.fixture(scope="module")
def labels(cluster: Cluster) -> dict[str, set[str]]:
    """The metrics of a running grpcdns: name -> its labels."""
    address = free_address()
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(address))
    with Grpcdns(*options, "--upstream", "none") as ours:
        name = "monitoring.default.svc.cluster.local"
        made = cluster.api.create(service("monitoring", ports=[{"port": 80}]))
        try:
            wait_until(lambda: ours.ask(name).answer, "the Service answered")
            for worker in range(len(ours.listen)):
                ours.ask(name, worker=worker)
            text = get(address, "/metrics").body
        finally:
            cluster.api.delete(made)
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_every_expression_parses_and_names_what_exists(
    labels: dict[str, set[str]], promql: Path
) -> None:
    for text, parsed in zip(expressions(), parse(promql, expressions()), strict=True):
        assert not parsed.error, text
        assert parsed.type == "vector", text
        metrics = {name: used for name, used in parsed.metrics.items() if name}
        assert metrics, text
        known: set[str] = set(GIVEN)
        for name, used in metrics.items():
            own = labels.get(name, LATER.get(name, PROMETHEUS.get(name)))
            assert own is not None, f"{name} is in no scrape: {text}"
            assert used <= own | GIVEN.keys(), text
            known |= own
        assert parsed.metrics.get("", set()) <= known, text


def test_metrics_that_appear_later_are_declared() -> None:
    for name in LATER:
        stem = name
        for suffix in SUFFIXES:
            stem = stem.removesuffix(suffix)
        assert stem.removeprefix(PREFIX) in FAMILIES


def test_requests_to_the_api_are_counted(labels: dict[str, set[str]]) -> None:
    assert labels["grpcdns_kubernetes_rest_client_requests_total"] == {"verb", "code"}
    assert labels["grpcdns_kubernetes_rest_client_request_duration_seconds_count"] == {"verb"}
    assert labels["grpcdns_kubernetes_rest_client_rate_limiter_duration_seconds_count"] == {"verb"}


def test_every_metric_scraped_is_declared_and_named_as_ours(labels: dict[str, set[str]]) -> None:
    assert all(name.startswith(PREFIX) for name in labels)


@pytest.mark.parametrize("rule", alerts(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_and_what_to_do(rule: dict[str, Any]) -> None:
    assert re.fullmatch(r"Grpcdns[A-Za-z]+", rule["alert"])
    assert rule.keys() <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    for text in rule["annotations"].values():
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= LABELS_OF_RULES


LABELS_OF_RULES: Final = {"instance", "worker", "process", "kind"}


def test_alert_names_are_distinct() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(names) == len(set(names))


def test_a_summarys_labels_are_left_by_its_expression(
    labels: dict[str, set[str]], promql: Path
) -> None:
    parsed = parse(promql, [rule["expr"] for rule in alerts()])
    for rule, found in zip(alerts(), parsed, strict=True):
        named = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
        own = {one for name in found.metrics for one in labels.get(name, LATER.get(name, set()))}
        left = found.metrics.get("", own) | {"instance"}
        assert named <= left, rule["alert"]


def test_panels_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_panels_have_ids_titles_and_a_selectable_source() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel["title"] for panel in panels)
    charts = [panel for panel in panels if panel["type"] != "row"]
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in charts)
    assert [one["name"] for one in dashboard()["templating"]["list"]] == ["datasource", "instance"]


@pytest.mark.parametrize("kind", ["PodMonitor", "ServiceMonitor"])
def test_monitors_select_what_the_overlay_has(kind: str) -> None:
    """The labels are those of the stock Deployment and Service, the port is the overlay's."""
    monitor = yaml.safe_load((FOLDER / f"{kind.lower()}.yaml").read_text())
    assert monitor["kind"] == kind
    stock = {one["kind"]: one for one in yaml.safe_load_all(STOCK.read_text())}
    wanted = monitor["spec"]["selector"]["matchLabels"].items()
    (endpoint,) = monitor["spec"].get("endpoints") or monitor["spec"]["podMetricsEndpoints"]
    if kind == "PodMonitor":
        deployment = yaml.safe_load((ROOT / "deploy/kubeadm/deployment.yaml").read_text())
        assert wanted <= stock["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
        (container,) = deployment["spec"]["template"]["spec"]["initContainers"]
        ports = container["ports"]
    else:
        assert wanted <= stock["Service"]["metadata"]["labels"].items()
        ports = yaml.safe_load((ROOT / "deploy/kubeadm/service.yaml").read_text())["spec"]["ports"]
    assert endpoint["port"] in {one["name"] for one in ports}
