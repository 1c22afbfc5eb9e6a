"""Runs the tests on every supported Python: ``make test-pythons``.

    python -m tools.pythons [VERSION...]            what `make test-fast` runs, and the lane's tests
    python -m tools.pythons --quick [VERSION...]    the least that tells whether a version works
    python -m tools.pythons --list                  where each interpreter is

The versions are the classifiers of pyproject.toml. An interpreter is looked for on PATH and where
pyenv and uv keep theirs; 3.14 is built from a Go module (tests/servers/python) where none is found.
Each gets an environment from requirements-dev.lock in the cache. Prints a line for each version;
exits with 1 when one fails, and names the versions that were not run.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from harness.build import Unavailable, binary, cache_folder, locked
from harness.paths import ROOT

BUILT: Final = "3.14"
"""The version that the program ``python`` of harness.build brings."""
LANE: Final = ("tests/unit/serve/worker/transport",)
QUICK: Final = (
    *LANE,
    "tests/unit/serve/test_environment.py",  # imports every module
    "tests/system/cli/test_query_and_check.py",  # `grpcdns serve` answers queries
    # Not the lane: it counts the calls that the thread pool has at a moment, and a busy machine has
    # more of them. `make test` runs it once.
    f"--deselect={LANE[0]}/test_stop.py::test_under_load_no_call_is_dropped[threads]",
)
"""The tests that tell whether a Python, or a grpcio, works at all, as pytest's arguments."""

SCRIPT: Final = "#!{}\nimport sys\nfrom grpcdns.cli import main\nsys.exit(main())\n"


def versions() -> list[str]:
    """The supported versions, oldest first: the classifiers of pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = (re.fullmatch(r".* :: Python :: (3\.\d+)", line) for line in project["classifiers"])
    return [match[1] for match in found if match]


def interpreter(version: str) -> Path:
    """An interpreter of that minor version. Raises `Unavailable`."""
    for path in _installed(version):
        if path.is_file() and _version(path).rpartition(".")[0] == version:
            return path
    if version == BUILT:
        return _built()
    raise Unavailable(f"Python {version}", "not on PATH, and neither pyenv nor uv has it")


def _installed(version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    for folder in os.get_exec_path():
        yield Path(folder, f"python{version}")
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    for folder_ in (*pyenv.glob(f"versions/{version}.*"), *uv.glob(f"cpython-{version}.*")):
        yield folder_ / "bin" / "python3"


def _version(python: Path) -> str:
    """``3.14.6``; empty when it does not run, as a shim of pyenv for a version that is not set."""
    code = "import sys; print('.'.join(map(str, sys.version_info[:3])))"
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout.strip() if run.returncode == 0 else ""


def _built() -> Path:
    program = binary("python")
    folder = program.parent / f"cpython-{BUILT}"
    with locked(program.parent / "lock", "another process unpacks Python"):
        if not folder.exists():
            unfinished = folder.with_name("unfinished")
            shutil.rmtree(unfinished, ignore_errors=True)
            subprocess.run([program, unfinished], check=True)
            unfinished.rename(folder)
    return folder / "bin" / f"python{BUILT}"


def environment(version: str) -> Path:
    """The interpreter of an environment with everything that is locked. Raises `Unavailable`.

    It is in the cache, keyed by the interpreter and the lock; the package itself is not in it.
    """
    python = interpreter(version)
    lock = ROOT / "requirements-dev.lock"
    parts = f"{python.resolve()} {_version(python)}\n{lock.read_text()}"
    key = hashlib.sha256(parts.encode()).hexdigest()[:16]
    folder = cache_folder() / "pythons" / f"{version}-{key}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / "lock", f"another process installs for Python {version}"):
        if not (folder / "installed").exists():
            subprocess.run([python, "-m", "venv", "--clear", "--without-pip", folder / "venv"],
                           check=True)  # fmt: skip
            install(folder / "venv/bin/python", "--require-hashes", "-r", str(lock))
            script = folder / "venv/bin/grpcdns"
            script.write_text(SCRIPT.format(folder / "venv/bin/python"))
            script.chmod(0o755)
            (folder / "installed").touch()
    return folder / "venv" / "bin" / "python"


def install(python: Path, *arguments: str) -> None:
    """Runs this Python's pip for another one. Raises `Unavailable` with pip's reason."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install"]
    options = ["--no-compile", "--disable-pip-version-check"]
    run = subprocess.run([*pip, *options, *arguments], capture_output=True, text=True)
    if run.returncode != 0:
        lines = run.stderr.strip().splitlines() or ["no output"]
        conflict = [line.strip() for line in run.stdout.splitlines() if " depends on " in line]
        raise Unavailable(str(python), (conflict or lines)[-1])


def run_tests(
    python: Path, *arguments: str, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """pytest in that environment, on this checkout; modules of ``folder`` come first."""
    path = os.pathsep.join([*([str(folder)] if folder else []), str(ROOT)])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    env.pop("VIRTUAL_ENV", None)
    command = [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def summary(run: subprocess.CompletedProcess[str]) -> str:
    """pytest's last line, without its frame."""
    lines = (run.stdout.strip() or run.stderr.strip() or "no output").splitlines()
    return lines[-1].strip("= ")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools.pythons")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--jobs", default="2")
    parser.add_argument("versions", nargs="*", default=versions())
    options = parser.parse_args(argv)
    chosen = QUICK if options.quick else ("-m", "not servers and not slow", "tests", *LANE)
    failed, missing = [], []
    for version in options.versions:
        began = time.monotonic()
        try:
            where = interpreter(version)
            if options.list:
                print(f"{version}  {_version(where)}  {where}")
                continue
            python = environment(version)
        except Unavailable as error:
            missing.append(version)
            print(f"{version}  MISSING  {error.reason}")
            continue
        run = run_tests(python, "-n", options.jobs, "--dist", "loadscope", *chosen)
        if run.returncode != 0:
            failed.append(version)
            print(run.stdout + run.stderr)
        said = "FAILED" if run.returncode else "ok"
        seconds = time.monotonic() - began
        print(f"{version}  {said}  {_version(python)}: {summary(run)}  ({seconds:.0f} s)")
    if missing:
        print(f"NOT RUN: Python {', '.join(missing)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
