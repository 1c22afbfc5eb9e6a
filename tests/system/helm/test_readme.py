"""The commands of the chart's README: helm takes them, and they render."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.paths import ROOT
from tests.system.helm.chart import CHART
from tests.system.helm.chart import helm as run_helm

pytestmark = pytest.mark.servers

DOCUMENTS = [
    CHART / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/install").glob("*.md")),
    ROOT / "README.md",
]


def commands() -> Iterator[list[str]]:
    for document in DOCUMENTS:
        for block in re.findall(r"^ *```sh\n(.*?)^ *```", document.read_text(), re.M | re.S):
            for line in block.replace("\\\n", " ").splitlines():
                words = shlex.split(line.partition(" > ")[0].partition(" | ")[0], comments=True)
                if words[:1] == ["helm"]:
                    yield words[1:]


@pytest.mark.parametrize("words", list(commands()), ids=" ".join)
def test_a_command(words: list[str], helm: Path) -> None:
    command, *rest = words
    if command in ("install", "upgrade", "template"):
        rest = [word for word in rest if word not in ("--install", "--reuse-values")]
        done = run_helm("template", *rest)
    else:
        done = run_helm(command, *rest, "--help")
    assert done.returncode == 0, done.stderr
