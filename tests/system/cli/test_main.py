"""The whole command line: help, mistakes, what each process imports."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from grpcdns import __version__
from grpcdns.cli import COMMANDS, main, parser_of
from grpcdns.revision import code

SCRIPT = Path(sys.executable).with_name("grpcdns")


class Wrong(NamedTuple):
    words: str
    line: str


WRONG = [
    Wrong("serv", "unknown command serv (did you mean serve?); see grpcdns --help"),
    Wrong("frobnicate", "unknown command frobnicate; see grpcdns --help"),
    Wrong("serve --zonez a", "unknown option --zonez (did you mean --zones?)"),
    Wrong("serve --zon=a", "unknown option --zon (did you mean --zones?)"),
    Wrong("serve --ttl", "--ttl: expected one argument (see grpcdns serve --help)"),
    Wrong("serve --ttl x", "--ttl: 'x' is not a whole number"),
    Wrong("serve --zonal maybe", "--zonal: 'maybe' is neither true nor false"),
    Wrong("serve extra", "one argument too many: extra (see grpcdns serve --help)"),
    Wrong("serve --config /none", "--config /none: No such file or directory"),
    Wrong("query", "the following arguments are required: NAME (see grpcdns query --help)"),
    Wrong("query a.b AAA", "unknown record type AAA (did you mean AAAA?)"),
    Wrong("query a..b", "a..b: label '' has 0 octets, not 1 to 63"),
    Wrong(r"query a\999.b", r"a\999.b: '\\999' is no escape: \X or \000 to \255"),
    Wrong("query -x a.b", "a.b: not an IP address"),
    Wrong("explain a..b", "a..b: label '' has 0 octets, not 1 to 63"),
    Wrong("explain -x a.b", "a.b: not an IP address"),
    Wrong("query a.b --server here", "--server: 'here' is neither unix:///path nor HOST:PORT"),
    Wrong(
        "query a.b --server http://h:53",
        "--server: 'http://h:53' is not HOST:PORT (without http://: h:53)",
    ),
    Wrong(
        "check --server 5301",
        "--server: '5301' is neither unix:///path nor HOST:PORT "
        "(127.0.0.1:5301; on all addresses :5301)",
    ),
    Wrong(
        "serve --metrics 9153",
        "--metrics: '9153' is not HOST:PORT (127.0.0.1:9153; on all addresses :9153)",
    ),
    Wrong(
        "serve --upstream foo",
        "--upstream: 'foo' is not an IP address with or without a port, as 10.0.0.1:53",
    ),
    Wrong("serve --listen :1 --listen unix:///a --listen :1", "--listen: [::]:1 is given twice"),
    Wrong("query a.b --timeout 5", "--timeout: '5' is not a duration such as 500ms, 5s or 1m30s"),
    Wrong("check --tls-ca /none", "--tls-ca /none: No such file or directory"),
    Wrong(
        "completion tcsh",
        "SHELL: invalid choice: 'tcsh' (choose from 'bash', 'zsh', 'fish') "
        "(see grpcdns completion --help)",
    ),
]


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.words)
def test_mistake_is_one_line_and_exit_code_2(
    case: Wrong, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(case.words.split()) == 2
    output = capsys.readouterr()
    assert output.err.replace("'", "") == f"grpcdns: {case.line}\n".replace("'", "")
    assert output.out == ""


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]], ids=str)
def test_help_names_every_command(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 0
    output = capsys.readouterr().out
    assert all(f"  {name} " in output for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: grpcdns {name} ")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_examples_that_work(name: str) -> None:
    parser = parser_of(name)
    _, _, examples = (parser.description or "").partition("Example")
    lines = [line.strip() for line in examples.splitlines()[1:] if line.strip()]
    assert lines, "no example"
    for line in lines:
        words = shlex.split(line.rpartition("|")[2])  # the last command of a pipe
        assert words[:2] == ["grpcdns", name]
        parser.read(words[2:])


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("query", "grpcdns query NAME [TYPE] [OPTION...]"),
        ("zone", "grpcdns zone [ZONE] [OPTION...]"),
        ("compare", "grpcdns compare --with ADDR [OPTION...]"),
        ("completion", "grpcdns completion SHELL [OPTION...]"),
        ("serve", "grpcdns serve [OPTION...]"),
    ],
)
def test_usage_says_what_is_needed(name: str, usage: str) -> None:
    assert parser_of(name).usage == usage


@pytest.mark.parametrize(
    "command", [[SCRIPT], [sys.executable, "-m", "grpcdns"]], ids=["script", "-m"]
)
def test_both_ways_to_call_it(command: list[str | Path]) -> None:
    run = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"grpcdns {__version__} ({code()})\n"


def test_print_config_shows_the_outcome(capsys: pytest.CaptureFixture[str]) -> None:
    words = "serve --print-config --listen unix:///a --listen unix:///b --zonal --pods=verified"
    assert main(words.split()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == 'listen = ["unix:///a", "unix:///b"]  # --listen'
    assert "zonal = true  # --zonal" in lines
    assert 'pods = "verified"  # --pods' in lines
    assert "ttl = 5  # default" in lines


def test_a_reader_that_leaves_early_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        command = [sys.executable, "-m", "grpcdns", "serve", "--print-config"]
        run = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE)
    assert run.stderr == b""


class Loads(NamedTuple):
    module: str
    forbidden: set[str]


RULES = {f"grpcdns.core.{name}" for name in ("answers.answer", "cluster.index")}
PROCESSES = [
    Loads("grpcdns.cli.check", {"kubernetes", "dnslib", "rich", "yaml", *RULES}),
    Loads("grpcdns.cli.query", {"kubernetes", "rich", "yaml", *RULES}),
    Loads("grpcdns.cli.serve", {"grpc", "kubernetes", "dnslib", "google", "rich", "yaml"}),
    Loads(
        "grpcdns.serve.supervisor.supervisor",
        {"grpc", "kubernetes", "dnslib", "google", "rich", "yaml", "asyncio", "argparse"},
    ),
    Loads("grpcdns.serve.feed.process", {"grpc", "dnslib", "google", "rich", "argparse"}),
    Loads(
        "grpcdns.serve.worker.process",
        {"kubernetes", "dnslib", "rich", "argparse", "yaml", "pydantic"},
    ),
]


@pytest.mark.parametrize("case", PROCESSES, ids=lambda case: case.module)
def test_what_a_process_loads(case: Loads) -> None:
    code = f"import sys, {case.module}; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(run.stdout.split()) & case.forbidden == set()
