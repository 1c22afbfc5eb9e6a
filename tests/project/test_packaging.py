"""Wheel and sdist, of pure Python: built, then installed and run in a new virtual environment. The
compiled wheel: test_compiled.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from grpcdns import __version__
from harness.compiled import SOURCES, copy_sources, install
from harness.paths import ROOT
from tools import audit, pythons

PURE = {**os.environ, "GRPCDNS_COMPILE": "0"}
WITHOUT_A_COMPILER = {**os.environ, "GRPCDNS_COMPILE": "", "CC": "/nonexistent/cc"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The wheel and the sdist, built by the locked setuptools, without network."""
    folder = tmp_path_factory.mktemp("build")
    copy_sources(folder)
    build = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--sdist", str(folder)]
    subprocess.run(build, check=True, capture_output=True, env=PURE)
    (wheel,) = (folder / "dist").glob("*.whl")
    (sdist,) = (folder / "dist").glob("*.tar.gz")
    return wheel, sdist


@pytest.fixture(scope="module", params=["wheel", "sdist"])
def installed(
    request: pytest.FixtureRequest,
    built: tuple[Path, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """An environment with the package and its dependencies, and without the checkout."""
    folder = tmp_path_factory.mktemp(f"installed-{request.param}")
    wheel, sdist = built
    if request.param == "sdist":
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
        made = tmp_path_factory.mktemp("from-sdist")
        subprocess.run(
            [*build, "--no-build-isolation", "--wheel-dir", str(made), str(sdist)],
            check=True,
            env=WITHOUT_A_COMPILER,
        )
        (wheel,) = made.glob("*.whl")
    install(wheel, folder)
    return folder


def cibuildwheel() -> dict[str, Any]:
    """Its settings."""
    text = (ROOT / "pyproject.toml").read_text()
    found: dict[str, Any] = tomllib.loads(text)["tool"]["cibuildwheel"]
    return found


def try_installed(python: Path, kind: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """The test of each wheel of a release, in a folder without the checkout."""
    command = cibuildwheel()["test-command"].replace("{project}", str(ROOT))
    words = [str(python), *command.replace(" compiled ", f" {kind} ").split()[1:]]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True)


def test_a_release_has_a_compiled_wheel_for_each_python() -> None:
    config = cibuildwheel()
    assert config["build"] == [f"cp{one.replace('.', '')}-*" for one in pythons.versions()]
    assert config["environment"] == {"GRPCDNS_COMPILE": "1"}


def test_the_installed_package_runs(installed: Path, tmp_path: Path) -> None:
    tried = try_installed(installed / "bin" / "python", "python", tmp_path)
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert f"grpcdns {__version__} (python), " in tried.stdout
    code = "import grpcdns.cli.serve, grpcdns.pb.dns_pb2; print(grpcdns.__file__)"
    where = subprocess.run(
        [installed / "bin" / "python", "-c", code], cwd=tmp_path, capture_output=True, text=True
    )
    assert where.stdout.startswith(str(installed)), where.stderr


def test_wheel_has_only_the_package(built: tuple[Path, Path]) -> None:
    names = zipfile.ZipFile(built[0]).namelist()
    assert {"grpcdns/py.typed", "grpcdns/pb/dns_pb2.pyi"} <= set(names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"grpcdns"}
    assert any(name.endswith("licenses/LICENSE") for name in names)
    inside = {name for name in names if name.endswith(".py")}
    assert inside == {str(path.relative_to(ROOT)) for path in (ROOT / "grpcdns").rglob("*.py")}


def test_wheel_requires_what_pyproject_does(built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[0]) as wheel:
        (name,) = (one for one in wheel.namelist() if one.endswith("dist-info/METADATA"))
        metadata = wheel.read(name).decode()
    lines = re.findall("^Requires-Dist: (.*)$", metadata, re.MULTILINE)
    always = {Requirement(line).name for line in lines if "extra ==" not in line}
    assert always == {one.name for one in audit.required()}
    assert "dnslib" in always
    assert "dnspython" not in always


def test_sdist_has_all_sources(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[1]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {*SOURCES, "PKG-INFO", "grpcdns/py.typed"} <= names
