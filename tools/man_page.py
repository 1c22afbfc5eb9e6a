"""The man page of grpcdns, in the man macros of roff: docs/grpcdns.1, written by ``make docs``.

Made from the parsers that `--help` prints, so from the same table of options.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from typing import Final

from grpcdns.cli import COMMANDS, parser_of
from harness.paths import ROOT

PAGE: Final = ROOT / "docs" / "grpcdns.1"
_SEE: Final = "The documentation is in docs/ of the sources, and https://coredns.io/plugins/grpc/."


def page() -> str:
    lines = [
        '.TH GRPCDNS 1 "" "grpcdns" "User Commands"',
        ".SH NAME",
        r"grpcdns \- the Kubernetes backend behind CoreDNS's grpc plugin",
        ".SH SYNOPSIS",
        r".B grpcdns",
        r"\fICOMMAND\fR [\fIOPTION\fR...]",
        ".SH COMMANDS",
    ]
    for name, purpose in COMMANDS.items():
        lines += [".TP", f".B {name}", _text(purpose)]
    for name in COMMANDS:
        lines += _command(name)
    lines += [
        ".SH EXIT STATUS",
        "0: success. 1: failure. 2: a mistake in the command line or the options.",
        ".SH SEE ALSO",
        _text(_SEE),
    ]
    return "\n".join(lines) + "\n"


def _command(name: str) -> Iterator[str]:
    parser = parser_of(name)
    yield f".SH GRPCDNS {name.upper()}"
    for number, part in enumerate((parser.description or "").strip().split("\n\n")):
        if number:
            yield ".PP"
        if part.startswith("Examples:"):
            yield from ("Examples:", ".PP", ".nf", ".RS")
            yield from (_text(line.strip()) for line in part.splitlines()[1:])
            yield from (".RE", ".fi")
        else:
            yield _text(" ".join(part.split()))
    for group in parser._action_groups:
        # Those without help are of `--help` itself, or hidden from it.
        actions = [a for a in group._group_actions if a.help and a.help != argparse.SUPPRESS]
        if actions:
            yield f".SS {_text(group.title or '')}"
            for action in actions:
                yield from (".TP", _flags(action), _text(_help(action)))


def _flags(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    shown = f" \\fI{_text(value)}\\fR" if action.nargs != 0 else ""
    if not action.option_strings:
        return f"\\fI{_text(value)}\\fR"
    flags = ", ".join(f"\\fB{_text(flag)}\\fR" for flag in action.option_strings)
    return f"{flags}{shown}"


def _help(action: argparse.Action) -> str:
    text = (action.help or "").replace("%%", "%")
    return text.replace("%(default)s", str(action.default)).replace("%(prog)s", "grpcdns")


def _text(text: str) -> str:
    """Escaped for roff: nothing in it is a request or an escape."""
    escaped = re.sub(r"\\", r"\\e", text).replace("-", r"\-")
    return re.sub(r"^([.'])", r"\\&\1", escaped)
