"""The commands of README.md, typed in order into a fresh clone.

Replaced: the demo's port and folder, the port of ``serve``, and ``dig`` where there is none. The
way into a cluster is in tests/system/helm/test_walk.py.
"""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from harness.build import cache_folder
from harness.fixtures import skip_unless_built
from harness.ports import free_address, free_port
from tests.terminal import Terminal, blocks, clone

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(1800)]

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


def test_each_block_works_in_order(tmp_path: Path) -> None:
    skip_unless_built("coredns")
    folder = clone(tmp_path / "grpcdns")
    text = (folder / "README.md").read_text()
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
    for old, new in swaps.items():
        text = text.replace(old, new)
    terminal = Terminal(folder, env, tmp_path / "state")
    typed: list[str] = []
    with ExitStack() as open_terminals:
        for number, block in enumerate(blocks(text)):
            if "helm install" in block:
                continue  # tests/system/helm/test_walk.py
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
