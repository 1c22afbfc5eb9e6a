"""What a child writes to its fd 2: gRPC's core, a C library that aborts, Python before it logs.

That is a pipe, read here and logged line by line. So every line of the log has the same form, and
the last words of a child that dies in C are logged. The pipe never blocks the child: what does not
fit is lost.
"""

from __future__ import annotations

import os
from typing import Final

from grpcdns import log

_PIECE: Final = 1 << 16
"""Octets that are read at once: as many as the pipe holds."""
_LINE: Final = 1 << 14
"""The most octets of a line; a longer one is logged in parts."""
_LAST_READS: Final = 16
"""A process that the child has started may go on writing."""
_FATAL: Final = b"Fatal Python error: "
"""The process ends, and what it still writes is the stack of each thread (faulthandler)."""
_STACK: Final = 1000
"""The most lines of it that are kept."""


class Stderr:
    """``writer`` is the child's end: the supervisor closes it when the child has been spawned."""

    def __init__(self, process: str) -> None:
        self.fd, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._process = process
        self._rest = b""
        self._fatal: list[bytes] = []
        """The last words: a line that begins with `_FATAL`, and the stack."""

    def read(self) -> int:
        """Log the lines that have come; returns how many octets that was: 0 for the end of the
        pipe, which nobody can write to any more. Raises BlockingIOError if none have."""
        data = os.read(self.fd, _PIECE)
        *lines, rest = (self._rest + data).split(b"\n")
        while len(rest) >= _LINE:
            lines.append(rest[:_LINE])
            rest = rest[_LINE:]
        self._rest = rest
        for line in lines:
            self._take(line)
        return len(data)

    def _take(self, line: bytes) -> None:
        if not self._fatal and not line.startswith(_FATAL):
            log.relay(self._process, line)
        elif len(self._fatal) < _STACK:
            self._fatal.append(line)

    def finish(self) -> None:
        """The child has ended: log what is left, and close the pipe."""
        try:
            for _ in range(_LAST_READS):
                if not self.read():
                    break
        except BlockingIOError:
            pass
        self._take(self._rest)
        if self._fatal:
            log.relay(self._process, self._fatal[0], b"\n".join(self._fatal[1:]))
        os.close(self.fd)
