"""Log lines, as text and as JSON."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from grpcdns import log


@pytest.fixture(autouse=True)
def _put_back() -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("grpcdns")
    before = root.handlers[:], root.level, ours.level
    yield
    root.handlers[:], root.level, ours.level = before[0], before[1], before[2]
    ours.setLevel(before[2])


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("worker-0", "info", "text")
    logging.getLogger("grpcdns.serve").info("serving %d", 5)
    logging.getLogger("grpcdns.serve").debug("not this")
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z info worker-0: serving 5", line)


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("feed", "debug", "json")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("grpcdns.x").exception("failed\nbadly")
    logging.getLogger("other").info("not this")
    (line,) = capsys.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("trace").endswith("ValueError: why")
    assert found.pop("time").endswith("Z")
    assert found == {"level": "error", "process": "feed", "message": "failed\nbadly"}


def test_levels_change(capsys: pytest.CaptureFixture[str]) -> None:
    log.start("feed", "error", "text")
    logging.getLogger("grpcdns.x").warning("not this")
    log.start("feed", "debug", "text")
    logging.getLogger("grpcdns.x").debug("this")
    assert capsys.readouterr().err.count("\n") == 1
