"""docs/migration.md names every option of the plugins, and every flag that it names exists."""

from __future__ import annotations

import re
from functools import partial

import pytest

from grpcdns.config.options import BY_NAME
from harness.build import PROGRAMS, source_folder
from harness.fixtures import built
from harness.paths import ROOT

TEXT = (ROOT / "docs" / "migration.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The options in a table, and the flags for each."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)[^`]*` \| (.*?) \| ", section.replace(r"\|", "/"), re.M)
    return dict(rows)


def options_of(plugin: str) -> set[str]:
    """The words that the parser of a CoreDNS plugin knows, from the source that the tests build."""
    folder = built(partial(source_folder, PROGRAMS["coredns"], "github.com/coredns/coredns"))
    source = (folder / "plugin" / plugin / "setup.go").read_text()
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
