"""The Dockerfile: its steps run in clean roots; the result serves, read-only, as its user."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from packaging.utils import canonicalize_name

from grpcdns import __version__
from harness.fixtures import NOT_RUN
from harness.paths import EXAMPLES, ROOT
from harness.process import Process
from tests.system.deploy import dockerfile
from tests.system.deploy.container import IMAGE_USER
from tools import audit

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
REVISION: Final = "0123456789abcdef"
MOST: Final = 140_000_000
"""Octets that the image may add to its base; docs/support.md says so."""


@pytest.fixture(scope="module")
def image() -> Iterator[dockerfile.Stage]:
    dockerfile.skip_unless_possible()
    # Not below pytest's folder, which is root's alone.
    with tempfile.TemporaryDirectory(prefix="grpcdns-image-") as name:
        Path(name).chmod(0o755)
        yield dockerfile.build(DOCKERFILE, Path(name), {"REVISION": REVISION})


@pytest.fixture
def volumes() -> Iterator[dict[str, Path]]:
    with tempfile.TemporaryDirectory(prefix="grpcdns-volumes-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        for one in ("run", "tmp"):
            (folder / one).mkdir()
            shutil.chown(folder / one, IMAGE_USER, IMAGE_USER)
        yield {"/run/grpcdns": folder / "run", "/tmp": folder / "tmp", "/mnt": EXAMPLES}


def run(
    image: dockerfile.Stage, volumes: dict[str, Path], *words: str
) -> subprocess.CompletedProcess[str]:
    command = image.prefix(read_only=True, volumes=volumes)
    return subprocess.run([*command, *words], capture_output=True, text=True, timeout=60)


def test_it_serves_and_its_health_check_says_so(
    image: dockerfile.Stage, volumes: dict[str, Path], tmp_path: Path
) -> None:
    command = [*image.entrypoint, *image.command, "--manifests=/mnt", "--upstream=none"]
    prefix = image.prefix(read_only=True, volumes=volumes)
    server = Process([*prefix, *command], log=tmp_path / "log")

    def healthy() -> bool:
        return run(image, volumes, *image.health).returncode == 0

    with server.start(healthy, timeout=60):
        name = "xecho.default.svc.cluster.local"
        reply = run(image, volumes, "grpcdns", "query", name,
                    "--server=unix:///run/grpcdns/0.sock", "--short")  # fmt: skip
        assert reply.stdout == "10.96.49.52\n", reply.stderr
        socket = volumes["/run/grpcdns"] / "0.sock"
        assert (socket.stat().st_uid, socket.stat().st_mode & 0o777) == (IMAGE_USER, 0o660)
        assert server.stop() == 0
    assert not healthy()


def test_it_is_the_version_and_the_revision_that_was_asked_for(
    image: dockerfile.Stage, volumes: dict[str, Path]
) -> None:
    assert run(image, volumes, "grpcdns", "--version").stdout.startswith(f"grpcdns {__version__}")
    code = (
        "import grpcdns, pathlib; print(pathlib.Path(grpcdns.__path__[0], 'REVISION').read_text())"
    )
    found = run(image, volumes, "/opt/grpcdns/bin/python", "-c", code)
    assert found.stdout.split() == [REVISION]


def test_it_runs_as_its_user_and_writes_nowhere_else(
    image: dockerfile.Stage, volumes: dict[str, Path]
) -> None:
    assert image.user == f"{IMAGE_USER}:{IMAGE_USER}"
    code = """
import os, sys
print(os.getuid(), os.getgid(), *(p for p in ("/", "/opt/grpcdns", "/etc", "/run", "/usr/local")
                                  if os.access(p, os.W_OK)))
"""
    found = run(image, volumes, "/opt/grpcdns/bin/python", "-c", code)
    assert found.stdout.split() == [str(IMAGE_USER), str(IMAGE_USER)], found.stderr


def test_it_has_what_is_locked_and_no_pip(
    image: dockerfile.Stage, volumes: dict[str, Path]
) -> None:
    code = """
import json, sys
import grpcdns.preflight.kubernetes_client, grpcdns.source.api.kubeconfig
from importlib.metadata import distributions
ours = [path for path in sys.path if "/opt/" in path]
print(json.dumps([one.metadata["Name"] for one in distributions(path=ours)]))
"""
    found = run(image, volumes, "/opt/grpcdns/bin/python", "-c", code)
    names = {canonicalize_name(name) for name in json.loads(found.stdout)}
    assert names == {"grpcdns", *audit.pins(audit.RUNTIME)}


def test_its_size(image: dockerfile.Stage) -> None:
    size = sum(
        path.lstat().st_size for path in (image.folder / "opt").rglob("*") if not path.is_dir()
    )
    print(f"the image adds {size / 1e6:.0f} MB to {dockerfile.instructions(DOCKERFILE)[0][1]}")
    assert size < MOST


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_dependency_has_a_wheel_for_both_architectures(machine: str, tmp_path: Path) -> None:
    platform = [f"--platform=manylinux{kind}_{machine}" for kind in ("2014", "_2_28", "_2_17")]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--only-binary=:all:"]
    command += ["--python-version=3.11", "--require-hashes", "--dest", str(tmp_path), *platform]
    command += ["--requirement", str(ROOT / "requirements.lock")]
    done = subprocess.run(command, capture_output=True, text=True)
    if "Temporary failure in name resolution" in done.stderr:
        pytest.skip(f"{NOT_RUN}: no network for pip")
    assert done.returncode == 0, done.stderr
