"""The points of the plots, from counters that grow, pause and begin again."""

from __future__ import annotations

import pytest

from grpcdns.histogram import Histogram, Sample
from grpcdns.serve.feed.history import POINTS, History, quantile


def samples(replies: dict[str, int], *seconds: float) -> list[Sample]:
    histogram = Histogram((0.001, 0.01, 0.1))
    for one in seconds:
        histogram.observe(one)
    return [
        *(("dns_responses_total", f'rcode="{rcode}"', count) for rcode, count in replies.items()),
        *histogram.samples("dns_request_duration_seconds"),
        ("memo_hits_total", "", 7.0),
    ]


def test_a_point_is_what_all_workers_have_counted_since() -> None:
    history = History()
    history.note(
        100.0, {"worker-0": samples({"NOERROR": 5}), "worker-1": samples({"NOERROR": 900})}
    )
    history.note(
        110.0,
        {
            "worker-0": samples({"NOERROR": 7, "NXDOMAIN": 1}, 0.005, 0.005, 0.005),
            "worker-1": samples({"NOERROR": 901}, 0.05),
        },
    )
    (point,) = history.points
    assert (point.at, point.seconds, point.queries) == (100.0, 10.0, 4)
    assert point.rcodes == {"NOERROR": 3, "NXDOMAIN": 1}
    assert (point.p50, point.p99) == (0.01, 0.1)


def test_counters_that_begin_again_are_new_queries() -> None:
    history = History()
    for at, count in ((0.5, 50), (10.0, 60), (20.0, 4)):
        history.note(at, {"worker-0": samples({"NOERROR": count})})
    assert [point.queries for point in history.points] == [10, 4]


def test_a_worker_that_is_silent_for_a_while_is_counted_later() -> None:
    history = History()
    history.note(1.0, {"worker-0": samples({"NOERROR": 1}), "worker-1": samples({"NOERROR": 1})})
    history.note(10.0, {"worker-0": samples({"NOERROR": 2})})
    history.note(20.0, {})
    history.note(30.0, {"worker-0": samples({"NOERROR": 3}), "worker-1": samples({"NOERROR": 41})})
    assert [(point.seconds, point.queries) for point in history.points] == [(9.0, 1), (20.0, 41)]


def test_there_are_only_so_many() -> None:
    history = History()
    for at in range(1, POINTS + 50):
        history.note(float(at), {"worker-0": samples({"NOERROR": at})})
    assert len(history.points) == POINTS


@pytest.mark.parametrize(
    ("counts", "part", "found"),
    [
        ([], 0.5, None),
        ([(1.0, 0), (float("inf"), 0)], 0.5, None),
        ([(1.0, 1), (2.0, 2), (float("inf"), 2)], 0.5, 1.0),
        ([(1.0, 1), (2.0, 2), (float("inf"), 2)], 0.51, 2.0),
        ([(1.0, 0), (2.0, 0), (float("inf"), 3)], 0.5, 2.0),
    ],
)
def test_quantiles(counts: list[tuple[float, int]], part: float, found: float | None) -> None:
    assert quantile(counts, part) == found
