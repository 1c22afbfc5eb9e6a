"""``grpcdns top`` against a real serve: on a terminal, in a pipe, and when the serve ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from grpcdns.cli import NotDone, attached, main
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.terminal import Terminal
from harness.waiting import wait_until

COMMAND: Final = [sys.executable, "-m", "grpcdns", "top"]
WEB: Final = "web.default.svc.cluster.local."
VAIN: Final = "wbe.default.svc.cluster.local."
LEAVES: Final = "\x1b[?1049l"
"""What gives the terminal back as it was."""

Start = Callable[..., Terminal]


@pytest.fixture
def ours() -> Iterator[Grpcdns]:
    with Grpcdns("--manifests", EXAMPLES, "--upstream", "none") as started:
        yield started


def top(ours: Grpcdns, *words: str, width: int = 100, height: int = 40) -> Terminal:
    command = [*COMMAND, "--server", ours.listen[0], *words]
    return Terminal(command, width=width, height=height)


def test_it_is_live(ours: Grpcdns) -> None:
    with top(ours) as terminal:
        wait_until(lambda: "Asked in vain: nothing yet" in terminal.screen(), "it is drawn")
        for worker in (0, 1, 1):
            ours.ask(VAIN, worker=worker)
        wait_until(lambda: f"3  {VAIN}  A  NXDOMAIN" in terminal.screen(), "what was asked")
        screen = terminal.screen()
        assert screen.startswith("ready  grpcdns ")
        assert "API up (" in screen
        assert "worker-1    serving" in screen
        terminal.send("q")
        assert terminal.wait() == 0
        assert terminal.written.endswith(LEAVES)


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "Ctrl-C"])
def test_the_terminal_is_as_it_was(ours: Grpcdns, key: str) -> None:
    with top(ours) as terminal:
        before = terminal.modes
        wait_until(lambda: "ready" in terminal.screen(), "it is drawn")
        assert terminal.now_modes() != before, "keys come one by one"
        terminal.send(key)
        assert terminal.wait() == (0 if key == "q" else 130)
        assert terminal.now_modes() == before
        assert LEAVES in terminal.written


def test_it_fits_a_small_terminal(ours: Grpcdns) -> None:
    for number in range(30):
        ours.ask(f"no-such-service-with-a-long-name-{number}.default.svc.cluster.local.")
    with top(ours, width=60, height=20) as terminal:
        wait_until(lambda: "q quits" in terminal.screen(), "it is drawn")
        lines = terminal.screen().rstrip("\n").split("\n")
    assert len(lines) == 20
    assert max(len(line) for line in lines) <= 60
    assert lines[-1].strip() == "q quits"


def test_a_serve_that_ends_is_reported_and_found_again(tmp_path: Path) -> None:
    listen = (f"unix://{tmp_path}/0.sock",)
    options = ("--manifests", EXAMPLES, "--upstream", "none")
    with Grpcdns(*options, listen=listen) as first:
        terminal = top(first)
        wait_until(lambda: "ready" in terminal.screen(), "it is drawn")
    with terminal:
        wait_until(lambda: "no answer, the figures are from" in terminal.screen(), "it is gone")
        with Grpcdns(*options, listen=listen):
            wait_until(lambda: "no answer" not in terminal.screen(), "it is back", timeout=30.0)
            terminal.send("q")
            assert terminal.wait() == 0


@pytest.mark.parametrize("words", [["--once"], []], ids=" ".join)
def test_a_pipe_gets_it_once_and_plain(ours: Grpcdns, words: list[str]) -> None:
    ours.ask(WEB)
    command = [*COMMAND, "--server", ours.listen[0], *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert f"\nAsked most\n1  {WEB}  A\n" in done.stdout
    assert f"unix://{ours.folder}/1.sock\n" in done.stdout, "nothing is cut"


def test_once_on_a_terminal_draws_no_screen(ours: Grpcdns) -> None:
    with top(ours, "--once") as terminal:
        assert terminal.wait() == 0
        assert "ready" in terminal.written
        assert "1049" not in terminal.written


def test_without_server_the_only_serve_is_taken(
    ours: Grpcdns, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = [
        folder
        for folder in attached._folders()
        if (folder / "config.json").exists()
        and ours.listen[0] in (folder / "config.json").read_text()
    ]
    monkeypatch.setattr(attached, "_folders", lambda: iter(folders))
    assert main(["top"]) == 0
    assert str(ours.folder) in capsys.readouterr().out
    monkeypatch.setattr(attached, "_folders", lambda: iter(folders * 2))
    with pytest.raises(NotDone, match="several run here: give --server"):
        attached.find_only()
    monkeypatch.setattr(attached, "_folders", lambda: iter([]))
    assert main(["top"]) == 1
    assert "give --server" in capsys.readouterr().err
