"""Prometheus's parser is built before the first test, outside any test's time limit."""

from __future__ import annotations

import pytest

from harness.build import Unavailable, build
from tests.system.monitoring.promql import PROMQL


def pytest_collection_finish(session: pytest.Session) -> None:
    wanted = any("monitoring" in item.path.parts for item in session.items)
    if wanted and not session.config.option.collectonly:
        try:
            build(PROMQL)
        except Unavailable:
            pass  # its tests say so, by skipping
