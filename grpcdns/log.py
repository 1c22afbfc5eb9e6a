"""The log: one line of text or JSON for each change of state, on stderr, alike in each process.

    log.start("feed", "info", "json")

Whatever else Python would write to stderr becomes a line, too: warnings, and the tracebacks of
exceptions that nothing catches. What C libraries write goes to fd 2. In a child of the supervisor
that is a pipe, and the supervisor relays what comes through it (`relay`); the log itself goes to
stderr, by ``fd``, so that it needs no other process.

docs/operations.md describes the lines.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import threading
import time
import traceback
import warnings
from types import TracebackType
from typing import Final, TextIO

import msgspec

STDERR: Final = 2

_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    ord("\n"): "\\n",
    ord("\r"): "\\r",
    ord("\t"): "\\t",
}
"""A message in text is one line, and cannot change the terminal: it may quote what others wrote."""
_NATIVE: Final = re.compile(r"([IWEF])\d{4} [\d:.]+ +\d+ |(W)ARNING: ")
"""How a line of gRPC's core begins (absl): level, date, time, thread."""
_NATIVE_LEVELS: Final = {"I": "info", "W": "warning"}

_log = logging.getLogger(__name__)


class _Handler(logging.Handler):
    """Writes each record as one write: lines of several processes do not mix."""

    def __init__(self, process: str, form: str, fd: int) -> None:
        super().__init__()
        self._process = process
        self._form = form
        self._fd = fd

    def emit(self, record: logging.LogRecord) -> None:
        trace = ""
        if record.exc_info:
            trace = "".join(traceback.format_exception(*record.exc_info))
        try:
            message = record.getMessage()
        except Exception as error:
            message = f"{record.msg} ({error})"
        self.write(record.created, record.levelname.lower(), self._process, message, trace)

    def write(self, at: float, level: str, process: str, message: str, trace: str = "") -> None:
        make = _json if self._form == "json" else _text
        self._write(make(_time(at), level, process, message, trace.strip("\n")))

    def fail(self, message: str) -> None:
        if self._form == "json":
            self.write(time.time(), "error", self._process, message)
        else:
            self._write(f"grpcdns: {message}")

    def _write(self, line: str) -> None:
        data = f"{line}\n".encode("utf-8", "backslashreplace")
        try:
            while data:
                data = data[os.write(self._fd, data) :]
        except OSError:
            pass  # nobody reads the log: no reason to stop serving


_handler = _Handler("", "text", STDERR)


def start(process: str, level: str, form: str, fd: int | None = None) -> None:
    """Log as ``process`` from now on; another call changes level and form ("text" or "json").
    ``fd`` is where to, at first stderr; None leaves it as it is."""
    global _handler  # noqa: PLW0603 - there is one log in a process, as there is one stderr
    _handler = _Handler(process, form, _handler._fd if fd is None else fd)
    root = logging.getLogger()
    root.handlers[:] = [_handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("grpcdns").setLevel(level.upper())
    warnings.showwarning = _warned
    sys.excepthook = _uncaught
    sys.unraisablehook = _unraisable
    threading.excepthook = _uncaught_in_thread


def fail(message: str) -> None:
    """The line that a process ends with when it cannot start. In text it is ``grpcdns: MESSAGE``,
    as for every command."""
    _handler.fail(message)


def relay(process: str, line: bytes, trace: bytes = b"") -> None:
    """Log what another process wrote to its fd 2: one line, whatever the log level. Its level is
    that of gRPC's core where it shows one, else "error": such lines are last words."""
    text, stack = (part.decode("utf-8", "backslashreplace").rstrip() for part in (line, trace))
    if text:
        found = _NATIVE.match(text)
        level = _NATIVE_LEVELS.get(found[1] or found[2], "error") if found else "error"
        _handler.write(time.time(), level, process, text, stack)


def _json(at: str, level: str, process: str, message: str, trace: str) -> str:
    fields = {"time": at, "level": level, "process": process, "message": message}
    if trace:
        fields["trace"] = trace
    return msgspec.json.encode({name: _encodable(text) for name, text in fields.items()}).decode()


def _text(at: str, level: str, process: str, message: str, trace: str) -> str:
    line = f"{at} {level} {process}: {message.translate(_CONTROLS)}"
    return "\n    ".join([line, *(one.translate(_CONTROLS) for one in trace.split("\n") if one)])


def _encodable(text: str) -> str:
    """Without lone surrogates, which stand for the octets of file names that are not UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode()


def _time(at: float) -> str:
    seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{seconds}.{int(at * 1000) % 1000:03d}Z"


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,  # noqa: ARG001 - the signature of `warnings.showwarning`
    line: str | None = None,  # noqa: ARG001
) -> None:
    _log.warning("%s:%d: %s: %s", filename, lineno, category.__name__, message)


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    _log.error("uncaught %s", kind.__name__, exc_info=(kind, error, trace))


def _uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    name = args.thread.name if args.thread else "unknown"
    error = args.exc_value or args.exc_type()
    exc_info = (args.exc_type, error, args.exc_traceback)
    _log.error("thread %s ended: uncaught %s", name, args.exc_type.__name__, exc_info=exc_info)


def _unraisable(args: sys.UnraisableHookArgs) -> None:
    error = args.exc_value or args.exc_type()
    exc_info = (args.exc_type, error, args.exc_traceback)
    what = args.err_msg or "Exception ignored in"
    _log.error("%s: %r", what, args.object, exc_info=exc_info)
