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


class Stderr:
    """``writer`` is the child's end: the supervisor closes it when the child has been spawned."""

    def __init__(self, process: str) -> None:
        self.fd, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._process = process
        self._rest = b""

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
            log.relay(self._process, line)
        return len(data)

    def finish(self) -> None:
        """The child has ended: log what is left, and close the pipe."""
        try:
            for _ in range(_LAST_READS):
                if not self.read():
                    break
        except BlockingIOError:
            pass
        log.relay(self._process, self._rest)
        os.close(self.fd)
