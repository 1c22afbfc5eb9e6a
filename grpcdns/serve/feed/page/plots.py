"""Small plots of the last quarter of an hour, as SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from grpcdns.serve.feed.history import EVERY, POINTS
from grpcdns.serve.feed.page.markup import Markup, duration, h
from grpcdns.serve.status import Point

_WIDTH, _HEIGHT = 300, 72
_WINDOW: Final = EVERY * POINTS
_GAP: Final = 2.5 * EVERY
"""Seconds without a point that break a line."""
_FAILURES: Final = ("NXDOMAIN", "REFUSED", "SERVFAIL")

Number = Callable[[float], str]


class Line(NamedTuple):
    """A line of a plot: its name, and its value at each point, None for none."""

    name: str
    values: Sequence[float | None]


def plots(points: Sequence[Point], now: float) -> Markup:
    """Queries, failures and latency."""
    rates = [Line("queries", [_rate(one, one.queries) for one in points])]
    failures = [
        Line(rcode, [_rate(one, one.rcodes.get(rcode, 0)) for one in points]) for rcode in _FAILURES
    ]
    latency = [Line("p50", [p.p50 for p in points]), Line("p99", [p.p99 for p in points])]
    at = [one.at + one.seconds for one in points]
    return h(
        "div",
        _plot("Queries a second", rates, at, now, _number),
        _plot("Failures a second", failures, at, now, _number),
        _plot("Latency", latency, at, now, duration),
        class_="plots",
    )


def _rate(point: Point, count: int) -> float:
    return count / point.seconds if point.seconds else 0.0


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _plot(
    title: str, lines: Sequence[Line], at: Sequence[float], now: float, show: Number
) -> Markup:
    highest = max((value for line in lines for value in line.values if value), default=0.0)
    words = []
    for line in lines:
        known = [value for value in line.values if value is not None]
        latest = show(known[-1]) if known else "-"
        words.append(f"{line.name} {latest} (highest {show(max(known, default=0.0))})")
    drawn = [
        h("polyline", points=piece, class_=f"line line-{number}")
        for number, line in enumerate(lines)
        for piece in _pieces(line, at, now, highest or 1.0)
    ]
    label = f"{title} in the last 15 minutes: {'; '.join(words)}"
    picture = h(
        "svg",
        h("line", x1=0, x2=_WIDTH, y1=_HEIGHT - 1, y2=_HEIGHT - 1, class_="axis"),
        drawn,
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
    )
    legend = h(
        "ul",
        [
            h("li", h("span", class_=f"key key-{number}", aria_hidden="true"), text)
            for number, text in enumerate(words)
        ],
        class_="legend",
    )
    return h("figure", h("figcaption", title), picture, legend)


def _pieces(line: Line, at: Sequence[float], now: float, highest: float) -> list[str]:
    """The points of each unbroken piece of a line."""
    pieces: list[list[str]] = [[]]
    last = 0.0
    for when, value in zip(at, line.values, strict=True):
        if value is None or (last and when - last > _GAP):
            pieces.append([])
        if value is not None:
            x = _WIDTH * (1 - (now - when) / _WINDOW)
            y = (_HEIGHT - 2) * (1 - value / highest) + 1
            if x >= 0:
                pieces[-1].append(f"{x:.1f},{y:.1f}")
        last = when
    return [" ".join(piece) for piece in pieces if piece]
