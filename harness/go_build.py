"""`go build`, and on stderr how far it has come. Imports only the standard library.

    building coredns: 12 modules downloaded, 10 s
    building coredns: 412 of 1,083 packages, 50 s

A line every ten seconds; on a terminal one line that is drawn again every second.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final, Self

EVERY: Final = 10.0
"""Seconds between two lines."""
REDRAW: Final = 1.0
"""Seconds between two lines on a terminal."""
FLAGS: Final = ("-trimpath", "-buildvcs=false", "-mod=readonly")
_DOWNLOAD: Final = "go: downloading "
_PACKAGE: Final = re.compile(r"[^\s:#]+")
"""A line of `go build -v`; a message of the compiler has a blank or a colon."""


class Meter:
    """Says how far a build has come, from a thread, until the end of the block."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.modules = 0
        self.packages = 0
        self.total = 0
        """Packages to compile; 0: not known yet."""
        self._name = name
        self._say = say
        self._began = time.monotonic()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def text(self) -> str:
        """What is known now."""
        if self.packages:
            of = f" of {self.total:,}" if self.total >= self.packages else ""
            done = f"{self.packages:,}{of} packages"
        else:
            done = f"{self.modules:,} modules downloaded"
        return f"building {self._name}: {done}, {time.monotonic() - self._began:.0f} s"

    def _run(self) -> None:
        if not sys.stderr.isatty():
            while not self._end.wait(EVERY):
                self._say(self.text())
            return
        while not self._end.wait(REDRAW):
            print(f"\r{self.text()}\x1b[K", end="", file=sys.stderr, flush=True)
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def go_build(
    go: Path,
    arguments: list[str],
    package: str,
    folder: Path,
    environment: Mapping[str, str],
    meter: Meter,
) -> str:
    """Builds a package in a module's folder; returns "" or what went wrong."""
    stale = "{{if .Stale}}{{.ImportPath}}{{end}}"
    listed: list[str] = []
    _run(
        [str(go), "list", *FLAGS, "-deps", "-f", stale, package],
        folder, environment, meter, listed.append,
    )  # fmt: skip
    meter.packages, meter.total = 0, len(listed)

    def compiled(_: str) -> None:
        meter.packages += 1

    command = [str(go), "build", "-v", *FLAGS, *arguments, package]
    code, errors = _run(command, folder, environment, meter, compiled)
    return "" if code == 0 else errors or "no output"


def _run(
    command: list[str],
    folder: Path,
    environment: Mapping[str, str],
    meter: Meter,
    take: Callable[[str], None],
) -> tuple[int, str]:
    """The exit code, and what it says apart from packages, which are taken, and downloads."""
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        said = "".join(_sorted(process.stdout, meter, take))
    return process.returncode, said


def _sorted(lines: Iterable[str], meter: Meter, take: Callable[[str], None]) -> Iterable[str]:
    for line in lines:
        if line.startswith(_DOWNLOAD):
            meter.modules += 1
        elif _PACKAGE.fullmatch(line.strip()):
            take(line.strip())
        else:
            yield line
