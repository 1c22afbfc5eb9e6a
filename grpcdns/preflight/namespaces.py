"""Whether the namespaces of ``--namespaces`` exist."""

from __future__ import annotations

from collections.abc import Sequence

from grpcdns.preflight.context import Context
from grpcdns.preflight.report import OK, WARNING, Verdict


def check_namespaces(context: Context) -> Verdict:
    missing = [
        name
        for name in context.config.namespaces
        if context.api.find(f"/api/v1/namespaces/{name}", "get namespaces") is None
    ]
    return decide_namespaces(context.config.namespaces, missing)


def decide_namespaces(given: Sequence[str], missing: Sequence[str]) -> Verdict:
    if not missing:
        return Verdict(OK, f"{', '.join(given)}: all exist")
    return Verdict(
        WARNING,
        f"not there: {', '.join(missing)}; names in them are NXDOMAIN",
        "correct --namespaces, or create them",
    )
