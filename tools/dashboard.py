"""Draws deploy/monitoring/grafana.json as Grafana lays it out, without Grafana.

Its queries are evaluated by Prometheus's own engine (tests/servers/promql/rules) over scrapes of a
running ``grpcdns serve``.
"""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import grpc
import msgspec

from harness.build import binary
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.metrics import get
from harness.objects import pod, port, service
from harness.paths import ROOT
from harness.ports import free_address

DASHBOARD: Final = ROOT / "deploy" / "monitoring" / "grafana.json"
EVERY: Final = 2.0
"""Seconds between scrapes, and between the points of a line."""
_RATE: Final = f"{4 * EVERY:.0f}s"
"""What Grafana puts for $__rate_interval: four times the time between scrapes."""
_START: Final = 1_700_000_000
_SERVICES: Final = 20
_COLUMN, _ROW, _GAP, _TOP, _LEGEND = 42, 26, 8, 24, 14
_COLOURS: Final = ("#1f6fb4", "#c4570c", "#2a8a3e", "#a3218e", "#7a5d00", "#b3261e", "#4b4fae")
_STYLE: Final = (
    "text{font:11px system-ui,sans-serif;fill:#1a1f26}.t{font-weight:600;font-size:12px}"
    ".q{fill:#51596a}.b{font-size:30px;font-weight:600}.p{fill:#fff;stroke:#c6ccd5}"
    "polyline{fill:none;stroke-width:1.5}.r{font-size:14px;font-weight:600}"
)


class Scrape(msgspec.Struct, frozen=True):
    """What /metrics of an instance gave, so many seconds after the first scrape."""

    at: float
    instance: str
    text: str


class Series(msgspec.Struct, frozen=True):
    """A line: the number of its query, its labels, and its points, seconds and value."""

    query: int
    labels: dict[str, str]
    points: list[tuple[float, float]]


def draw(scrapes: Sequence[Scrape]) -> str:
    """The SVG."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", ())]
    found = iter(_evaluate(queries, scrapes))
    width = 24 * _COLUMN
    height = max(one["gridPos"]["y"] + one["gridPos"]["h"] for one in panels) * _ROW
    shown = [_panel(panel, found, scrapes[-1].at) for panel in panels]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="the dashboard"><style>{_STYLE}</style>'
        f'<rect width="{width}" height="{height}" fill="#f3f5f8"/>{"".join(shown)}</svg>\n'
    )


def _evaluate(queries: Sequence[str], scrapes: Sequence[Scrape]) -> list[list[Series]]:
    """The series of each query."""
    texts = [one.replace("$__rate_interval", _RATE).replace("$instance", ".*") for one in queries]
    given: dict[str, Any] = {
        "queries": texts, "start": _START, "every": EVERY, "until": scrapes[-1].at,
        "scrapes": list(scrapes),
    }  # fmt: skip
    done = subprocess.run(
        [binary("promrules")], input=msgspec.json.encode(given), capture_output=True, check=True
    )
    every = msgspec.json.decode(done.stdout, type=list[Series])
    return [[one for one in every if one.query == number] for number in range(len(queries))]


def _panel(panel: Mapping[str, Any], found: Iterator[list[Series]], end: float) -> str:
    place = panel["gridPos"]
    x, y = place["x"] * _COLUMN + _GAP / 2, place["y"] * _ROW + _GAP / 2
    width, height = place["w"] * _COLUMN - _GAP, place["h"] * _ROW - _GAP
    if panel["type"] == "row":
        return _text("r", x + 4, y + 14, panel["title"])
    lines = [
        (_legend(target["legendFormat"], series.labels), series.points)
        for target in panel["targets"]
        for series in next(found)
        if series.points
    ]
    unit = panel["fieldConfig"]["defaults"]["unit"]
    inner = _stat if panel["type"] == "stat" else _plot
    return (
        f'<g transform="translate({x:g} {y:g})"><rect class="p" rx="4" width="{width}"'
        f' height="{height}"/>{_text("t", 8, 17, panel["title"])}'
        f"{inner(lines, unit, width, height, end)}</g>"
    )


Lines = Sequence[tuple[str, list[tuple[float, float]]]]


def _stat(lines: Lines, unit: str, width: int, height: int, _end: float) -> str:
    step = width / max(1, len(lines))
    drawn = []
    for at, (name, points) in enumerate(lines):
        x = (at + 0.5) * step
        drawn.append(_text("b", x, height / 2 + 14, _value(points[-1][1], unit), middle=True))
        drawn.append(_text("q", x, height / 2 + 34, name, middle=True))
    return "".join(drawn)


def _plot(lines: Lines, unit: str, width: int, height: int, end: float) -> str:
    if not lines:
        return _text("q", width / 2, height / 2, "No data", middle=True)
    shown = lines[: len(_COLOURS)]
    below = _LEGEND * ((len(shown) + 1) // 2) + 6
    most = max(value for _, points in lines for _, value in points)
    highest = most or 1.0
    top, room = _TOP + 12, height - _TOP - below - 12
    drawn = [
        _text("q", 8, _TOP + 10, _value(most, unit)),
        _rect(8, top + room, width - 16, 1, 0),
    ]
    for number, (name, points) in enumerate(shown):
        path = " ".join(
            f"{8 + (width - 16) * at / end:.0f},{top + room * (1 - value / highest):.1f}"
            for at, value in points
        )
        drawn.append(f'<polyline stroke="{_COLOURS[number]}" points="{path}"/>')
        x, y = 8 + number % 2 * width // 2, height - below + _LEGEND * (number // 2 + 1)
        drawn.append(_rect(x, y - 7, 10, 3, number))
        drawn.append(_text("q", x + 14, y - 2, f"{name} {_value(points[-1][1], unit)}"))
    return "".join(drawn)


def _text(kind: str, x: float, y: float, text: str, *, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text class="{kind}"{anchor} x="{x:.0f}" y="{y:.0f}">{html.escape(text)}</text>'


def _rect(x: float, y: float, width: float, height: float, colour: int) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return f'<rect x="{x:.0f}" y="{y:.0f}" {size} fill="{_COLOURS[colour]}"/>'


def _legend(text: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), text)


def _value(value: float, unit: str) -> str:
    if unit == "percentunit":
        return f"{value:.0%}"
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    if unit == "s" and value < 1:
        return f"{value * 1000:.{0 if value > 0.01 else 1}f} ms" if value else "0 s"
    suffix = {"s": " s", "reqps": " req/s"}.get(unit, "")
    return f"{value:,.0f}{suffix}" if value >= 10 or value == int(value) else f"{value:.2g}{suffix}"


def record(seconds: float) -> list[Scrape]:
    """Scrapes of a serve of a real cluster. It is queried meanwhile, Pods come and go, and halfway
    a worker is killed."""
    at, scrapes = free_address(), []
    with Cluster() as cluster, tempfile.TemporaryDirectory(prefix="grpcdns-dashboard-") as folder:
        names = _fill(cluster)
        options = ("--kubeconfig", cluster.admin_kubeconfig, "--snapshot", Path(folder, "snapshot"))
        with Grpcdns(*options, "--upstream", "none", "--metrics", str(at)) as serve:
            began = time.monotonic()
            killed = False
            while (now := time.monotonic() - began) < seconds:
                _ask(serve, names)
                text = get(at, "/metrics").body
                scrapes.append(Scrape(now, "dns-1", text))
                _replace_a_pod(cluster, _SERVICES + len(scrapes))
                if not killed and now > seconds / 2:
                    killed = True
                    os.kill(serve.children()["worker 1"], signal.SIGKILL)
                time.sleep(max(0.0, began + EVERY * len(scrapes) - time.monotonic()))
    return scrapes


def _fill(cluster: Cluster) -> list[str]:
    """Services with a Pod each; their names, and one that is not there."""
    for number in range(_SERVICES):
        made = service(f"web-{number}", selector={"app": str(number)}, ports=[port(80)])
        cluster.api.create(made)
        _replace_a_pod(cluster, number)
    found = [f"web-{number}.default.svc.cluster.local." for number in range(_SERVICES)]
    return [*found, *found, "www.example.org.default.svc.cluster.local."]


def _replace_a_pod(cluster: Cluster, count: int) -> None:
    name, app = f"web-{count % _SERVICES}-{count}", {"app": str(count % _SERVICES)}
    cluster.kubelet.run(pod(name, labels=app), [f"10.244.{count >> 8}.{count & 255}"])


def _ask(serve: Grpcdns, names: Sequence[str]) -> None:
    for number, name in enumerate(names):
        for qtype in ("A", "AAAA"):
            try:
                serve.ask(name, qtype, worker=number % 2)
            except grpc.RpcError:
                continue  # the worker that was killed
