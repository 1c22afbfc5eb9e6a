"""Tries grpcio's minor versions with the lane: ``make grpcio``.

    python -m tools.grpcio_versions [--write] [MINOR...]     default: the newest eight

Each is installed with its grpcio-health-checking and grpcio-reflection into a folder that is thrown
away, and the quick tests of tools.pythons run with it. One that cannot be installed with what
grpcdns needs runs the lane's tests alone, so the table shows which of the two stops it. ``--write``
puts the table into docs/support.md; tests/project/test_support.py holds pyproject.toml to it.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

from harness.build import Unavailable
from harness.paths import ROOT
from tools.marked import with_part
from tools.pythons import LANE, QUICK, install, run_tests, summary

PAGE: Final = ROOT / "docs" / "support.md"
BEGIN: Final = "<!-- grpcio: written by `make grpcio` -->"
END: Final = "<!-- end of grpcio -->"
TOGETHER: Final = ("grpcio", "grpcio-health-checking", "grpcio-reflection")
"""Released with the same number."""


class Tried(NamedTuple):
    """A minor version, which release of it, and why it cannot be used ("" if it can)."""

    minor: str
    release: str
    why: str

    @property
    def works(self) -> bool:
        return not self.why


def released() -> list[str]:
    """The minor versions in the registry, newest first. Raises `Unavailable`."""
    command = [sys.executable, "-m", "pip", "index", "versions", "grpcio"]
    run = subprocess.run(command, capture_output=True, text=True)
    found = re.search(r"^Available versions: (.*)$", run.stdout, re.MULTILINE)
    if run.returncode != 0 or not found:
        raise Unavailable("grpcio", (run.stderr.strip().splitlines() or ["no output"])[-1])
    minors = (".".join(version.split(".")[:2]) for version in found[1].split(", "))
    return list(dict.fromkeys(minors))


def needed_protobuf() -> str:
    """The oldest protobuf that the generated code accepts."""
    text = (ROOT / "grpcdns/pb/dns_pb2.py").read_text()
    return f"protobuf>={re.findall(r'Protobuf Python Version: (.+)', text)[0]}"


def attempt(minor: str) -> Tried:
    """Installs it, runs the tests. Raises `Unavailable` when the registry does not answer."""
    with tempfile.TemporaryDirectory(prefix="grpcdns-grpcio-") as name:
        folder = Path(name)
        wanted = [f"{package}=={minor}.*" for package in TOGETHER]
        target = ["--target", name, "--upgrade", "--only-binary", ":all:"]
        why = ""
        chosen: tuple[str, ...] = QUICK
        try:
            install(Path(sys.executable), *target, *wanted, needed_protobuf())
        except Unavailable as error:
            if "depends on" not in error.reason:
                raise
            why, chosen = error.reason, LANE
            install(Path(sys.executable), *target, "--no-deps", *wanted)
        run = run_tests(Path(sys.executable), *chosen, folder=folder)
        release = _version(folder)
        lane = "passes" if run.returncode == 0 else "fails"
        if why:
            return Tried(minor, release, f"{why}; the lane {lane}: {summary(run)}")
        if run.returncode != 0:
            print(run.stdout + run.stderr, file=sys.stderr)
            return Tried(minor, release, f"the quick tests: {summary(run)}")
        return Tried(minor, release, "")


def _version(folder: Path) -> str:
    (found,) = folder.glob("grpcio-*.dist-info")
    return found.name.removeprefix("grpcio-").removesuffix(".dist-info")


def table(tried: list[Tried]) -> str:
    rows = [
        f"| {one.minor} | {one.release} | {'works' if one.works else 'no: ' + one.why} |"
        for one in tried
    ]
    return "\n".join(["| grpcio | tried with | |", "|---|---|---|", *rows])


def working() -> list[str]:
    """The minor versions that docs/support.md says work, newest first."""
    return re.findall(r"^\| (\d+\.\d+) \| \S+ \| works \|$", PAGE.read_text(), re.MULTILINE)


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="tools.grpcio_versions")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("minors", nargs="*")
    options = parser.parse_args(argv)
    tried = []
    for minor in options.minors or released()[:8]:
        tried.append(attempt(minor))
        print(table(tried[-1:]).splitlines()[-1], flush=True)
    if options.write:
        PAGE.write_text(with_part(PAGE.read_text(), BEGIN, END, table(tried)))
    return 0 if all(one.works for one in tried) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
