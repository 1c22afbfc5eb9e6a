"""Completion scripts, used by the shells themselves."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from grpcdns.cli import COMMANDS, main

ROWS = [
    ("", [*COMMANDS, "--help", "--version"]),
    ("ser", ["serve"]),
    ("serve --api-", ["--api-qps", "--api-burst", "--api-max-inflight"]),
    ("serve --pods ", ["disabled", "insecure", "verified"]),
    ("serve --log-format j", ["json"]),
    ("check --an", ["--any"]),
]  # fmt: skip


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize(("typed", "offered"), ROWS, ids=[row[0] or "nothing" for row in ROWS])
def test_bash(typed: str, offered: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    words = ["grpcdns", *typed.split(" ")]
    asked = f"""
COMP_WORDS=({" ".join(word or "''" for word in words)}); COMP_CWORD={len(words) - 1}
_grpcdns; printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    bash = shutil.which("bash")
    assert bash, "the tests need bash"
    run = subprocess.run(
        [bash, "--norc", "-euc", script("bash", capsys) + asked],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.split() == offered


def test_zsh_uses_the_script_of_bash(capsys: pytest.CaptureFixture[str]) -> None:
    assert script("zsh", capsys).endswith(script("bash", capsys))


def test_fish_has_a_line_for_every_command_and_flag(capsys: pytest.CaptureFixture[str]) -> None:
    lines = script("fish", capsys).splitlines()
    assert all(any(f" -a {name} " in line for line in lines) for name in COMMANDS)
    assert "complete -c grpcdns -n '__fish_seen_subcommand_from serve' -l log-format -x " in (
        "\n".join(lines)
    )
