"""Which namespaces are shown: facts about the plugin, each with its id (nr)."""

from __future__ import annotations

import pytest

from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.policy import Policy, Zones, needed_kinds
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    Namespace,
)
from tests.unit.core.making import (
    change,
    tags_of,
)


@pytest.mark.parametrize(
    ("configured", "asked", "exposed"),
    [
        pytest.param(["foobar"], "foobar", True, id="nr-01 nr-05"),
        pytest.param(["foobar"], "nsnoexist", False, id="nr-02 nr-06"),
        pytest.param(["foobar", "other"], "other", False, id="configured, but not there"),
        pytest.param([], "foobar", True, id="nr-03 nr-07 nr-09"),
        pytest.param([], "nsnoexist", False, id="nr-04 nr-08 nr-10"),
        pytest.param(["elsewhere"], "foobar", False, id="there, but not configured"),
    ],
)
def test_namespace(configured: list[str], asked: str, exposed: bool) -> None:
    policy = Policy(namespaces=tuple(configured))
    index = Index(needed_kinds(policy))
    tags_of(index, change(Namespace("", "foobar")))
    view = View(index, Zones(policy), ("cluster", "local"), set())
    assert view.exposed(asked) == exposed
