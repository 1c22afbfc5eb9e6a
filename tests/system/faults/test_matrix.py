"""The fault table of docs/operations.md names tests and metrics that exist."""

from __future__ import annotations

import ast
import re

import pytest

from grpcdns.serve.feed.metrics import FAMILIES
from harness.paths import ROOT


def _rows() -> list[list[str]]:
    text = (ROOT / "docs/operations.md").read_text()
    section = text.partition("\n## Faults\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_there_are_rows() -> None:
    assert len(_rows()) > 20


@pytest.mark.parametrize("row", _rows(), ids=lambda row: row[0])
def test_row(row: list[str]) -> None:
    fault, clients, metrics, test = row
    assert all((fault, clients))
    for name in re.findall(r"`([a-z_]+)`", metrics):
        assert name in FAMILIES
    path, _, function = test.strip("`").partition("::")
    functions = {
        node.name
        for node in ast.parse((ROOT / path).read_text()).body
        if isinstance(node, ast.FunctionDef)
    }
    assert function in functions
