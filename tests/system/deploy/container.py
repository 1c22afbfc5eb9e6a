"""What a container is for the processes in it, as far as files and rights go: a user that is not
root, no capability, a read-only root file system, and volumes at the paths of the Deployment.

The network and the processes are the machine's own. It takes root, to become somebody else.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from harness.build import cache_folder
from harness.fixtures import NOT_RUN
from harness.paths import ROOT

IMAGE_USER: Final = 65532
_STAGE: Final = "/mnt"
_HIDDEN: Final = ("/root", "/home", "/run", "/var/cache", "/tmp")
"""Replaced, so that only what is mounted is there."""


class Container:
    """Volumes are folders here by their paths in it; ``shown`` are folders at the same path."""

    def __init__(self, volumes: Mapping[str, Path], *shown: Path, user: int = IMAGE_USER) -> None:
        programs = (Path(sys.base_prefix), Path(sys.prefix), ROOT, cache_folder() / "servers")
        mounts = [(source, Path(target)) for target, source in volumes.items()]
        mounts += [(path, path) for path in (*programs, *shown)]
        path = os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        rights = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"]
        self.prefix: list[str] = [
            *("unshare", "--mount", "--propagation=private", "--", "sh", "-ec"),
            "\n".join([*_script(mounts), 'exec "$@"']),
            "container",
            *("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *rights),
            *("--pdeathsig=SIGKILL", "--", "env", "-i", f"PATH={path}"),
            *("PYTHONUNBUFFERED=1", "PYTHONDONTWRITEBYTECODE=1"),
        ]
        """Before a command. It ends with the process that started it."""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self.prefix, *words], capture_output=True, text=True, timeout=60, check=False
        )


def _script(mounts: list[tuple[Path, Path]]) -> Iterator[str]:
    """Each source is mounted aside before its place is hidden, and then where it belongs."""
    yield f"mount -t tmpfs tmpfs {_STAGE}"
    for number, (source, _) in enumerate(mounts):
        yield f"mkdir {_STAGE}/{number}"
        yield f"mount --rbind {shlex.quote(str(source))} {_STAGE}/{number}"
    for hidden in _HIDDEN:
        if Path(hidden).is_dir():
            yield f"mount -t tmpfs -o mode=0755 tmpfs {hidden}"
    for number, (_, target) in enumerate(mounts):
        yield f"mkdir -p {shlex.quote(str(target))}"
        yield f"mount --rbind {_STAGE}/{number} {shlex.quote(str(target))}"
    yield "mount -o remount,bind,ro /"


def skip_unless_possible() -> None:
    """Skips where this user cannot become another one, or cannot mount; says so."""
    if os.geteuid() != 0:
        pytest.skip(f"{NOT_RUN}: root alone can become another user")
    if missing := [name for name in ("unshare", "setpriv", "mount") if not shutil.which(name)]:
        pytest.skip(f"{NOT_RUN}: as another user, without {', '.join(missing)}")
    tried = Container({}).run("true")
    if tried.returncode != 0:
        pytest.skip(f"{NOT_RUN}: {tried.stderr.strip()}")
