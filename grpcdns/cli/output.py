"""What commands print: a document for programs, or text for people.

    output.add_arguments(parser)                      --output text|json|yaml, --json
    output.emit(args, document, lambda out: ...)      one or the other

A document is one of `grpcdns.cli.documents`, complete before its first octet is written. Text has
headings, aligned rows, colours on a terminal and none with NO_COLOR. No line is wrapped or cut, so
that it can be copied and searched.

Beware: `serve` imports this, too. Rich and YAML are loaded by what uses them.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from rich.console import Console

TEXT: Final = "text"
JSON: Final = "json"
YAML: Final = "yaml"
FORMATS: Final = (TEXT, JSON, YAML)

Cell = str | tuple[str, str]
"""Text, or text and its style."""


class NotWritten(Exception):
    """stdout does not take what is printed: why, as a full disk."""


def add_arguments(parser: argparse.ArgumentParser, *, json: bool = True) -> None:
    """``--output``; with ``json`` also its short form ``--json``."""
    parser.add_argument(
        "--output",
        metavar="|".join(FORMATS),
        choices=FORMATS,
        default=TEXT,
        help="how to print [text]",
    )
    if json:
        parser.add_argument(
            "--json",
            dest="output",
            action="store_const",
            const=JSON,
            help="short for --output json",
        )


def asked(words: Sequence[str]) -> str:
    """The format that a command line asks for, whatever else is wrong with it."""
    found = TEXT
    for word, after in zip(words, [*words[1:], ""], strict=True):
        flag, equals, value = word.partition("=")
        if word == "--json":
            found = JSON
        elif flag == "--output":
            value = value if equals else after
            found = value if value in FORMATS else found
    return found


def emit(args: argparse.Namespace, document: Any, show: Callable[[Output], None]) -> None:
    """Print ``document`` as ``--output`` says; for text, ``show`` prints it.

    Raises `NotWritten` and BrokenPipeError.
    """
    if args.output != TEXT:
        write(as_text(document, args.output))
        return
    with _written():
        show(Output())
        sys.stdout.flush()


def as_text(document: Any, form: str) -> str:
    """A document as one line of JSON, or as YAML. Both in ASCII: names can hold any octets."""
    plain = msgspec.to_builtins(document)
    if form == JSON:
        import json

        return json.dumps(plain) + "\n"
    return _yaml(plain)


def write(text: str) -> None:
    """Write to stdout, and out of this process. Raises `NotWritten` and BrokenPipeError."""
    with _written():
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NotWritten(error.strerror or str(error)) from error


class Output:
    """Prints to stdout, or to ``console``."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console

    @property
    def console(self) -> Console:
        """Made when the first line is printed: rich takes as long to load as a whole query."""
        if self._console is None:
            self._console = new_console()
        return self._console

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """One line of cells."""
        from rich.text import Text

        line = Text(" " * indent)
        for cell in cells:
            text, style = (cell, "") if isinstance(cell, str) else cell
            line.append(printable(text), style)
        self.console.print(line, soft_wrap=True)

    def heading(self, text: str, style: str = "bold") -> None:
        """An empty line and the heading."""
        self.console.print()
        self.line((text, style))

    def rows(self, rows: Iterable[Sequence[Cell]], indent: int = 2) -> None:
        """Rows of cells, aligned in columns; the last column has any width."""
        for cells in aligned(rows):
            self.line(*cells, indent=indent)


def aligned(rows: Iterable[Sequence[Cell]]) -> list[list[Cell]]:
    """The cells of each row with blanks between them, so that columns begin at the same place."""
    table = [list(row) for row in rows]
    widths: dict[int, int] = {}
    for row in table:
        for at, cell in enumerate(row[:-1]):
            widths[at] = max(widths.get(at, 0), len(_text(cell)))
    lines = []
    for row in table:
        cells: list[Cell] = []
        for at, cell in enumerate(row):
            last = at == len(row) - 1
            pad = "" if last else " " * (widths[at] - len(_text(cell)) + 2)
            cells += [cell, pad]
        while cells and not _text(cells[-1]).strip():
            cells.pop()
        lines.append(cells)
    return lines


def new_console(*, stderr: bool = False, **options: Any) -> Console:
    """A console that prints text as it is. NO_COLOR takes bold and dim away, too."""
    from rich.console import Console

    return Console(
        stderr=stderr,
        highlight=False,
        markup=False,
        emoji=False,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        **options,
    )


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def ago(seconds: float) -> str:
    return "just now" if seconds < 1 else f"{span(seconds)} ago"


def span(seconds: float) -> str:
    """A span of time in its largest fitting unit."""
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word}"
    return f"{max(0.0, seconds):.0f} s"


def printable(text: str) -> str:
    """The text without control characters, which would act on the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


def _text(cell: Cell) -> str:
    return printable(cell if isinstance(cell, str) else cell[0])


def _yaml(plain: Any) -> str:
    """YAML without aliases; a text of several lines, such as a Corefile, as a block."""
    import yaml

    def dump(base: type[yaml.SafeDumper] | type[yaml.CSafeDumper]) -> str:
        dumper: Any = type("Dumper", (base,), {"ignore_aliases": lambda *_: True})
        dumper.add_representer(str, text)
        how: Any = {"sort_keys": False, "allow_unicode": False, "width": 1 << 20}
        return str(yaml.dump(plain, Dumper=dumper, **how))

    def text(dumper: Any, value: str) -> Any:
        style = "|" if "\n" in value else "'" if _is_number(value) else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    try:
        return dump(yaml.CSafeDumper)
    except UnicodeEncodeError:  # the name of a file that is not UTF-8
        return dump(yaml.SafeDumper)


def _is_number(text: str) -> bool:
    """Whether a reader of YAML 1.2 takes the text for a number: PyYAML quotes those of 1.1."""
    try:
        float(text)
    except ValueError:
        return text[:2] in ("0o", "0x")
    return True
