"""What preflight reports: one ``Check`` a line, and the whole. Both are the schema of the JSON.

``Report`` as JSON is what ``grpcdns preflight --output json`` prints. Fields are only added within
one ``schema`` number, never renamed or removed; docs/preflight.md lists them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, NamedTuple

import msgspec

Status = Literal["ok", "warning", "fail", "unknown"]
OK: Final = "ok"
WARNING: Final = "warning"
FAIL: Final = "fail"
UNKNOWN: Final = "unknown"
STATUSES: Final[tuple[Status, ...]] = (OK, WARNING, FAIL, UNKNOWN)
"""In place; works, with a remark; must be fixed before serving; not allowed to ask."""

SCHEMA: Final = 1


class Verdict(NamedTuple):
    """The outcome of one check: what was found, and what to do ("" where nothing is to be done)."""

    status: Status
    found: str
    do: str = ""


def softened(verdict: Verdict) -> Verdict:
    """A warning in the place of a failure, for what grpcdns goes on without."""
    return verdict._replace(status=WARNING) if verdict.status == FAIL else verdict


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line. ``id`` is stable (``rights.services``); ``name``, ``found``, ``do`` are prose."""

    id: str
    name: str
    status: Status
    found: str
    do: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``user``: whose credentials asked; ``account``: whose rights were asked for, "" for none.

    When the API cannot be asked at all, ``checks`` holds the check ``api`` alone.
    """

    schema: int = SCHEMA
    ready: bool
    server: str
    kubernetes: str
    user: str
    account: str
    counts: dict[Status, int]
    checks: list[Check]


def count(checks: Iterable[Check]) -> dict[Status, int]:
    """How many checks have each status, zeros included."""
    found = [check.status for check in checks]
    return {status: found.count(status) for status in STATUSES}


def is_ready(checks: Iterable[Check]) -> bool:
    """No check failed, and at least one other than ``api`` could be asked.

    A right that the asking user lacks is no failure of the cluster: "unknown" alone is ready.
    """
    checks = list(checks)
    asked = any(check.status != UNKNOWN for check in checks if check.id != "api")
    return asked and not any(check.status == FAIL for check in checks)
