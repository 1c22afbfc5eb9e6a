"""Log lines, as text and as JSON."""

from __future__ import annotations

import gc
import json
import logging
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from grpcdns import log

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _put_back(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    root, ours = logging.getLogger(), logging.getLogger("grpcdns")
    before = root.handlers[:], root.level, ours.level
    for owner, name in (
        (warnings, "showwarning"),
        (sys, "excepthook"),
        (sys, "unraisablehook"),
        (threading, "excepthook"),
        (log, "_handler"),
    ):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    yield
    root.handlers[:], root.level, ours.level = before[0], before[1], before[2]
    ours.setLevel(before[2])


@pytest.fixture
def lines(capfd: pytest.CaptureFixture[str]) -> Lines:
    """The JSON lines since the last call."""
    log.start("feed", "info", "json")
    return lambda: [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def test_text(capfd: pytest.CaptureFixture[str]) -> None:
    log.start("worker-0", "info", "text")
    logging.getLogger("grpcdns.serve").info("serving %d", 5)
    logging.getLogger("grpcdns.serve").debug("not this")
    (line,) = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z info worker-0: serving 5", line)


def test_text_of_a_traceback_is_indented(capfd: pytest.CaptureFixture[str]) -> None:
    log.start("worker-0", "info", "text")
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        logging.getLogger("grpcdns.serve").exception("failed")
    first, *more = capfd.readouterr().err.splitlines()
    assert first.endswith("error worker-0: failed")
    assert more[-1] == "    two"
    assert all(line.startswith("    ") for line in more)


def test_text_cannot_be_forged(capfd: pytest.CaptureFixture[str]) -> None:
    """A message may quote what others wrote: the API, a manifest, a file's name."""
    log.start("feed", "info", "text")
    logging.getLogger("grpcdns.x").warning("a\nb \x1b[31m \x9b \udcff ü")
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(r"warning feed: a\nb \x1b[31m \x9b \udcff ü")


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    log.start("feed", "debug", "json")
    try:
        raise ValueError("why")
    except ValueError:
        logging.getLogger("grpcdns.x").exception("failed\nbadly \udcff")
    logging.getLogger("other").info("not this")
    (line,) = capfd.readouterr().err.splitlines()
    found = json.loads(line)
    assert found.pop("trace").endswith("ValueError: why")
    assert found.pop("time").endswith("Z")
    assert found == {"level": "error", "process": "feed", "message": "failed\nbadly \\udcff"}


def test_levels_change(capfd: pytest.CaptureFixture[str]) -> None:
    log.start("feed", "error", "text")
    logging.getLogger("grpcdns.x").warning("not this")
    log.start("feed", "debug", "text")
    logging.getLogger("grpcdns.x").debug("this")
    assert capfd.readouterr().err.count("\n") == 1


def test_another_file_descriptor(tmp_path: Any) -> None:
    """It stays when the level changes."""
    fd = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY)
    log.start("feed", "info", "text", fd)
    log.start("feed", "info", "json")
    logging.getLogger("grpcdns.x").info("this")
    os.close(fd)
    assert json.loads((tmp_path / "log").read_text())["message"] == "this"
    logging.getLogger("grpcdns.x").info("nobody reads this, and nothing fails")


def test_a_record_that_cannot_be_formatted(lines: Lines) -> None:
    record = logging.LogRecord("grpcdns.x", logging.INFO, "", 0, "%d of %d", (1,), None)
    log._handler.emit(record)
    (line,) = lines()
    assert line["message"].startswith("%d of %d (")


def test_a_warning(lines: Lines) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = log._warned  # pytest puts its own in its place
        warnings.warn("old\nhabits", DeprecationWarning, stacklevel=1)
    (line,) = lines()
    assert line["level"] == "warning"
    assert line["message"].endswith("DeprecationWarning: old\nhabits")
    assert "test_log.py:" in line["message"]


def test_a_thread_that_ends_with_an_exception(lines: Lines) -> None:
    def fail() -> None:
        raise ValueError("why")

    thread = threading.Thread(target=fail, name="gone")
    thread.start()
    thread.join()
    (line,) = lines()
    assert line["level"] == "error"
    assert line["message"] == "thread gone ended: uncaught ValueError"
    assert line["trace"].endswith("ValueError: why")


def test_an_exception_that_cannot_be_raised(lines: Lines) -> None:
    class Odd:
        def __del__(self) -> None:
            raise ValueError("why")

    Odd()
    gc.collect()
    (line,) = lines()
    assert "Exception ignored" in line["message"]
    assert line["trace"].endswith("ValueError: why")


def test_an_exception_that_nothing_catches(lines: Lines) -> None:
    try:
        raise ValueError("why")
    except ValueError as error:
        sys.excepthook(ValueError, error, error.__traceback__)
    (line,) = lines()
    assert line["message"] == "uncaught ValueError"
    assert line["trace"].endswith("ValueError: why")


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("I0722 12:00:00.123456   123 a.cc:7] said", "info"),
        ("I0000 00:00:1784743938.123456   10913 log.cc:110] said", "info"),
        ("W1125 10:48:51.580996   11006 log.cc:110] said", "warning"),
        ("E0722 12:00:00.123456   123 a.cc:7] said", "error"),
        ("F0722 12:00:00.123456   123 a.cc:7] said", "error"),
        ("WARNING: All log messages before absl::InitializeLog() is called are here", "warning"),
        ("Fatal Python error: Segmentation fault", "error"),
        ("double free or corruption (out)", "error"),
    ],
)
def test_what_a_child_wrote(lines: Lines, words: str, level: str) -> None:
    log.relay("worker-1", f"{words} \udcff\r".encode("utf-8", "surrogateescape"))
    log.relay("worker-1", b"")
    (line,) = lines()
    assert line.pop("time")
    assert line == {"level": level, "process": "worker-1", "message": f"{words} \\xff"}


def test_the_end_of_a_start_that_fails(capfd: pytest.CaptureFixture[str]) -> None:
    """As for every command, unless the log is JSON."""
    log.start("feed", "info", "text")
    log.fail("--listen x: in use")
    assert capfd.readouterr().err == "grpcdns: --listen x: in use\n"
    log.start("feed", "info", "json")
    log.fail("--listen x: in use")
    found = json.loads(capfd.readouterr().err)
    assert found.pop("time")
    assert found == {"level": "error", "process": "feed", "message": "--listen x: in use"}
