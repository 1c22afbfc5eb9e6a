"""The support policy says what was tried: docs/support.md, written by `make matrix`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness.build import PROGRAMS
from tools import matrix


def test_the_versions_of_the_tests_were_tried() -> None:
    tried = matrix.rows()
    for name in ("coredns", "kubernetes"):
        ours = [one for one in matrix.VERSIONS if one.startswith(name)]
        assert {ours[0], ours[-1]} <= tried.keys(), "the oldest and the newest"
    assert {f"{name}@{matrix.own(name)}" for name in ("coredns", "kubernetes")} <= tried.keys()
    values = " ".join(PROGRAMS["kube-apiserver"].values)
    assert f"gitVersion=v{matrix.own('kubernetes')}" in values


def test_every_version_that_was_tried_works() -> None:
    said = {what: outcome for what, outcome in matrix.rows().items() if "passed" not in outcome}
    assert all(outcome.startswith("cannot be built here: ") for outcome in said.values()), said
    assert not any(re.search(r"\b(failed|errors?)\b", one) for one in matrix.rows().values())


def test_a_row_stays_when_another_version_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "support.md"
    page.write_text(f"before\n{matrix.BEGIN}\n{matrix.END}\nafter\n")
    monkeypatch.setattr(matrix, "PAGE", page)
    for what in ("coredns@1.12.0", "coredns@1.9.3", "kubernetes@1.33.1", "coredns@1.12.0"):
        matrix.write({**matrix.rows(), what: "3 passed"})
    assert list(matrix.rows()) == ["coredns@1.9.3", "coredns@1.12.0", "kubernetes@1.33.1"]
    assert page.read_text().startswith("before\n")
    assert page.read_text().endswith("\nafter\n")
