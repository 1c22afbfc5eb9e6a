"""A command on a pseudo-terminal: what it writes there, and keys for it.

with Terminal(command, width=80, height=24) as terminal:
    wait_until(lambda: "ready" in terminal.screen(), "it is drawn")
    terminal.send("q")
    assert terminal.wait() == 0
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

_HOME: Final = "\x1b[H"
_NO_COLOUR: Final = re.compile(r"\x1b\[[?0-9;]*[A-Za-ln-z]")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """stdin, stdout and stderr of ``command`` are a terminal of ``width`` and ``height``."""

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        width: int = 80,
        height: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._env = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": "", **(env or {})}
        for name in ("COLUMNS", "LINES"):
            self._env.pop(name, None)
        self._near, far = pty.openpty()
        fcntl.ioctl(far, termios.TIOCSWINSZ, struct.pack("4H", height, width, 0, 0))
        self.modes: Any = termios.tcgetattr(far)
        """Of the terminal, as they were before the command."""
        # With a session, so that Ctrl-C is a signal for the command.
        session = ("setsid", "--ctty", *command)
        self._process = subprocess.Popen(session, stdin=far, stdout=far, stderr=far, env=self._env)
        os.close(far)
        self._written = b""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def written(self) -> str:
        """All that was written, escape sequences included."""
        return self._written.decode(errors="replace")

    def coloured(self) -> str:
        """The last whole screen with its colours; of a command that draws none, all output."""
        frames = self.written.split(_HOME)
        last = frames[-1] if len(frames) == 1 or not self.running else frames[-2]
        return _NO_COLOUR.sub("", last).replace("\r", "")

    def screen(self) -> str:
        """The same without colours."""
        return _COLOUR.sub("", self.coloured())

    def send(self, keys: str) -> None:
        os.write(self._near, keys.encode())

    def now_modes(self) -> Any:
        """Of the terminal, as they are now."""
        return termios.tcgetattr(self._near)

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait(self, timeout: float = 30.0) -> int:
        """Until the command ends; its exit code."""
        code = self._process.wait(timeout)
        self._reader.join(timeout)
        return code

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.running:
            self._process.kill()
        self.wait()
        os.close(self._near)

    def _read(self) -> None:
        try:
            while data := os.read(self._near, 65536):
                self._written += data
        except OSError:
            pass  # the terminal is closed when its last user ends
