"""The command line: ``grpcdns COMMAND``. Each command is one module, imported when it is called.

A command's module has ``add_arguments(parser)`` and ``run(args) -> int`` (the exit code). Its
docstring is the text of ``--help`` and ends with examples. Exit codes: 0 success, 1 failure, 2 a
mistake in the command line or the options. A failure is one line on stderr; with ``--output json``
or ``yaml``, stdout is then the document ``{"error": ...}``, never a part of another one.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import Final, NoReturn, Protocol, cast

from grpcdns import __version__
from grpcdns.cli import output
from grpcdns.config.load import unknown
from grpcdns.config.options import UserError

COMMANDS: Final = {
    "serve": "answer CoreDNS's grpc plugin",
    "query": "query a server over gRPC and print the reply as dig does",
    "check": "check the health of servers, for probes",
    "top": "watch a running serve in a terminal",
    "explain": "explain why a name gets its answer",
    "compare": "query both DNS servers for every record and show the differences",
    "zone": "print the cluster's records as a zone file",
    "corefile": "write a Corefile for this cluster, translate or check one",
    "guard": "show what --guard holds, or let go",
    "preflight": "check whether a cluster has all that serve needs",
    "completion": "print a completion script for bash, zsh or fish",
}
"""Command -> what it does; its module is ``grpcdns.cli.<command>``."""


class NotDone(Exception):
    """The command failed: why, in one line. Exit code 1."""


class Command(Protocol):
    """The module of a command."""

    __doc__: str | None

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def run(args: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """argparse, but a mistake is a ``UserError``, and options cannot be abbreviated."""

    def __init__(self, prog: str, description: str | None = None) -> None:
        super().__init__(
            prog=prog,
            description=description,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message.removeprefix('argument ')} (see {self.prog} --help)")

    def read(self, argv: Sequence[str]) -> argparse.Namespace:
        args, rest = self.parse_known_args(argv)
        if rest and rest[0].startswith("-"):
            known = [flag for action in self._actions for flag in action.option_strings]
            raise unknown("unknown option", rest[0].partition("=")[0], known)
        if rest:
            raise UserError(f"one argument too many: {rest[0]} (see {self.prog} --help)")
        return args


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line; returns the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    fail: Callable[[str], None] = _fail
    if argv is None and words[:1] == ["serve"]:  # the process is ours, and its stderr is a log
        from grpcdns.cli.serve import start_log

        fail = start_log(words)
    try:
        return _run(words, fail)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _discard_output()  # its reader is gone
        return 141
    except output.NotWritten as error:
        _discard_output()
        fail(f"stdout: {error}")
        return 1


def _run(words: list[str], fail: Callable[[str], None]) -> int:
    """The exit code; a failure is reported."""
    try:
        return _dispatch(words)
    except (UserError, NotDone) as error:
        fail(str(error))
        form = output.asked(words)
        if form != output.TEXT:
            output.write(output.as_text({"error": str(error)}, form))
        return 2 if isinstance(error, UserError) else 1


def _discard_output() -> None:
    """Leave nothing for the interpreter to flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(message: str) -> None:
    print(f"grpcdns: {message}", file=sys.stderr)


def command(name: str) -> Command:
    """The module of a command."""
    return cast(Command, importlib.import_module(f"grpcdns.cli.{name}"))


def parser_of(name: str) -> Parser:
    """The parser of a command's arguments."""
    module = command(name)
    parser = Parser(f"grpcdns {name}", module.__doc__)
    module.add_arguments(parser)
    words = [_usage_of(action) for action in parser._actions if not action.option_strings]
    needed = [
        _usage_of(action) for action in parser._actions if action.required and action.option_strings
    ]
    parser.usage = " ".join([parser.prog, *words, *needed, "[OPTION...]"])
    return parser


def _usage_of(action: argparse.Action) -> str:
    if action.option_strings:
        return f"{action.option_strings[0]} {action.metavar}"
    return f"[{action.metavar}]" if action.nargs == "?" else str(action.metavar)


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if first in ("-V", "--version"):
        from grpcdns.revision import code

        print(f"grpcdns {__version__} ({code()})")
        return 0
    if first not in COMMANDS:
        raise UserError(f"{unknown('unknown command', first, list(COMMANDS))}; see grpcdns --help")
    return command(first).run(parser_of(first).read(words[1:]))


def _usage() -> str:
    width = max(map(len, COMMANDS))
    return "\n".join(
        [
            "grpcdns: the Kubernetes backend behind CoreDNS's grpc plugin",
            "",
            "usage: grpcdns COMMAND [OPTION...]",
            "",
            *(f"  {name:<{width}}  {summary}" for name, summary in COMMANDS.items()),
            "",
            "grpcdns COMMAND --help: its options, with examples; grpcdns --version: the version.",
        ]
    )
