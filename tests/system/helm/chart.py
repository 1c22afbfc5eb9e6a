"""The chart, and helm to lint, render and install it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from harness.build import binary
from harness.paths import ROOT

CHART: Final = ROOT / "deploy" / "helm" / "grpcdns"
Object = dict[str, Any]
Values = Mapping[str, Any]


def helm(
    *words: str | Path, values: Values | None = None, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Runs helm with values on its stdin. In ``folder`` it keeps what it caches."""
    home = str(folder or "/nonexistent")
    argv = [binary("helm"), *words]
    return subprocess.run(
        [str(word) for word in (*argv, *(("--values", "-") if values is not None else ()))],
        input=json.dumps(values or {}),
        env={"PATH": os.environ["PATH"], "HOME": home, "KUBECACHEDIR": home},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=ROOT,
    )


def render(
    values: Values, namespace: str = "kube-system", release: str = "grpcdns"
) -> subprocess.CompletedProcess[str]:
    return helm("template", release, CHART, "--namespace", namespace, values=values)


def rendered(
    values: Values, namespace: str = "kube-system", release: str = "grpcdns"
) -> list[Object]:
    """The objects of a release, hooks included."""
    done = render(values, namespace, release)
    assert done.returncode == 0, done.stderr
    return [one for one in yaml.safe_load_all(done.stdout) if one]


def refusal(values: Values) -> str:
    """What helm says when it renders nothing."""
    done = render(values)
    assert done.returncode != 0
    return done.stderr


def merged(*layers: Values) -> dict[str, Any]:
    """As helm merges values: objects key by key, all else as a whole."""
    out: dict[str, Any] = {}
    for layer in layers:
        for key, value in layer.items():
            both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
            out[key] = merged(out[key], value) if both else value
    return out


def leaves(values: Values, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Each key that has no keys below it, and its value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def at(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Values with one key."""
    for key in reversed(path):
        value = {key: value}
    return dict(value)


def defaults() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text())
    return found


def schema() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return found
