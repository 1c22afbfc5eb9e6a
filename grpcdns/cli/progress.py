"""How far a command has come, on stderr, where it takes more than two seconds.

    with Progress("comparing", args.output, total=52) as progress:
        progress.advance()

On a terminal it is a bar that is gone at the end. Elsewhere it is a line every five seconds, and
nothing with ``--output json`` or ``yaml``: a program reads then.
"""

from __future__ import annotations

import sys
import threading
from typing import Final, Self

from grpcdns.cli.output import TEXT, new_console, printable

FIRST: Final = 2.0
"""Seconds before anything is shown; a bar comes sooner, as it leaves nothing behind."""
FIRST_BAR: Final = 0.5
EVERY: Final = 5.0
"""Seconds between two lines."""
_REDRAW: Final = 0.2


class Progress:
    """``what`` is done, ``total`` times (0: not known); ``form``: of --output."""

    def __init__(self, what: str, form: str, total: int = 0) -> None:
        self.what = what
        self.detail = ""
        """What is being done just now."""
        self.done = 0
        self.total = total
        self._form = form
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def advance(self) -> None:
        """One more is done."""
        self.done += 1

    def at(self, done: int, total: int, detail: str) -> None:
        """So many of so many are done; ``detail`` is next."""
        self.done, self.total, self.detail = done, total, detail

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def text(self) -> str:
        """As in a line."""
        count = f" {self.done:,}" if self.done or self.total else ""
        of = f" of {self.total:,}" if self.total else ""
        after = f": {printable(self.detail)}" if self.detail else ""
        return f"{self.what}{count}{of}{after}"

    def _run(self) -> None:
        if sys.stderr.isatty():
            self._draw()
        elif self._form == TEXT and not self._end.wait(FIRST):
            self._print()

    def _print(self) -> None:
        while True:
            print(f"grpcdns: {self.text()}", file=sys.stderr, flush=True)
            if self._end.wait(EVERY):
                return

    def _draw(self) -> None:
        if self._end.wait(FIRST_BAR):
            return
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        with Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[count]}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[detail]}"),
            console=new_console(stderr=True),
            transient=True,
        ) as bar:
            task = bar.add_task(self.what, total=None, count="", detail="")
            while not self._end.wait(_REDRAW):
                count = f"{self.done:,}/{self.total:,}" if self.total else f"{self.done or ''}"
                bar.update(
                    task,
                    total=self.total or None,
                    completed=self.done,
                    count=count,
                    detail=printable(self.detail),
                )
