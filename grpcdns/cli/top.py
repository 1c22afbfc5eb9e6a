"""Watch a running serve in a terminal: health, queries, rcodes, latency, what changed lately, the
names asked most and those asked in vain.

The data is that of the feed behind the worker at --server; without it, of the one serve that runs
here. This needs the user that grpcdns runs as, on the same machine or in the same container. Counts
are of queries that came to grpcdns: those that CoreDNS answers from its cache do not.

On a terminal it is refreshed each second, until q or Ctrl-C. With --once, in a pipe, and with
--output json or yaml it is printed once.

Exit code 0: printed, or ended with q; 1: no serve was found, or it gave no answer.

Examples:
    grpcdns top
    grpcdns top --once --server unix:///run/grpcdns/0.sock
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from grpcdns.cli import NotDone, attached, output, servers, top_view
from grpcdns.cli.output import Cell, Output, printable
from grpcdns.cli.top_view import Section
from grpcdns.serve.status import Status

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

EVERY: Final = 1.0
"""Seconds from one refresh to the next."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--server", metavar="ADDR", help="address of a worker [of the only serve]")
    parser.add_argument("--once", action="store_true", help="print once and exit")
    parser.add_argument("--timeout", metavar="DURATION", default="5s", help="for the data [5s]")
    output.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    seconds = servers.seconds(args)
    address = servers.address(args.server) if args.server else attached.find_only()
    status = attached.ask_status(address, seconds)
    live = args.output == output.TEXT and not args.once and sys.stdout.isatty()
    if live:
        _live(status, address, seconds)
    else:
        output.emit(args, status, lambda out: _show(out, status))
    return 0


# -- once


def _show(out: Output, status: Status) -> None:
    for line in top_view.head_of(status):
        out.line(*line)
    for section in top_view.sections_of(status, None, _bars(out.console)):
        out.line()
        if section.title:
            out.line((section.title, "bold"))
        out.rows(section.rows, indent=0)


# -- on a terminal


def _live(status: Status, address: str, seconds: float) -> None:
    from rich.live import Live

    console = output.new_console()
    before: Status | None = None
    lost = ""
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        due = time.monotonic()
        while True:
            live.update(_screen(console, status, before, lost), refresh=True)
            due = max(due + EVERY, time.monotonic())
            if pressed(due):
                return
            try:
                found = attached.ask_status(address, seconds)
            except NotDone as error:
                lost = str(error)
                continue
            lost = ""
            if found.at > status.at:
                before, status = status, found


def _screen(console: Console, status: Status, before: Status | None, lost: str) -> Text:
    """What fits on the terminal: of lists the first rows, of lines the beginning."""
    from rich.text import Text

    width, height = console.size
    lines = top_view.head_of(status)
    if lost:
        age = output.ago(time.time() - status.at)
        lines.append([(f"no answer, the figures are from {age}: {lost}", "bold red")])
    lines += _fitted(
        [*top_view.sections_of(status, before, _bars(console))], height - len(lines) - 1
    )
    text = Text(no_wrap=True)
    foot: list[Cell] = [("q quits", "dim")]
    for line in [*lines[: height - 1], foot]:
        one = Text()
        for cell in line:
            words, style = (cell, "") if isinstance(cell, str) else cell
            one.append(printable(words), style)
        one.truncate(width, overflow="ellipsis")
        text.append_text(one).append("\n")
    text.right_crop(1)
    return text


def _fitted(sections: list[Section], room: int) -> list[list[Cell]]:
    """The lines of all sections; the lists share the room that the rest leaves."""
    shown = [section.lasting for section in sections]
    room -= sum(1 + bool(one.title) + one.lasting for one in sections)
    while room > 0 and any(map(_has_more, sections, shown)):
        for at, section in enumerate(sections):
            if room > 0 and _has_more(section, shown[at]):
                shown[at] += 1
                room -= 1
    lines: list[list[Cell]] = []
    for section, count in zip(sections, shown, strict=True):
        lines.append([])
        if section.title:
            lines.append([(section.title, "bold")])
        lines += output.aligned(section.rows[:count])
    return lines


def _has_more(section: Section, shown: int) -> bool:
    return shown < len(section.rows)


def _bars(console: Console) -> str:
    return top_view.BARS if "utf" in console.encoding.lower() else top_view.PLAIN_BARS


@contextmanager
def _keys() -> Iterator[Any]:
    """Yields ``pressed(until)``: waits until then, or until q is pressed, which it returns."""
    import termios
    import tty

    if not sys.stdin.isatty():
        yield lambda until: time.sleep(max(0.0, until - time.monotonic()))
        return
    keyboard = sys.stdin.fileno()
    kept = termios.tcgetattr(keyboard)

    def pressed(until: float) -> bool:
        while (left := until - time.monotonic()) > 0.0:
            if select.select([keyboard], [], [], left)[0] and os.read(keyboard, 64)[:1] in b"qQ":
                return True
        return False

    tty.setcbreak(keyboard)
    try:
        yield pressed
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, kept)
