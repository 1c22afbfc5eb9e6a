"""Importing the package for a command changes no environment variable."""

from __future__ import annotations

import subprocess
import sys

import pytest

from grpcdns.cli import COMMANDS

IMPORT_ALL = """
import importlib, os, pkgutil, sys
import grpcdns
before = dict(os.environ)
for module in pkgutil.walk_packages(grpcdns.__path__, "grpcdns."):
    importlib.import_module(module.name)
    if os.environ != before:
        sys.exit(f"{module.name} changes {dict(os.environ.items() ^ before.items())}")
print(len([name for name in sys.modules if name.startswith("grpcdns.")]))
"""
IMPORT_ONE = """
import importlib, os, sys
before = dict(os.environ)
importlib.import_module(sys.argv[1])
sys.exit(os.environ != before)
"""


def python(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", *argv], capture_output=True, text=True)


def test_no_module_changes_the_environment() -> None:
    run = python(IMPORT_ALL)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) > 80


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_no_command_changes_the_environment(command: str) -> None:
    run = python(IMPORT_ONE, f"grpcdns.cli.{command}")
    assert run.returncode == 0, run.stderr
