"""What commands for people print: headings, aligned rows, colours on a terminal and plain text
where the output is piped. Nothing is wrapped or cut: lines can be copied and searched.
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
    """Prints to stdout; ``console`` can be another for tests."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(highlight=False, markup=False, emoji=False)

    def line(self, *cells: Cell, indent: int = 0) -> None:
        """Cells side by side."""
        line = Text(" " * indent)
        for cell in cells:
            text, style = (cell, "") if isinstance(cell, str) else cell
            line.append(_printable(text), style)
        self.console.print(line, soft_wrap=True)

    def heading(self, text: str, style: str = "bold") -> None:
        """An empty line, and the heading."""
        self.console.print()
        self.line((text, style))

    def rows(self, rows: Iterable[Sequence[Cell]], indent: int = 2) -> None:
        """Rows of cells in columns; the last column is as long as it likes."""
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
    """A value as one line of JSON, with non-ASCII escaped as it comes from hostile names."""
    import json

    print(json.dumps(msgspec.to_builtins(value)))


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"


def ago(seconds: float) -> str:
    """A span in the unit that one would say it in."""
    if seconds < 1:
        return "just now"
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {word} ago"
    return f"{seconds:.0f} s ago"


def _text(cell: Cell) -> str:
    return _printable(cell if isinstance(cell, str) else cell[0])


def _printable(text: str) -> str:
    """Control characters would act on the terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)
