"""The figures of ``grpcdns top``."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from grpcdns.cli.output import span
from grpcdns.cli.top import _screen
from grpcdns.cli.top_view import BARS, PLAIN_BARS, duration, rate_of, sections_of, sparkline
from grpcdns.serve.status import Api, Names, ObjectChange, Point, Process, Status, VainName, Worker


def worker(name: str, queries: int) -> Worker:
    return Worker(
        name=name, address=f"unix:///{name}", serving=True, synced=True, restored=False,
        queries=queries, rcodes={}, memo_hits=3, memo_misses=1, memo_entries=1, shed=0,
        unavailable=0, serial=0, probe=0.001,
    )  # fmt: skip


def point(queries: int, seconds: float = 10.0, **more: Any) -> Point:
    fields: dict[str, Any] = {"rcodes": {"NOERROR": queries}, "p50": 0.0001, "p99": 0.001, **more}
    return Point(at=0.0, seconds=seconds, queries=queries, **fields)


def status(at: float, *queries: int, **more: Any) -> Status:
    fields: dict[str, Any] = {
        "problems": (), "processes": (), "kinds": (), "history": (), "changes": (),
        "names": Names(since=0.0, asked=(), vain=(), errors={}), **more,
    }  # fmt: skip
    workers = tuple(worker(f"worker-{number}", count) for number, count in enumerate(queries))
    api = Api(source="here", state="up", heard=0.0, lost_since=0.0, restored=0.0, guard="",
              held_services=0)  # fmt: skip
    return Status(at=at, version="1", revision="", ready=True, workers=workers, api=api, **fields)


def text(now: Status, before: Status | None = None) -> str:
    lines = []
    for section in sections_of(now, before):
        lines.append(section.title)
        lines += [
            "|".join(cell if isinstance(cell, str) else cell[0] for cell in row)
            for row in section.rows
        ]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("now", "before", "rate"),
    [
        (status(12.0, 300, 100), status(10.0, 200, 100), 50.0),
        (status(12.0, 300, 5), status(10.0, 200, 100), 50.0),
        (status(12.0, 300, 0), status(10.0, 200, 100), 50.0),
        (status(12.0, 300, 900), status(10.0, 200, 0), 50.0),
        (status(10.0, 200), status(10.0, 200), None),
        (status(10.0, 200), None, None),
        (status(10.0, 200, history=(point(5), point(30))), None, 3.0),
    ],
    ids=["two", "a new process", "silent now", "silent before", "the same", "one", "history"],
)
def test_rate(now: Status, before: Status | None, rate: float | None) -> None:
    assert rate_of(now, before) == rate


def test_a_bar_for_two_points() -> None:
    points = [point(count) for count in (0, 20, 40, 40, 80, 80)]
    assert sparkline(points, BARS) == "▂▅█ up to 8 a second"
    assert sparkline(points[1:], BARS) == "▃▅█ up to 8 a second", "the latest two are together"
    assert sparkline([point(0)], PLAIN_BARS) == "_ up to 0 a second"
    assert sparkline([], BARS) == ""


def test_cpu_is_of_the_same_process() -> None:
    def process(cpu: float, pid: int = 7) -> Process:
        return Process(name="feed", state="running", pid=pid, restarts=0, since=1.0, cpu=cpu,
                       memory=2_000_000)  # fmt: skip

    now, before = status(12.0, processes=(process(3.0),)), status(10.0, processes=(process(2.0),))
    assert "feed|running|7|0|11 s|50%|2 MB|" in text(now, before)
    other = status(10.0, processes=(process(2.0, pid=8),))
    assert "feed|running|7|0|11 s|-|2 MB|" in text(now, other)


def test_names_in_vain_have_reasons() -> None:
    def vain(name: str, count: int, **more: str) -> VainName:
        fields = {"reason": "no such Service", "suggestion": "", **more}
        return VainName(name=name, type="A", outcome="NXDOMAIN", count=count, **fields)

    names = Names(
        since=0.0, asked=(), errors={}, vain=(vain("a.", 1), vain("b.", 2, suggestion="c."))
    )
    assert (
        "Asked in vain\n"
        "2|b.|A|NXDOMAIN|no such Service; did you mean c.?\n"
        "1|a.|A|NXDOMAIN|no such Service\n" in text(status(1.0, names=names))
    )


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (200, 60)], ids=str)
def test_a_screen_fits_and_has_no_control_characters(size: tuple[int, int]) -> None:
    hostile = "\x1b[2J\x07\u202e<script>"
    changes = [
        ObjectChange(at=1.0, kind="Service", key=f"{hostile}-{at}", what="added", before="",
                     after=hostile, detail="", workers=())
        for at in range(100)
    ]  # fmt: skip
    now = status(2.0, 1, problems=(hostile,), changes=tuple(changes))
    console = Console(width=size[0], height=size[1], file=io.StringIO())
    lines = _screen(console, now, None, hostile).plain.split("\n")
    assert len(lines) <= size[1]
    assert max(map(cell_len, lines)) <= size[0]
    assert all(line.isprintable() for line in lines)
    if size[1] > 24:
        assert len(lines) == size[1], "the list takes what room there is"


def test_words() -> None:
    assert [duration(s) for s in (0.00002, 0.0015, 2.5)] == ["20 us", "1.5 ms", "2.5 s"]
    assert [span(s) for s in (5, 150, 7200, 200_000)] == ["5 s", "2 min", "2 h", "2 d"]
