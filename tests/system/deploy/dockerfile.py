"""Runs a Dockerfile's own steps without an engine: each stage in a clean root of its own.

A root is a folder with the system's `/usr` (read-only, without `/usr/local`), this Python's files
at `/usr/local` as in the image `python`, of its packages only pip, and an `/etc` with little in it.
`RUN` is `/bin/sh -c` by chroot, `COPY` takes what `.dockerignore` leaves, `ENV`, `ARG`, `WORKDIR`,
`USER` hold as in an engine. Not shown are the base image itself, layers, other architectures, and
what apt-get installs, for which the system's own packages stand.
It takes root, for the mounts.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

from harness.fixtures import NOT_RUN
from harness.paths import ROOT
from tests.system.deploy import container

_DEVICES: Final = ("null", "zero", "random", "urandom")
_PIP: Final = ("PIP_", "SSL_", "REQUESTS_", "http", "HTTP", "NO_PROXY", "no_proxy")
"""Variables that let pip reach its registry from here; an engine has its own for that."""


def instructions(text: str) -> list[tuple[str, str]]:
    """(`RUN`, the rest of its line), in order; comments gone, continued lines joined."""
    plain = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE).replace("\\\n", " ")
    pairs = (line.split(None, 1) for line in plain.splitlines() if line.strip())
    return [(word, rest.strip()) for word, rest in pairs]


class Stage:
    """One stage, its steps done. ``folder`` is its root."""

    def __init__(self, folder: Path, arguments: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root"}
        self.user, self.workdir = "0:0", "/"
        self.entrypoint: list[str] = []
        self.command: list[str] = []
        self.health: list[str] = []
        self._arguments = arguments
        folder.mkdir()
        for name in ("bin", "lib", "lib64", "sbin"):
            if Path("/", name).is_symlink():
                (folder / name).symlink_to(Path("/", name).readlink())
        for name in ("usr", "etc/ssl", "dev", "proc", "tmp", "root", "run", "opt", "var", "mnt"):
            (folder / name).mkdir(parents=True)
        (folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        for name in ("etc/resolv.conf", "etc/hosts", "etc/nsswitch.conf", "etc/pip.conf"):
            if Path("/", name).exists():
                shutil.copy(Path("/", name), folder / name)
        if not (folder.parent / "python").exists():
            _copy_python(folder.parent / "python")
        self.run("/usr/sbin/ldconfig", "/usr/local/lib")

    def prefix(self, *, read_only: bool, volumes: Mapping[str, Path] | None = None) -> list[str]:
        """Before a command: it then runs in this root, as this stage's user."""
        there = shlex.quote(str(self.folder))
        python = shlex.quote(str(self.folder.parent / "python"))
        script = [
            f"mount --bind {there} {there}",
            f"mount --rbind /usr {there}/usr",
            f"mount -o remount,bind,ro {there}/usr",
            f"mount --bind {python} {there}/usr/local",
            f"mount --bind /etc/ssl {there}/etc/ssl",
            f"mount --rbind /proc {there}/proc",
        ]
        for device in _DEVICES:
            place = f"{there}/dev/{device}"
            script += [f"touch {place}", f"mount --bind /dev/{device} {place}"]
        for target in volumes or {}:
            script.append(f"mkdir -p {there}{target}")
        if read_only:
            script.append(f"mount -o remount,bind,ro {there}")
        for target, source in (volumes or {}).items():
            script.append(f"mount --bind {shlex.quote(str(source))} {there}{target}")
        user = f"--userspec={self.user}" if self.user != "0:0" else "--groups=0"
        words = [f"cd {there}", f'exec chroot {user} {there} env -i "$@"']
        kept = [f"{name}={value}" for name, value in self.env.items()]
        return [
            *("unshare", "--mount", "--propagation=private", "--", "sh", "-ec"),
            "\n".join([*script, *words]),
            "stage",
            *kept,
        ]

    def run(self, *words: str) -> str:
        """The output of a command as root, which may write. Raises where it fails."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(_PIP)}
        command = self.prefix(read_only=False)
        extra = [f"{name}={value}" for name, value in {**kept, **self._arguments}.items()]
        done = subprocess.run(
            [*command, *extra, "sh", "-c", f"cd {self.workdir} && exec \"$@\"", "sh", *words],
            capture_output=True, text=True,
        )  # fmt: skip
        if "Temporary failure in name resolution" in done.stderr and done.returncode != 0:
            pytest.skip(f"{NOT_RUN}: no network for pip")
        if done.returncode != 0:
            raise RuntimeError(f"{shlex.join(words)}: {done.stdout}{done.stderr}")
        return done.stdout


def skip_unless_possible() -> None:
    """Skips where a Dockerfile cannot be built so; says why."""
    container.skip_unless_possible()
    if Path(sys.base_prefix) == Path("/usr"):
        pytest.skip(f"{NOT_RUN}: the system's Python cannot stand for the image's")
    if not shutil.which("gcc"):
        pytest.skip(f"{NOT_RUN}: no C compiler")


def _copy_python(target: Path) -> None:
    """This Python's files, with pip and no other package."""

    def left_out(folder: str, names: list[str]) -> set[str]:
        if Path(folder).name == "site-packages":
            return {name for name in names if not name.startswith(("pip", "setuptools"))}
        return {"test", "__pycache__", "idlelib", "tkinter"} & set(names)

    shutil.copytree(sys.base_prefix, target, ignore=left_out, symlinks=True)


def build(text: str, folder: Path, arguments: Mapping[str, str], context: Path = ROOT) -> Stage:
    """The last stage of a Dockerfile, every step of it and of the stages before done, with what
    `COPY` takes from the folder ``context``."""
    stages: dict[str, Stage] = {}
    stage: Stage | None = None
    for word, rest in instructions(text):
        if word == "FROM":
            name = rest.split(" AS ")[1] if " AS " in rest else str(len(stages))
            stage = stages[name] = Stage(folder / name, arguments)
            continue
        assert stage, f"{word} before FROM"
        _step(stage, stages, word, rest, context)
    assert stage
    return stage


def _step(stage: Stage, stages: Mapping[str, Stage], word: str, rest: str, context: Path) -> None:
    if word == "RUN" and rest.startswith("apt-get "):
        pass  # the system's own packages are there already
    elif word == "RUN":
        stage.run("sh", "-c", rest)
    elif word == "WORKDIR":
        stage.workdir = rest
        _inside(stage, rest).mkdir(parents=True, exist_ok=True)
    elif word == "COPY":
        _copy(stage, stages, shlex.split(rest), context)
    elif word == "ENV":
        for name, value in (pair.split("=", 1) for pair in shlex.split(rest)):
            stage.env[name] = re.sub(r"\$(\w+)", lambda found: stage.env[found[1]], value)
    elif word == "USER":
        stage.user = rest
    elif word in ("ENTRYPOINT", "CMD"):
        setattr(stage, "entrypoint" if word == "ENTRYPOINT" else "command", json.loads(rest))
    elif word == "HEALTHCHECK":
        stage.health = json.loads(rest.partition("CMD ")[2])
    elif word not in ("ARG", "VOLUME", "STOPSIGNAL", "LABEL", "EXPOSE"):
        raise ValueError(f"no such instruction here: {word}")


def _inside(stage: Stage, path: str) -> Path:
    return stage.folder / os.path.normpath(os.path.join(stage.workdir, path)).lstrip("/")


def _copy(stage: Stage, stages: Mapping[str, Stage], words: list[str], context: Path) -> None:
    *sources, last = [word for word in words if not word.startswith("--")]
    origin = next(
        (word.removeprefix("--from=") for word in words if word.startswith("--from=")), ""
    )
    for source in sources:
        found = stages[origin].folder / source.lstrip("/") if origin else context / source
        target = _inside(stage, last)
        if found.is_dir():
            skip = shutil.ignore_patterns() if origin else shutil.ignore_patterns("__pycache__")
            shutil.copytree(found, target, symlinks=True, dirs_exist_ok=True, ignore=skip)
        else:
            into = target / found.name if last.endswith("/") or target.is_dir() else target
            into.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(found, into)
