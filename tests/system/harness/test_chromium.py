"""Chromium where there is none: `Unavailable` with the reason, and a skip that is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness import chromium_package
from harness.build import Unavailable
from harness.chromium import Chromium
from harness.fixtures import MISSING
from harness.paths import ROOT

Put = Callable[[str, str], None]


@pytest.fixture
def put(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Put:
    """Nothing is on PATH but the programs that this writes: a name, and lines of sh."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("GRPCDNS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(chromium_package, "_missing", [])

    def write(name: str, lines: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(0o755)

    return write


def test_without_apt_get(put: Put) -> None:
    put("dpkg", "exit 0")
    with pytest.raises(Unavailable, match="chromium: none on PATH, and no apt-get to fetch it"):
        chromium_package.find()


def test_without_a_network(put: Put, tmp_path: Path) -> None:
    """It is not tried again: every test that needs it would wait."""
    put("dpkg", "exit 0")
    put("apt-get", f"echo tried >> {tmp_path}/tries; echo 'E: no route to host'; exit 100")
    for _ in range(2):
        with pytest.raises(Unavailable, match="apt-get cannot fetch it: E: no route to host"):
            chromium_package.find()
    assert (tmp_path / "tries").read_text() == "tried\n"


def test_a_package_without_the_program(put: Put) -> None:
    put("dpkg", "exit 0")
    put("apt-get", "exit 0")
    with pytest.raises(Unavailable, match="chromium-headless-shell has no such program"):
        chromium_package.find()


def test_one_that_does_not_start(put: Put) -> None:
    put("chromium", "echo 'libnss3.so: cannot open shared object file' >&2; exit 127")
    with (
        pytest.raises(Unavailable, match=r"does not start .*: libnss3\.so: cannot open"),
        Chromium(),
    ):
        pass


def test_the_skip_is_seen(put: Put) -> None:
    put("dpkg", "exit 0")
    put("apt-get", "echo 'E: no route to host'; exit 100")
    test = "tests/system/page/test_browser.py::test_a_narrow_table_is_still_a_table"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    reason = "chromium: none on PATH, and apt-get cannot fetch it: E: no route to host"
    assert f"{MISSING}: {reason}" in done.stdout
