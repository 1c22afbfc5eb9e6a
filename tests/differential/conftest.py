"""Prints the counts of questions and differences at the end of the run, also under xdist."""

from __future__ import annotations

from typing import Any

import pytest

from tests.differential import tally


def pytest_sessionfinish(session: pytest.Session) -> None:
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["differential"] = dict(tally.TALLY)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    tally.TALLY.update(getattr(node, "workeroutput", {}).get("differential", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in tally.lines():
        terminalreporter.write_line(line)
