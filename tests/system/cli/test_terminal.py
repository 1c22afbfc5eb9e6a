"""On a terminal, commands print colours and progress; in a pipe, plain text."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.terminal import Terminal

MANIFESTS = ("--manifests", str(EXAMPLES), "--upstream", "none")
ESCAPE = "\x1b["
GRPCDNS = [sys.executable, "-m", "grpcdns"]


def on_a_terminal(*words: str, no_color: str = "") -> tuple[int, str]:
    """The exit code, and what was written to the terminal by stdout and stderr."""
    with Terminal([*GRPCDNS, *words], width=120, env={"NO_COLOR": no_color}) as terminal:
        code = terminal.wait()
        return code, terminal.written


@pytest.mark.parametrize(
    "words",
    [
        ("explain", "web.default.svc.cluster.local", *MANIFESTS),
        ("corefile", "--check", str(ROOT / "corefile" / "demo.Corefile")),
    ],
    ids=lambda words: words[0],
)
def test_colours(words: tuple[str, ...]) -> None:
    _, seen = on_a_terminal(*words)
    assert ESCAPE in seen
    piped = subprocess.run([*GRPCDNS, *words], capture_output=True, text=True, check=False).stdout
    assert piped
    assert ESCAPE not in piped
    _, seen = on_a_terminal(*words, no_color="1")
    assert seen
    assert ESCAPE not in seen, "neither colours nor bold"


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_a_document_has_no_colours(form: str) -> None:
    words = ("explain", "web.default.svc.cluster.local", *MANIFESTS, "--output", form)
    _, seen = on_a_terminal(*words)
    assert seen
    assert ESCAPE not in seen


def test_nothing_is_wrapped_or_cut() -> None:
    """Lines can be copied whole, however narrow the terminal."""
    words = ["explain", "myhost.headless.default.svc.cluster.local", "SRV", *MANIFESTS]
    env = {**os.environ, "COLUMNS": "40"}
    run = subprocess.run([*GRPCDNS, *words], capture_output=True, text=True, env=env, check=True)
    record = "5 IN SRV 0 25 80 myhost.headless.default.svc.cluster.local."
    assert any(line.endswith(record) for line in run.stdout.splitlines())


def test_progress(coredns: Callable[..., CoreDNS]) -> None:
    with Grpcdns(*MANIFESTS) as ours:
        zones = "cluster.local in-addr.arpa ip6.arpa"
        running = coredns(f"{zones} {{\n{ours.grpc_block}\n}}")
        code, seen = on_a_terminal(
            *("compare", "--server", ours.listen[0], "--with", str(running.address)),
            *("--rate", "25", *MANIFESTS),
        )
    assert code == 0
    assert "comparing" in seen
    assert "/52" in seen
