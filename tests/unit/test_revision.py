"""The commit: from the file of a build, from a checkout's HEAD, or unknown."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from grpcdns.revision import FILE, revision


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "grpcdns"
    folder.mkdir()
    return folder


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_of_a_build(package: Path) -> None:
    (package / FILE).write_text("abc123\n")
    assert revision(package) == "abc123"


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
@pytest.mark.parametrize("detached", [False, True], ids=["branch", "detached"])
def test_of_a_checkout(package: Path, packed: bool, detached: bool) -> None:
    root = package.parent
    git(root, "init", "--quiet")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "one")
    if packed:
        git(root, "pack-refs", "--all")
    if detached:
        git(root, "checkout", "--quiet", "--detach")
    assert revision(package) == git(root, "rev-parse", "HEAD")


@pytest.mark.parametrize("packed", [False, True], ids=["loose", "packed"])
def test_of_a_worktree(tmp_path: Path, packed: bool) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    git(first, "init", "--quiet")
    git(first, "commit", "--quiet", "--allow-empty", "--message", "one")
    git(first, "worktree", "add", "--quiet", "-b", "other", str(second))
    git(second, "commit", "--quiet", "--allow-empty", "--message", "two")
    if packed:
        git(first, "pack-refs", "--all")
    assert revision(second / "grpcdns") == git(second, "rev-parse", "HEAD")


def test_unknown(package: Path) -> None:
    assert revision(package) == ""
