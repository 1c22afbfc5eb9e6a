"""Prometheus's own parser, built as the other servers are."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Final, NamedTuple

from harness.build import MODULES, Program, build

PROMQL: Final = Program("promql", MODULES / "promql")


class Parsed(NamedTuple):
    """``metrics``: name -> labels used with it; labels of an aggregation stand under ""."""

    error: str
    type: str
    metrics: dict[str, set[str]]


def parse(expressions: Sequence[str]) -> list[Parsed]:
    """Raises Unavailable when the parser cannot be had."""
    text = "".join(json.dumps(one) + "\n" for one in expressions)
    run = subprocess.run([build(PROMQL)], input=text, capture_output=True, text=True, check=True)
    return [_parsed(json.loads(line)) for line in run.stdout.splitlines()]


def _parsed(found: dict[str, object]) -> Parsed:
    metrics: dict[str, set[str]] = {}
    selectors = found["selectors"]
    for one in selectors if isinstance(selectors, list) else ():
        metrics.setdefault(one["name"], set()).update(one["labels"] or ())
    return Parsed(str(found["error"]), str(found["type"]), metrics)
