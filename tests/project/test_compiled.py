"""The compiled wheel, as an installation has it: it says so, and gives the answers of the rows."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from grpcdns import __version__
from harness import compiled
from harness.build import Unavailable
from harness.fixtures import NOT_RUN
from harness.paths import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it may have to be compiled first

TESTS = (
    "tests/conformance/test_conformance.py::test_row",
    "tests/unit/core/test_memo.py",
    "tests/unit/core/test_orders.py",
)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new environment with the wheel: its Python, and the folder of its modules."""
    try:
        wheel = compiled.wheel()
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN}: {error}")
    folder = tmp_path_factory.mktemp("compiled")
    return folder / "bin" / "python", compiled.install(wheel, folder)


def test_it_says_that_it_is_compiled(installed: tuple[Path, Path], tmp_path: Path) -> None:
    command = [str(installed[0]), "-m", "grpcdns", "--version"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert run.stdout == f"grpcdns {__version__} (compiled)\n", run.stderr


def test_it_answers_as_the_rows_and_the_properties_say(installed: tuple[Path, Path]) -> None:
    python, packages = installed
    run = subprocess.run(
        [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS],
        cwd=ROOT,
        env={**os.environ, **compiled.environment(packages)},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-5000:]
