"""What this is: which commit, from the file that a build writes or from the checkout around it, and
whether its core is compiled."""

from __future__ import annotations

from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parent
FILE: Final = "REVISION"
"""Beside this module; the Dockerfile writes it."""


def code(package: Path = _PACKAGE) -> str:
    """ "compiled" if the modules of the core are machine code (setup.py), else "python"."""
    # Where there is both, Python imports the machine code.
    made = (package / "core" / f"handler{suffix}" for suffix in EXTENSION_SUFFIXES)
    return "compiled" if any(path.exists() for path in made) else "python"


def revision(package: Path = _PACKAGE) -> str:
    """The commit's ID; "" when it is not known."""
    try:
        return (package / FILE).read_text().strip()
    except OSError:
        return _of_checkout(package.parent / ".git")


def _of_checkout(git: Path) -> str:
    """HEAD of the repository, without running git: an image may have none. ``git`` is a file in a
    worktree, whose branches are in the repository that it was made from."""
    try:
        if git.is_file():
            git = git.parent / git.read_text().strip().removeprefix("gitdir: ")
        common = git / "commondir"
        shared = git / common.read_text().strip() if common.exists() else git
        head = (git / "HEAD").read_text().strip()
        reference = head.removeprefix("ref: ")
        if reference == head:
            return head
        if (shared / reference).exists():
            return (shared / reference).read_text().strip()
        packed = (shared / "packed-refs").read_text().splitlines()
    except OSError:
        return ""
    return next((line.split()[0] for line in packed if line.endswith(f" {reference}")), "")
