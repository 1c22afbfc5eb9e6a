"""A real CoreDNS that starts many Corefiles one after another, and says why it does not.

    with Judge(folder) as judge:
        judge.starts(texts, environment)

`coredns judge` (tests/servers/coredns) runs CoreDNS's own start, listeners included, in a network
namespace without anything but a loopback. `runs` starts the program itself with one Corefile.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from harness.build import binary

AT_ONCE: Final = 200
"""Corefiles for one process: their listeners and goroutines end with it."""

NO_NAMESPACE: Final = 3


class Answer(NamedTuple):
    """``why``: CoreDNS's words, "" when it starts."""

    starts: bool
    why: str


def judge(texts: Sequence[str], environment: Mapping[str, str], folder: Path) -> list[Answer]:
    """An answer for each Corefile, which counts as a file in ``folder``."""
    answers: list[Answer] = []
    while len(answers) < len(texts):
        answers += _ask(texts[len(answers) :][:AT_ONCE], environment, folder)
    return answers


def _ask(texts: Sequence[str], environment: Mapping[str, str], folder: Path) -> Iterable[Answer]:
    """At least one answer: a Corefile at which the process dies counts as not starting."""
    questions = (
        {"corefile": text, "path": str(folder / "Corefile"), "env": environment} for text in texts
    )
    done = subprocess.run(
        [binary("coredns"), "judge"],
        input="".join(json.dumps(question) + "\n" for question in questions),
        capture_output=True,
        text=True,
        cwd=folder,
        env={},
    )
    if done.returncode == NO_NAMESPACE:
        pytest.skip(f"no network namespace here: {done.stderr.strip()}")
    answers = [Answer(**json.loads(line)) for line in done.stdout.splitlines()]
    if len(answers) < len(texts):
        answers.append(Answer(False, f"it died: {done.stderr.strip()[-500:]}"))
    return answers


def run(text: str, environment: Mapping[str, str], folder: Path) -> Answer:
    """The same of the program itself: it ends at once, or says its version and serves."""
    (folder / "Corefile").write_text(text, newline="")
    with subprocess.Popen(
        [binary("coredns"), "judge", "-conf", folder / "Corefile"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=dict(environment),
    ) as running:
        assert running.stdout is not None
        said = []
        for line in running.stdout:
            said.append(line)
            if re.match(r"CoreDNS-\d", line):
                running.kill()
                return Answer(True, "")
    return Answer(False, "".join(said))
