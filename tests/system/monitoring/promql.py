"""Expressions parsed by Prometheus's own parser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class Parsed(NamedTuple):
    """``metrics``: name -> labels used with it; the labels of an aggregation are under ""."""

    error: str
    type: str
    metrics: dict[str, set[str]]


def parse(promql: Path, expressions: Sequence[str]) -> list[Parsed]:
    """``promql`` is the program of that name (tests/servers/promql)."""
    text = "".join(json.dumps(one) + "\n" for one in expressions)
    run = subprocess.run([promql], input=text, capture_output=True, text=True, check=True)
    return [_parsed(json.loads(line)) for line in run.stdout.splitlines()]


def _parsed(found: dict[str, object]) -> Parsed:
    metrics: dict[str, set[str]] = {}
    selectors = found["selectors"]
    for one in selectors if isinstance(selectors, list) else ():
        metrics.setdefault(one["name"], set()).update(one["labels"] or ())
    return Parsed(str(found["error"]), str(found["type"]), metrics)
