"""The command line: ``grpcdns COMMAND``. One module a command, imported when it is called.

A command's module has ``add_arguments(parser)`` and ``run(args) -> int`` (the exit code), and its
docstring's first line is its summary's long form. Exit codes: 0 as asked, 1 it could not be done, 2
what was asked makes no sense (``UserError``: one line on stderr).
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Final, NoReturn, Protocol, cast

from grpcdns import __version__
from grpcdns.config.load import unknown
from grpcdns.config.options import UserError

COMMANDS: Final = {
    "serve": "answer CoreDNS's grpc plugin",
    "query": "ask a server over gRPC, print what dig prints",
    "check": "ask a server for its health, for probes",
    "explain": "why a name gets the answer it gets",
    "compare": "ask the DNS in use and grpcdns for every record, show what differs",
    "zone": "the cluster's records as a zone file",
    "corefile": "write a Corefile for this cluster, or check one",
    "preflight": "whether a cluster has all that serve needs",
    "completion": "a completion script for bash, zsh or fish",
}
"""Command -> what it does; its module is ``grpcdns.cli.<command>``."""


class NotDone(Exception):
    """What was asked could not be done: why, in one line. Exit code 1."""


class Command(Protocol):
    """What each command's module has."""

    __doc__: str | None

    @staticmethod
    def add_arguments(parser: argparse.ArgumentParser) -> None: ...

    @staticmethod
    def run(args: argparse.Namespace) -> int: ...


class Parser(argparse.ArgumentParser):
    """argparse, except that a mistake is a ``UserError`` and an option is never abbreviated."""

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
    """Runs one command line; the process's exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _dispatch(words)
    except UserError as error:
        print(f"grpcdns: {error}", file=sys.stderr)
        return 2
    except NotDone as error:
        print(f"grpcdns: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; leave nothing for the interpreter to flush.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


def command(name: str) -> Command:
    """The module of a command."""
    return cast(Command, importlib.import_module(f"grpcdns.cli.{name}"))


def parser_of(name: str) -> Parser:
    """The parser of a command's arguments."""
    module = command(name)
    parser = Parser(f"grpcdns {name}", module.__doc__)
    module.add_arguments(parser)
    words = [str(a.metavar) for a in parser._actions if not a.option_strings]
    parser.usage = " ".join([parser.prog, *words, "[OPTION...]"])
    return parser


def _dispatch(words: list[str]) -> int:
    first = words[0] if words else "--help"
    if first in ("-h", "--help", "help"):
        print(_usage())
        return 0
    if first in ("-V", "--version"):
        print(f"grpcdns {__version__}")
        return 0
    if first not in COMMANDS:
        raise unknown("unknown command", first, list(COMMANDS))
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
            "grpcdns COMMAND --help says more; grpcdns --version, which one this is.",
        ]
    )
