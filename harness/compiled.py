"""The compiled wheel of this checkout, built once for each state of its sources.

    python -m harness.compiled                    builds it and prints the folder with its modules
    python -m harness.compiled COMMAND [WORD...]  runs a command that imports them

It is `<cache>/compiled/<key>/`, where the key is the SHA-256 of all that the build reads and of the
versions of Python and mypy. So machine code never outlives its source, and the checkout has none.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import venv
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

from harness.build import Unavailable, cache_folder, last_lines, locked, say
from harness.paths import ROOT

SOURCES: Final = ("grpcdns", "setup.py", "pyproject.toml", "README.md", "LICENSE")
"""All that a wheel or an sdist is built from."""
VARIABLE: Final = "COMPILED"
"""Set to 1 where the compiled modules are expected: the tests fail without them."""


def site() -> Path:
    """The folder with the compiled package. Raises `Unavailable` if there is no C compiler, and
    `subprocess.CalledProcessError` if the sources cannot be compiled."""
    return _built() / "site"


def wheel() -> Path:
    """The wheel; raises as `site`."""
    (found,) = _built().glob("*.whl")
    return found


def environment(folder: Path) -> dict[str, str]:
    """With this a command, pytest or a child of it imports ``grpcdns`` from a folder, and all else
    from the checkout."""
    return {
        VARIABLE: "1",
        "PYTHONSAFEPATH": "1",
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        "PYTEST_ADDOPTS": shlex.join(("-o", f"pythonpath={folder} {ROOT}")),
    }


def copy_sources(folder: Path) -> None:
    """Copy what a wheel is built from, without what Python and builds left there."""
    for name in SOURCES:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        else:
            shutil.copy2(ROOT / name, folder / name)


def install(built: Path, folder: Path) -> Path:
    """Install a wheel into a new virtual environment, which finds its dependencies in ours. Returns
    the folder of its modules."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, "--no-index", str(built)], check=True)
    packages = Path(found.stdout.strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return packages


def _built() -> Path:
    folder = cache_folder() / "compiled" / _key()
    if not (folder / "site").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / "lock", "another process compiles grpcdns"):
            if not (folder / "site").exists():
                _build(folder)
    return folder


def _build(folder: Path) -> None:
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]
    if shutil.which(compiler) is None:
        raise Unavailable("compiled grpcdns", f"no C compiler ({compiler})")
    say("compiling grpcdns (for these sources the first time, about 1 min)")
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as made:
        copy_sources(Path(made))
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
        done = subprocess.run(
            [*pip, "--no-build-isolation", "--wheel-dir", str(folder), made],
            env={**_plain(os.environ), "GRPCDNS_COMPILE": "1"},
            capture_output=True,
            text=True,
        )
    if done.returncode != 0:
        say((done.stdout + done.stderr)[-3000:])
        raise RuntimeError(f"grpcdns cannot be compiled: {last_lines(done.stderr)}")
    (built,) = folder.glob("*.whl")
    unfinished = folder / "site.unfinished"
    with zipfile.ZipFile(built) as archive:
        archive.extractall(unfinished)
    unfinished.rename(folder / "site")
    say(f"compiled grpcdns in {time.monotonic() - began:.0f} s")


def _key() -> str:
    digest = hashlib.sha256(f"{sys.version}\0{metadata.version('mypy')}".encode())
    for name in SOURCES:
        top = ROOT / name
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
                digest.update(f"\0{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def _plain(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what would make the build import another package than it should."""
    return {name: value for name, value in environ.items() if not name.startswith("PYTHON")}


def main(words: list[str]) -> int:
    """Returns 1 if there is no C compiler, else what the command returns."""
    try:
        folder = site()
    except Unavailable as error:
        say(str(error))
        return 1
    if not words:
        print(folder)
        return 0
    return subprocess.run(words, env={**os.environ, **environment(folder)}).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
