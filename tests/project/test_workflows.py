"""The workflows of .github: actionlint finds nothing, actions are pinned, and what they run exists.

Each line of a `run:` is run here, is a target of the Makefile, or is in `ELSEWHERE` with the reason
why not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml

from harness.build import binary
from harness.fixtures import skip_unless_built
from harness.paths import ROOT
from tools import pythons

WORKFLOWS: Final = sorted((ROOT / ".github/workflows").glob("*.yml"))
LOADED: Final[dict[str, Any]] = {
    path.name: yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - "on" is text
    for path in WORKFLOWS
}
NOT_PINNED: Final = {"pypa/gh-action-pypi-publish@release/v1": "the branch that PyPA asks to use"}
ELSEWHERE: Final = {
    r"cosign sign(-blob)? ": "signs with the identity of a workflow",
    r"for file in dist/\*; do cosign sign-blob ": "signs with the identity of a workflow",
    r"helm push ": "a registry",
    r"gh release create ": "GitHub",
    r'echo "version=': "a file of the runner",
}
"""Patterns of lines that cannot run here, and what they need."""
HERE: Final = (
    ".venv/bin/python -m tools.release notes > notes.md",
    '.venv/bin/python -m tools.release check "$TAG"',
)
"""Run by `test_the_lines_of_a_release`."""
TARGET: Final = re.compile(r"make ([a-z-]+)(?: [A-Z]+=\S+)*")
COSTLY: Final = ("test", "test-fast", "lint", "differential", "soak", "grpcio", "matrix", "install")
"""Targets that this run is part of, or that take longer than it. The others have a test each."""
TESTED: Final = {
    "dist": "tests/project/test_packaging.py",
    "docs": "tests/project/test_site.py",
    "chart": "tests/system/helm",
}


class Line(NamedTuple):
    workflow: str
    text: str


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, workflow in LOADED.items():
        for job in workflow["jobs"].values():
            yield name, job


def steps() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in jobs():
        for step in job.get("steps", ()):
            yield name, step


def lines() -> list[Line]:
    found = [(name, step["run"]) for name, step in steps() if "run" in step]
    return [Line(name, line) for name, run in found for line in run.strip().splitlines()]


@pytest.mark.servers
def test_actionlint() -> None:
    skip_unless_built("actionlint")
    command = [str(binary("actionlint")), "-no-color", *map(str, WORKFLOWS)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [(name, step["uses"]) for name, step in steps() if "uses" in step]
    assert used
    loose = [(n, u) for n, u in used if not re.search(r"@[0-9a-f]{40}$", u) and u not in NOT_PINNED]
    assert loose == []
    texts = "".join(path.read_text() for path in WORKFLOWS)
    pinned = set(re.findall(r"uses: (\S+@[0-9a-f]{40} # v[\d.]+)$", texts, re.MULTILINE))
    commits = [pin.partition("@")[0] for pin in pinned]
    assert len(commits) == len(set(commits)), "an action has one version in all workflows"
    assert {use for _, use in used if use not in NOT_PINNED} == {
        pin.partition(" #")[0] for pin in pinned
    }


def test_each_line_is_run_here_or_says_why_not() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for line in lines():
        if make := TARGET.fullmatch(line.text):
            assert make[1] in targets, line
            assert make[1] in COSTLY or (ROOT / TESTED[make[1]]).exists(), line
        else:
            elsewhere = any(re.match(pattern, line.text) for pattern in ELSEWHERE)
            assert elsewhere or line.text in HERE, line


def test_the_lines_of_a_release(tmp_path: Path) -> None:
    (tmp_path / "grpcdns").mkdir()
    for line, status in zip(HERE, (0, 1), strict=True):
        assert line in {one.text for one in lines()}
        command = line.replace(".venv/bin/python", "$PYTHON").replace("notes.md", "$NOTES")
        env = {"PYTHON": str(Path(ROOT, ".venv/bin/python")), "TAG": "v0.0.0"}
        env = {**env, "NOTES": str(tmp_path / "notes.md")}
        run = subprocess.run(["sh", "-ec", command], cwd=ROOT, env=env, capture_output=True)
        assert run.returncode == status, run.stderr
    assert (tmp_path / "notes.md").read_text().startswith("### ")


def test_the_matrix_has_every_supported_python() -> None:
    matrix = LOADED["test.yml"]["jobs"]["fast"]["strategy"]["matrix"]
    assert matrix["python"] == pythons.versions()


def test_rights_are_those_that_are_needed() -> None:
    for name, workflow in LOADED.items():
        assert workflow["permissions"] == {"contents": "read"}, name
    for name, job in jobs():
        writes = {right for right, mode in job.get("permissions", {}).items() if mode == "write"}
        assert not writes or name in ("docs.yml", "image.yml", "chart.yml", "release.yml")
        if "steps" in job:
            assert 0 < int(job["timeout-minutes"]) <= 180
    uses = [step for _, step in steps() if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"]["persist-credentials"] == "false" for step in uses)


def test_paths_that_start_a_workflow_exist() -> None:
    for name, workflow in LOADED.items():
        for path in (workflow["on"].get("pull_request") or {}).get("paths", ()):
            assert list(ROOT.glob(path)), f"{name}: {path}"
