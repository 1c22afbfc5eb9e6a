"""Seeds and found inputs, and a moment of fuzzing for each target (`make fuzz` takes longer)."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.found import FOUND, Found
from tests.fuzz.run import main, run_plain
from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS, run

MOMENT = 0.7
"""Seconds a target."""


def test_every_target_has_seeds() -> None:
    assert SEEDS.keys() == TARGETS.keys()


@pytest.mark.parametrize("name", TARGETS)
def test_seeds(name: str) -> None:
    for data in {**corpus.read(name), **dict(SEEDS[name]())}.values():
        run(TARGETS[name], data)


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.id)
def test_found_inputs_stay_fixed(case: Found) -> None:
    run(TARGETS[case.target], case.data)


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_a_moment_of_mutations(name: str) -> None:
    assert run_plain(name, MOMENT) > 0


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="no atheris here: make fuzz installs it"
)
@pytest.mark.parametrize("name", ["packet", "query", "changes", "json"])
def test_a_moment_guided_by_coverage(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["run", name, "--seconds=2", f"--corpus={tmp_path}"])
    code = main()
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "no rule broken" in printed.out
