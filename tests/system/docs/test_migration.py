"""docs/migration.md names every option and metric of the plugins, and every flag and metric of ours
that it names exists.
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

import pytest

from grpcdns.config.options import BY_NAME
from grpcdns.serve.feed.metrics import FAMILIES, PREFIX
from harness.build import PROGRAMS, source_folder
from harness.fixtures import built
from harness.paths import ROOT

TEXT = (ROOT / "docs" / "migration.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The options in a table, and the flags for each."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)[^`]*` \| (.*?) \| ", section.replace(r"\|", "/"), re.M)
    return dict(rows)


def plugins() -> Path:
    """The sources of CoreDNS's plugins."""
    folder = built(partial(source_folder, PROGRAMS["coredns"], "github.com/coredns/coredns"))
    return folder / "plugin"


def options_of(plugin: str) -> set[str]:
    """The words that the parser of a CoreDNS plugin knows, from the source that the tests build."""
    source = (plugins() / plugin / "setup.go").read_text()
    return set(re.findall(r'^\t+case "(\w+)":', source, re.M))


@pytest.mark.servers
@pytest.mark.parametrize("plugin", ["kubernetes", "k8s_external"])
def test_every_option_has_its_row(plugin: str) -> None:
    rows = table(f"Options of `{plugin}`")
    known = options_of(plugin)
    assert known, "setup.go could not be parsed"
    assert set(rows) - {plugin} == known


@pytest.mark.parametrize("plugin", ["kubernetes", "k8s_external"])
def test_every_flag_exists(plugin: str) -> None:
    flags = re.findall(r"--([a-z-]+)", " ".join(table(f"Options of `{plugin}`").values()))
    assert flags
    assert set(flags) <= BY_NAME.keys()


METRICS = ("kubernetes/metrics.go", "kubernetes/object/metrics.go", "metrics/vars/vars.go",
           "grpc/metrics.go")  # fmt: skip


def metrics_of(path: str) -> set[str]:
    """The metrics that a file of CoreDNS registers."""
    text = (plugins() / path).read_text()
    found = set()
    for block in re.findall(r"prometheus\.\w+Opts\{(.*?)\n\t+\}", text, re.S):
        (name,) = re.findall(r'\bName:\s+"(\w+)"', block)
        subsystem = re.findall(r'Subsystem:\s+(?:"(\w+)"|subsystem)', block)
        parts = ["coredns", *(one or "dns" for one in subsystem), name]
        found.add("_".join(parts))
    return found


@pytest.mark.servers
def test_every_metric_has_its_row() -> None:
    section = TEXT.split("## Metrics\n")[1].split("\n## ")[0]
    rows = set(re.findall(r"^\| `(coredns_\w+)", section, re.M))
    assert rows == {name for path in METRICS for name in metrics_of(path)}


def test_every_metric_of_ours_exists() -> None:
    section = TEXT.split("## Metrics\n")[1].split("\n## ")[0]
    ours = re.findall(rf"`{PREFIX}(\w+)", section)
    assert ours
    assert set(ours) <= FAMILIES.keys()
