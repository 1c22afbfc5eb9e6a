"""Building servers: cached while nothing changes, and Unavailable with the reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from harness import build, go_build
from harness.build import Program, Unavailable

MAIN = 'package main\n\nfunc main() { println("hello") }\n'


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    monkeypatch.setenv("GRPCDNS_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "hello"
    folder.mkdir()
    (folder / "go.mod").write_text("module hello\n\ngo 1.25\n")
    (folder / "main.go").write_text(MAIN)
    return Program("hello", folder)


def test_is_built_once(program: Program, capfd: pytest.CaptureFixture[str]) -> None:
    first = build.build(program)
    assert build.build(program) == first
    assert first.is_file()
    assert capfd.readouterr().err.count("building hello (first use") == 1


def test_a_build_says_how_far_it_has_come(
    program: Program, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(go_build, "EVERY", 0.01)
    monkeypatch.setenv("GOCACHE", str(program.folder.parent / "gocache"))  # nothing is compiled
    build.build(program)
    counts = re.findall(
        r"^building hello: (\d+) of (\d+) packages, \d+ s$", capfd.readouterr().err, re.M
    )
    done = [int(first) for first, _ in counts]
    total = int(counts[-1][1])
    assert done == sorted(done)
    assert total > 10
    assert done[-1] in (total - 1, total)


def test_is_rebuilt_when_a_file_changed(program: Program) -> None:
    first = build.build(program)
    (program.folder / "main.go").write_text(MAIN.replace("hello", "bye"))
    assert build.build(program) != first


def test_a_program_that_does_not_compile_is_unavailable(program: Program) -> None:
    (program.folder / "main.go").write_text("package main\n\nfunc main() { nonsense }\n")
    with pytest.raises(Unavailable, match="undefined: nonsense"):
        build.build(program)


def test_an_unknown_name_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert build.main(["nonsense"]) == 2
    assert "no such server: nonsense" in capfd.readouterr().err
