"""Checks the dependencies: the locks fit, the licences are allowed, no advisories are known.

    python -m tools.audit

Locks and licences are checked from the installed packages, without network. Advisories need the
network; without it they are skipped with a message on stderr.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from harness.paths import ROOT

RUNTIME, DEV = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"
LOCKS: Final = (RUNTIME, DEV, ROOT / "requirements-bench.lock")
"""Each is an extension of the one before it."""

LOCKED_FOR: Final = {"python_version": "3.11", "python_full_version": "3.11.0"}
"""The oldest supported Python: the locks are made for it, whatever Python runs this."""

ALLOWED: Final = re.compile(
    r"MIT|MIT-0|ISC|PSF-2\.0|MPL-2\.0|Apache-2\.0|0BSD|BSD-[23]-Clause"
    # in metadata older than SPDX
    r"|BSD|MIT License|BSD License|BSD [23]-Clause License|[23]-Clause BSD License|Apache 2\.0"
    r"|Mozilla Public License 2\.0 \(MPL 2\.0\)",
)
"""Licences that let anyone use and distribute grpcdns with its dependencies."""


def pins(lock: Path) -> dict[str, str]:
    """The version of each package in a lock."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


def required(extra: str = "") -> list[Requirement]:
    """The requirements in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(project["optional-dependencies"][extra] if extra else [])]
    return [Requirement(line) for line in lines]


def closure(wanted: list[Requirement]) -> Iterator[str]:
    """The names of all packages that ``wanted`` needs, by the metadata of the installed ones."""
    todo, seen = [(r, "") for r in wanted], set()
    while todo:
        requirement, extra = todo.pop()
        if requirement.marker and not requirement.marker.evaluate({**LOCKED_FOR, "extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        extras = requirement.extras or {""}
        for one in extras:
            if (name, one) in seen:
                continue
            seen.add((name, one))
            yield name
            needs = metadata.distribution(name).requires or []
            todo += [(Requirement(need), one) for need in needs]


def lock_faults(lock: Path, extra: str = "") -> Iterator[str]:
    """Where a lock does not fit pyproject.toml, a line each."""
    pinned = pins(lock)
    for requirement in required(extra):
        version = pinned.get(canonicalize_name(requirement.name))
        if version is None or not requirement.specifier.contains(version, prereleases=True):
            yield f"{lock.name}: {requirement} does not fit {version}: run `make lock`"
    needed = set(closure(required(extra)))
    for name in sorted(needed - pinned.keys()):
        yield f"{lock.name}: {name} is needed but not locked: run `make lock`"
    for name in sorted(pinned.keys() - needed):
        yield f"{lock.name}: {name} is locked but not needed: run `make lock`"


def text_faults(lock: Path) -> Iterator[str]:
    """What a lock must not have, or must have, whatever is installed; a line each."""
    text = lock.read_text()
    if bare := re.findall(r"^\S+==\S+\n", text, re.MULTILINE):
        yield f"{lock.name}: no hash for {bare[0].strip()}"
    if leaked := re.search(r"^.*(://|--index|--find-links|--trusted).*$", text, re.MULTILINE):
        yield f"{lock.name}: names a registry: {leaked[0]}"
    base = LOCKS[max(LOCKS.index(lock) - 1, 0)]
    for name, version in pins(base).items():
        if name in pins(lock) and pins(lock)[name] != version:
            yield f"{lock.name}: {name} differs from {base.name}: run `make lock`"


def licences(name: str) -> list[str]:
    """The licences that a package declares."""
    about = metadata.metadata(name)
    texts = [text for key in ("License-Expression", "License") for text in about.get_all(key) or []]
    stated = texts[0].partition("\n")[0] if texts else ""
    if stated:
        return re.split(r" (?:AND|OR) ", stated)
    trove = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    return [entry.rpartition(" :: ")[2] for entry in trove]


def licence_faults() -> Iterator[str]:
    for name in pins(RUNTIME):
        stated = licences(name)
        if not stated or not all(ALLOWED.fullmatch(one) for one in stated):
            yield f"{name}: licence {' / '.join(stated) or 'unknown'} is not allowed"


def advisories() -> Iterator[str]:
    """Known vulnerabilities of the locked packages, from the Python advisory database."""
    command = ["pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    run = subprocess.run(
        [sys.executable, "-m", *command, "--timeout", "20", "-r", str(RUNTIME)],
        capture_output=True,
        text=True,
    )
    if run.returncode == 0:
        print("advisories: none known for the locked packages")
    elif run.stdout.strip():
        yield f"advisories:\n{run.stdout}"
    else:
        reason = (run.stderr.strip().splitlines() or ["no output"])[-1]
        print(f"ADVISORIES NOT CHECKED (no network?): {reason[:200]}", file=sys.stderr)


def main() -> int:
    faults = [
        *lock_faults(RUNTIME),
        *lock_faults(DEV, "dev"),
        *(fault for lock in LOCKS for fault in text_faults(lock)),
        *licence_faults(),
        *advisories(),
    ]  # fmt: skip
    print("\n".join(faults) or "locks and licences: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
