"""A reader who types what the documentation says: a fresh clone, a shell, the blocks of a page."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.fixtures import NOT_RUN
from harness.paths import ROOT
from harness.waiting import wait_until


def clone(folder: Path) -> Path:
    """A fresh clone of this checkout; skips the test where it is none."""
    if not (ROOT / ".git").exists():
        pytest.skip(f"{NOT_RUN}: no checkout that can be cloned")
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def blocks(text: str) -> list[str]:
    """The blocks of commands in a page."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


class Terminal:
    """A reader's shell: the folder and the environment stay from block to block."""

    def __init__(self, folder: Path, env: dict[str, str], state: Path) -> None:
        self._folder, self._env, self._state = folder, env, state

    def type(self, block: str) -> str:
        """The output of all its commands, each of which succeeds, without a time limit."""
        run = subprocess.run(
            ["/bin/sh", "-exc", f"{block}\n{{ env -0 > {self._state}; }} 2>/dev/null"],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, f"{block}\n{run.stdout}\n{run.stderr}"
        pairs = (line.partition("=") for line in self._state.read_text().split("\0") if line)
        self._env = {name: value for name, _, value in pairs}
        return run.stdout

    @contextmanager
    def left_open(self, block: str, shows: str, log: Path) -> Iterator[None]:
        """A command that stays up until Ctrl-C."""
        with log.open("wb") as output:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {block}" if "=" not in block.split()[0] else block],
                cwd=self._folder,
                env=self._env,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            wait_until(
                lambda: shows in log.read_text() or process.poll() is not None, block, timeout=600
            )
            assert process.poll() is None, log.read_text()
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(60)
