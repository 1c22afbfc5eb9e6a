"""Expressions parsed by Prometheus's own parser, and rules run by its own engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec


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


class Scrape(msgspec.Struct, frozen=True):
    """What /metrics of an instance gave at a time (seconds); None: it could not be scraped."""

    at: float
    instance: str
    text: str | None


class Alert(msgspec.Struct, frozen=True):
    """An alert that became active; times in seconds, None where it did not get there."""

    labels: dict[str, str]
    annotations: dict[str, str]
    pending: float | None
    firing: float | None
    resolved: float | None

    @property
    def name(self) -> str:
        return self.labels["alertname"]


EVERY: Final = 15.0
"""Seconds between scrapes, and between evaluations."""
_START: Final = 1_700_000_000


def evaluate(promrules: Path, file: Path, scrapes: Iterable[Scrape], until: float) -> list[Alert]:
    """The alerts of a rule file over scrapes in order of time. ``promrules`` is the program of that
    name (tests/servers/promql/rules)."""
    given: dict[str, Any] = {
        "file": str(file),
        "start": _START,
        "every": EVERY,
        "until": until,
        "scrapes": list(scrapes),
    }
    done = subprocess.run([promrules], input=msgspec.json.encode(given), capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return msgspec.json.decode(done.stdout, type=list[Alert] | None) or []
