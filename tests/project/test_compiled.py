"""The compiled wheel, as an installation has it: it says so, and answers as the rows say, in one
process and over gRPC."""

from __future__ import annotations

import ast
import os
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpcdns import __version__
from harness import compiled
from harness.build import Unavailable
from harness.fixtures import NOT_RUN
from harness.paths import ROOT
from tests.project.test_packaging import try_installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # it may have to be compiled first

TESTS = (
    "tests/conformance/test_conformance.py::test_row",
    "tests/unit/core/test_memo.py",
    "tests/unit/core/test_orders.py",
    "tests/unit/serve/test_link.py",
    "tests/unit/serve/worker/transport/test_stop.py",
    "tests/system/processes/test_processes.py::test_it_answers_and_drains",
)


def modules() -> list[str]:
    """What is compiled, as paths from the root."""
    text = (ROOT / "pyproject.toml").read_text()
    found: list[str] = tomllib.loads(text)["tool"]["grpcdns"]["compiled"]
    return found


def classes(path: Path) -> Iterator[tuple[str, list[str]]]:
    """The classes of a file and the last part of each base's name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            bases = [ast.unparse(base).partition("[")[0] for base in node.bases]
            yield node.name, [base.rpartition(".")[2] for base in bases if "logging" not in base]


def test_no_class_that_stays_python_is_a_subclass_of_a_compiled_one() -> None:
    """That is a TypeError once somebody makes one."""
    paths = {ROOT / name for name in modules()}
    ours = {name for path in paths for name, _ in classes(path)}
    others = set((ROOT / "grpcdns").rglob("*.py")) - paths
    found = [f"{path}: {name}" for path in others for name, bases in classes(path)
             if ours.intersection(bases)]  # fmt: skip
    assert found == []


def test_no_struct_is_compiled() -> None:
    """mypyc drops the arguments of the class, `array_like` among them."""
    found = [
        name for path in modules() for name, bases in classes(ROOT / path) if "Struct" in bases
    ]
    assert found == []


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A new environment with the wheel: its Python, and the folder of its modules."""
    try:
        wheel = compiled.wheel()
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN}: {error}")
    folder = tmp_path_factory.mktemp("compiled")
    return folder / "bin" / "python", compiled.install(wheel, folder)


def test_it_says_what_it_is_and_answers(installed: tuple[Path, Path], tmp_path: Path) -> None:
    run = try_installed(installed[0], "compiled", tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"grpcdns {__version__} (compiled), " in run.stdout


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
