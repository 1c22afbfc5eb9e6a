"""The commands of README.md, typed in order into a fresh clone.

Replaced: the demo's port and folder, the port of ``serve``, and ``dig`` where there is none.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from harness.build import cache_folder
from harness.fixtures import NOT_RUN, skip_unless_built
from harness.paths import ROOT
from harness.ports import free_address, free_port
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(900)]

STAYS_UP: Final = {"make demo": "Still up; Ctrl-C ends it", "grpcdns serve": "serving"}
"""Commands that the reader leaves running, and what they print once they are up."""
DIG: Final = f"""#!{sys.executable}
import sys
import dns.message, dns.query
server, _, port, name, qtype = sys.argv[1:]
print(dns.query.udp(dns.message.make_query(name, qtype), server[1:], 5, int(port)))
"""
EXPECTED: Final = {
    "grpcdns --version": "grpcdns ",
    "dig ": "IN SRV 0 25 80 myhost.headless.default.svc.cluster.local.",
    "grpcdns query xecho": "10.96.49.52",
    "grpcdns query web": "fd00:10:96::7",
    "grpcdns check": "SERVING",
    "grpcdns explain": "NOERROR, 4 records",
}
"""What a command that begins like this prints, among other things."""


class Terminal:
    """A reader's shell: the folder and the environment stay from block to block."""

    def __init__(self, folder: Path, env: dict[str, str], state: Path) -> None:
        self._folder, self._env, self._state = folder, env, state

    def type(self, block: str) -> str:
        """The output of all its commands, each of which succeeds."""
        run = subprocess.run(
            ["/bin/sh", "-exc", f"{block}\n{{ env -0 > {self._state}; }} 2>/dev/null"],
            cwd=self._folder,
            env=self._env,
            capture_output=True,
            text=True,
            timeout=600,
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


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip(f"{NOT_RUN}: no checkout that can be cloned")
    folder = tmp_path / "grpcdns"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def blocks(clone: Path, swaps: dict[str, str]) -> list[str]:
    text = (clone / "README.md").read_text()
    for old, new in swaps.items():
        text = text.replace(old, new)
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


def test_each_block_works_in_order(clone: Path, tmp_path: Path) -> None:
    skip_unless_built("coredns")
    port, serve, sockets = free_port(), free_address(), tmp_path / "sockets"
    (tmp_path / "bin").mkdir()
    if not shutil.which("dig"):
        (tmp_path / "bin" / "dig").write_text(DIG)
        (tmp_path / "bin" / "dig").chmod(0o755)
    env = {
        **{name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"},
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PORT": str(port),
        "SOCKETS": str(sockets),
        "GRPCDNS_CACHE": str(cache_folder()),
    }
    swaps = {"/tmp/grpcdns-demo": str(sockets), "1053": str(port), "127.0.0.1:5301": str(serve)}
    terminal = Terminal(clone, env, tmp_path / "state")
    typed: list[str] = []
    with ExitStack() as open_terminals:
        for number, block in enumerate(blocks(clone, swaps)):
            shows = next((text for command, text in STAYS_UP.items() if command in block), "")
            if shows:
                log = tmp_path / f"{number}.log"
                open_terminals.enter_context(terminal.left_open(block.strip(), shows, log))
            else:
                for line in block.splitlines():
                    check(line, terminal)
                    typed.append(line)
    for command in EXPECTED:
        assert any(line.startswith(command) for line in typed), f"no {command} in README.md"


def check(line: str, terminal: Terminal) -> None:
    output = terminal.type(line)
    for command, wanted in EXPECTED.items():
        if line.startswith(command):
            assert wanted in output, f"{line}\n{output}"
