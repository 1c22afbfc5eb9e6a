"""Every supported Python, and the oldest grpcio: all modules, the lane's tests, queries to `serve`.

`make test-pythons` runs far more of the tests on each Python, `make grpcio` tries more of grpcio.
"""

from __future__ import annotations

import re
import sys

import pytest

from harness.build import Unavailable
from harness.fixtures import NOT_RUN
from harness.paths import ROOT
from tools import grpcio_versions, pythons
from tools.audit import required

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", [one for one in pythons.versions() if one != HERE])
def test_python(version: str) -> None:
    try:
        python = pythons.environment(version)
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN}: Python {version}: {error.reason}")
    run = pythons.run_tests(python, *pythons.QUICK)
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_oldest_grpcio() -> None:
    oldest = grpcio_versions.working()[-1]
    try:
        tried = grpcio_versions.attempt(oldest)
    except Unavailable as error:
        pytest.skip(f"{NOT_RUN}: grpcio {oldest}: {error.reason}")
    assert tried.works, tried.why


def test_pyproject_allows_the_grpcio_that_was_tried() -> None:
    minors = grpcio_versions.working()
    numbers = [int(minor.partition(".")[2]) for minor in minors]
    text = grpcio_versions.PAGE.read_text()
    tried = re.findall(r"^\| 1\.(\d+) \| \S+ \| (works|no)", text, re.MULTILINE)
    assert [int(n) for n, said in tried if said == "works"] == numbers, "no gap, newest first"
    for requirement in required():
        if requirement.name in grpcio_versions.TOGETHER:
            allowed = [n for n, _ in tried if requirement.specifier.contains(f"1.{n}.99")]
            assert [int(n) for n in allowed] == numbers, requirement
            assert not requirement.specifier.contains(f"1.{numbers[0] + 1}.0")


def test_the_oldest_python_is_the_one_that_is_required() -> None:
    assert f'requires-python = ">={pythons.versions()[0]}"' in (ROOT / "pyproject.toml").read_text()
