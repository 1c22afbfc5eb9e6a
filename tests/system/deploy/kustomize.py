"""The kustomizations of deploy/, built by kustomize."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any, Final

import yaml

from harness.build import binary
from harness.paths import ROOT

DEPLOY: Final = ROOT / "deploy"


def built(folder: Path) -> list[dict[str, Any]]:
    """The objects of a kustomization. Raises Unavailable without kustomize."""
    run = subprocess.run(
        [binary("kustomize"), "build", str(folder)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return [one for one in yaml.safe_load_all(run.stdout) if one]


def find(objects: list[dict[str, Any]], kind: str, name: str = "") -> dict[str, Any]:
    """The only object of a kind, or of a kind and name."""
    found = [
        one
        for one in objects
        if one["kind"] == kind and (not name or one["metadata"]["name"] == name)
    ]
    assert len(found) == 1, f"{len(found)} of {kind} {name}"
    return found[0]
