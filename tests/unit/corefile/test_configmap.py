"""A ConfigMap instead of a Corefile, in each form that kubectl prints one."""

from __future__ import annotations

import json

import pytest
import yaml

from grpcdns.corefile.configmap import Embedded, NoCorefile, corefile_in

COREFILE = ".:53 {\n    errors\n}\n"
OBJECT = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "coredns"},
    "data": {"Corefile": COREFILE},
}
LITERAL = """\
apiVersion: v1
data:
  Corefile: |
    .:53 {
        errors
    }
kind: ConfigMap
metadata:
  name: coredns
"""


def test_a_literal_block_keeps_the_lines_of_the_file() -> None:
    assert corefile_in(LITERAL) == Embedded(COREFILE, "coredns", 3)
    assert LITERAL.splitlines()[3].strip() == ".:53 {"


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(OBJECT),
        json.dumps(OBJECT, indent=4),
        yaml.safe_dump(OBJECT, default_style='"'),
        json.dumps({"kind": "List", "apiVersion": "v1", "items": [{"kind": "Service"}, OBJECT]}),
        "kind: Service\n---\n" + json.dumps(OBJECT),
    ],
    ids=["json", "json indented", "quoted", "list", "stream"],
)
def test_other_forms(text: str) -> None:
    assert corefile_in(text) == Embedded(COREFILE, "coredns", None)


@pytest.mark.parametrize("text", ["", COREFILE, "kind {\n whoami\n}", "# kind: ConfigMap\n. {\n}"])
def test_a_corefile_is_none(text: str) -> None:
    assert corefile_in(text) is None


def test_a_configmap_without_a_corefile() -> None:
    with pytest.raises(NoCorefile, match=r"without data.Corefile \(it has log.override\)"):
        corefile_in("kind: ConfigMap\ndata:\n  log.override: log\n")
    with pytest.raises(NoCorefile, match="not YAML"):
        corefile_in("kind: ConfigMap\ndata: [\n")
