"""Output for people: headings, aligned rows, colours on a terminal, plain text in a pipe.

Nothing is wrapped or cut, so that lines can be copied and searched.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.text import Text

Cell = str | tuple[str, str]
"""Text, or text and its style."""


class Output:
    """Prints to stdout, or to ``console``."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False, emoji=False)

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """One line of cells."""
        line = Text(" " * indent)
        for cell in cells:
            text, style = (cell, "") if isinstance(cell, str) else cell
            line.append(_printable(text), style)
        self.console.print(line, soft_wrap=True)

    def heading(self, text: str, style: str = "bold") -> None:
        """An empty line and the heading."""
        self.console.print()
        self.line((text, style))

    def rows(self, rows: Iterable[Sequence[Cell]], indent: int = 2) -> None:
        """Rows of cells, aligned in columns; the last column has any width."""
        table = [list(row) for row in rows]
        widths: dict[int, int] = {}
        for row in table:
            for at, cell in enumerate(row[:-1]):
                widths[at] = max(widths.get(at, 0), len(_text(cell)))
        for row in table:
            cells: list[Cell] = []
            for at, cell in enumerate(row):
                last = at == len(row) - 1
                pad = "" if last else " " * (widths[at] - len(_text(cell)) + 2)
                cells += [cell, pad]
            while not _text(cells[-1]).strip():
                cells.pop()
            self.line(*cells, indent=indent)


def print_json(value: Any) -> None:
    """A value as one line of JSON in ASCII: names can hold any octets."""
    import json

    print(json.dumps(msgspec.to_builtins(value)))


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def ago(seconds: float) -> str:
    """A span of time in its largest fitting unit."""
    if seconds < 1:
        return "just now"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word} ago"
    return f"{seconds:.0f} s ago"


def _text(cell: Cell) -> str:
    return _printable(cell if isinstance(cell, str) else cell[0])


def _printable(text: str) -> str:
    """The text without control characters, which would act on the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
