"""Where Chromium is.

The one on PATH is used. Where there is none, Debian's package, what it needs, and a font are
unpacked into the cache, once, by `apt-get` without root: nothing is installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from harness.build import Unavailable, cache_folder, last_lines, locked, say

NAMES: Final = (
    "chromium", "chromium-browser", "chromium-headless-shell", "google-chrome",
    "google-chrome-stable",
)  # fmt: skip
PACKAGE: Final = "chromium-headless-shell"
FONT: Final = "fonts-dejavu-core"
"""Chromium ends at its first page where there is no font at all."""
_EVERY: Final = 5.0
"""Seconds between two lines that say how much was fetched."""
_LONGEST: Final = 600.0
"""Seconds for one command of apt-get."""
_OPTIONS: Final = {
    "Debug::NoLocking": "1",  # its locks are root's
    "APT::Sandbox::User": "",
    "Acquire::http::Timeout": "20",
    "Acquire::https::Timeout": "20",
    "Acquire::Retries": "1",
}


_missing: Final[list[Unavailable]] = []

_FONTS: Final = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <dir>{folder}/root/usr/share/fonts</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>{folder}/fontconfig</cachedir>
</fontconfig>
"""


def find() -> tuple[str, dict[str, str]]:
    """The program and the variables that it needs; raises `Unavailable`. What failed is not tried
    again by the same process."""
    if _missing:
        raise _missing[0]
    try:
        return _find()
    except Unavailable as error:
        _missing.append(error)
        raise


def _find() -> tuple[str, dict[str, str]]:
    for name in NAMES:
        if path := shutil.which(name):
            return path, {}
    for needed in ("apt-get", "dpkg"):
        if not shutil.which(needed):
            raise Unavailable("chromium", f"none on PATH, and no {needed} to fetch it with")
    folder = cache_folder() / "chromium"
    found = folder / "root" / "usr" / "lib" / "chromium" / PACKAGE
    if not found.exists():
        cache_folder().mkdir(parents=True, exist_ok=True)
        with locked(cache_folder() / "chromium.lock", "another process fetches chromium"):
            if not found.exists():
                _unpack(folder)
    libraries = [*(folder / "root").glob("usr/lib/*-linux-gnu"), found.parent]
    return str(found), {
        "LD_LIBRARY_PATH": os.pathsep.join(map(str, libraries)),
        "FONTCONFIG_FILE": str(folder / "fonts.conf"),
    }


def _unpack(folder: Path) -> None:
    """Fetch Debian's package and what it needs and is not installed, and unpack all of it."""
    say("fetching chromium (first use, about 1 min)")
    began = time.monotonic()
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("lists/partial", "archives/partial", "unfinished"):
        (folder / part).mkdir(parents=True)
    places = {"Dir::State::lists": f"{folder}/lists", "Dir::Cache": f"{folder}"}
    options = [word for pair in (places | _OPTIONS).items() for word in ("-o", "=".join(pair))]
    apt = ["apt-get", "-q", "-y", *options]
    _run([*apt, "update"], folder)
    _run([*apt, "--download-only", "--no-install-recommends", "install", PACKAGE], folder)
    _run([*apt, "download", FONT], folder, folder / "archives")  # also if it is installed
    for package in sorted((folder / "archives").glob("*.deb")):
        _run(["dpkg", "-x", str(package), str(folder / "unfinished")], folder)
    if not (folder / "unfinished" / "usr" / "lib" / "chromium" / PACKAGE).exists():
        raise Unavailable("chromium", f"none on PATH, and {PACKAGE} has no such program")
    (folder / "fonts.conf").write_text(_FONTS.format(folder=folder))
    for part in ("archives", "lists"):
        shutil.rmtree(folder / part)
    (folder / "unfinished").rename(folder / "root")
    say(f"fetched chromium in {time.monotonic() - began:.0f} s")


def _run(command: Sequence[str], folder: Path, cwd: Path | None = None) -> None:
    """Says how much is in the folder while the command runs; raises `Unavailable`."""
    with (folder / "output").open("w+") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=cwd
        )
        end = time.monotonic() + _LONGEST
        try:
            while process.poll() is None and time.monotonic() < end:
                try:
                    process.wait(_EVERY)
                except subprocess.TimeoutExpired:
                    say(f"fetching chromium: {_size(folder) / 1e6:.0f} MB")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        output.seek(0)
        if process.returncode:
            why = last_lines(output.read())
            raise Unavailable("chromium", f"none on PATH, and {command[0]} cannot fetch it: {why}")


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size
        except OSError:  # it has gone
            continue
    return total
