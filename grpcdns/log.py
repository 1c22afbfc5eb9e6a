"""The log: one line of text or JSON for each change of state, on stderr, alike in each process."""

from __future__ import annotations

import logging
import sys
import time
from typing import Final

import msgspec

_LEVELS: Final = {"warning": "warn", "critical": "error"}


class _Text(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_time(record)} {record.levelname.lower()} {self._process}: {record.getMessage()}"
        return line + _trace(self, record)


class _Json(logging.Formatter):
    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        level = record.levelname.lower()
        fields = {
            "time": _time(record),
            "level": _LEVELS.get(level, level),
            "process": self._process,
            "message": record.getMessage(),
        }
        if trace := _trace(self, record):
            fields["trace"] = trace.strip()
        return msgspec.json.encode(fields).decode()


def start(process: str, level: str, form: str) -> None:
    """Log as ``process`` from now on; another call changes level and form ("text" or "json")."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(process) if form == "json" else _Text(process))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("grpcdns").setLevel(level.upper())


def _time(record: logging.LogRecord) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
    return f"{seconds}.{int(record.msecs):03d}Z"


def _trace(formatter: logging.Formatter, record: logging.LogRecord) -> str:
    return "\n" + formatter.formatException(record.exc_info) if record.exc_info else ""
