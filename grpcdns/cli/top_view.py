"""What ``grpcdns top`` shows of a `Status`: sections of rows, for a screen and for a pipe alike.

May live here: words and figures. No terminal, no clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from grpcdns.cli.output import Cell, ago, span
from grpcdns.serve.status import AskedName, ObjectChange, Point, Process, Status, VainName

BARS: Final = "▁▂▃▄▅▆▇█"
PLAIN_BARS: Final = "_.-=+*%#"
"""For a terminal without UTF-8."""
MINUTES: Final = 15
_STATES: Final = {
    "running": "green",
    "serving": "green",
    "not serving": "bold yellow",
    "silent": "bold red",
    "down": "bold red",
}
_API: Final = {"up": "green", "starting": "yellow", "restored": "bold yellow", "lost": "bold red"}
_RCODES: Final = {"NOERROR": "green", "NXDOMAIN": "yellow", "NODATA": "yellow"}


class Section(NamedTuple):
    """A heading ("": none) and its rows. ``lasting``: how many are shown whatever room there is;
    the others are a list, the most important first."""

    title: str
    rows: list[list[Cell]]
    lasting: int = 0


def head_of(now: Status) -> list[list[Cell]]:
    """Two lines: whether all is well, and of how much."""
    api = now.api
    heard = "" if api.heard is None else f", last heard {ago(api.heard)}"
    ready: Cell = ("ready", "bold green") if now.ready else ("not ready", "bold red")
    objects = ", ".join(f"{one.name} {one.objects:,}" for one in now.kinds)
    state: Cell = (api.state, _API.get(api.state, "bold red"))
    return [
        [ready, f"  grpcdns {now.version}  API ", state, f" ({api.source}{heard})"],
        [objects],
    ]


def sections_of(now: Status, before: Status | None, bars: str = BARS) -> Iterator[Section]:
    """All of it. ``before``: an earlier Status, for figures per second."""
    if now.problems:
        problems: list[list[Cell]] = [[(line, "bold red")] for line in now.problems]
        yield Section("Problems", problems, len(problems))
    yield _queries(now, before, bars)
    yield _processes(now, before)
    yield _list("Asked in vain", _vain(now.names.vain))
    yield _list("Asked most", _asked(now.names.asked))
    yield _list("Changed lately", _changes(now.changes, now.at))


def _list(title: str, rows: Iterable[list[Cell]]) -> Section:
    found = list(rows)
    return Section(title if found else f"{title}: nothing yet", found)


# -- queries


def rate_of(now: Status, before: Status | None) -> float | None:
    """Queries a second of all workers, or None if that is not known yet."""
    seconds = now.at - before.at if before is not None else 0.0
    if before is not None and seconds > 0.0:
        earlier = {worker.name: worker.queries for worker in before.workers if worker.queries}
        more = (
            worker.queries - earlier[worker.name]
            for worker in now.workers
            if worker.queries and worker.name in earlier
        )
        return sum(max(0, count) for count in more) / seconds
    last = now.history[-1] if now.history else None
    return last.queries / last.seconds if last is not None and last.seconds else None


def _queries(now: Status, before: Status | None, bars: str) -> Section:
    rate = rate_of(now, before)
    last = next((point for point in reversed(now.history) if point.queries), None)
    rcodes: Counter[str] = Counter()
    for point in now.history:
        rcodes.update(point.rcodes)
    replies = ", ".join(f"{rcode} {count:,}" for rcode, count in rcodes.most_common())
    hits = sum(worker.memo_hits for worker in now.workers)
    known = hits + sum(worker.memo_misses for worker in now.workers)
    lost = sum(worker.shed + worker.unavailable for worker in now.workers)
    memory = f"{hits / known:.0%} of {known:,} from memory" if known else "none from memory yet"
    rows: list[list[Cell]] = [
        ["now", "rate not known yet" if rate is None else f"{rate:,.0f} a second", _latency(last)],
        [f"{MINUTES} min", (sparkline(now.history, bars) or "nothing yet", "cyan")],
        ["replies", f"{replies or 'none yet'}; {memory}"],
    ]
    if lost:
        rows.append(["", (f"{lost:,} calls got UNAVAILABLE", "bold yellow")])
    return Section("Queries", rows, len(rows))


def _latency(point: Point | None) -> str:
    if point is None or point.p50 is None or point.p99 is None:
        return "latency not known yet"
    return f"half within {duration(point.p50)}, 99 % within {duration(point.p99)}"


def sparkline(points: Sequence[Point], bars: str) -> str:
    """A bar for each two points, the highest as high as possible, and the rate it stands for."""
    pairs = [points[max(0, at - 2) : at] for at in range(len(points), 0, -2)][::-1]
    spans = ((sum(one.queries for one in pair), sum(one.seconds for one in pair)) for pair in pairs)
    rates = [queries / seconds if seconds else 0.0 for queries, seconds in spans]
    most = max(rates, default=0.0)
    if not rates:
        return ""
    steps = len(bars) - 1
    drawn = "".join(bars[round(rate / most * steps) if most else 0] for rate in rates)
    return f"{drawn} up to {most:,.0f} a second"


# -- health


def _processes(now: Status, before: Status | None) -> Section:
    earlier = {one.name: one for one in before.processes} if before is not None else {}
    seconds = now.at - before.at if before is not None else 0.0
    addresses = {worker.name: worker.address for worker in now.workers}
    titles = _titles("Processes", "state", "pid", "restarts", "up", "CPU", "memory", "")
    rows: list[list[Cell]] = [
        [
            one.name,
            (one.state, _STATES.get(one.state, "")),
            str(one.pid or "-"),
            (str(one.restarts), "bold yellow" if one.restarts else ""),
            span(now.at - one.since) if one.pid and one.since else "-",
            _cpu(one, earlier.get(one.name), seconds),
            f"{one.memory / 1e6:,.0f} MB" if one.memory else "-",
            addresses.get(one.name, ""),
        ]
        for one in now.processes
    ]
    return Section("", [titles, *rows], len(rows) + 1)


def _cpu(now: Process, before: Process | None, seconds: float) -> str:
    if before is None or before.pid != now.pid or seconds <= 0.0:
        return "-"
    return f"{max(0.0, now.cpu - before.cpu) / seconds:.0%}"


# -- what happened


def _changes(changes: Iterable[ObjectChange], now: float) -> Iterator[list[Cell]]:
    for change in changes:
        yield [
            ago(now - change.at),
            change.kind,
            change.key,
            (change.what, "red" if change.what == "deleted" else ""),
            change.detail or change.after or change.before,
            ", ".join(
                one.how if one.seconds is None else duration(one.seconds) for one in change.workers
            ),
        ]


def _asked(names: Iterable[AskedName]) -> Iterator[list[Cell]]:
    for one in names:
        yield [f"{one.count:,}", one.name, one.type]


def _vain(names: Iterable[VainName]) -> Iterator[list[Cell]]:
    """The most asked of all outcomes; ``did you mean`` is what explain suggests."""
    for one in sorted(names, key=lambda name: -name.count):
        meant = f"; did you mean {one.suggestion}?" if one.suggestion else ""
        yield [
            f"{one.count:,}",
            one.name,
            one.type,
            (one.outcome, _RCODES.get(one.outcome, "red")),
            f"{one.reason}{meant}",
        ]


# -- words


def _titles(*words: str) -> list[Cell]:
    return [(words[0], "bold"), *((word, "dim") for word in words[1:])]


def duration(seconds: float) -> str:
    """In its fitting unit."""
    for size, word in ((1.0, "s"), (1e-3, "ms")):
        if seconds >= size:
            return f"{seconds / size:.3g} {word}"
    return f"{seconds * 1e6:.0f} us"
