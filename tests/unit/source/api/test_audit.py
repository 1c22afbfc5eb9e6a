"""The consistency check: events that a watch has missed are found, repaired, counted and named."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from grpcdns.source.api.audit import (
    COMPARE_EVERY,
    COUNT_EVERY,
    GRACE,
    Audit,
    Difference,
    compare,
    still_wrong,
)
from grpcdns.source.api.client import METADATA
from tests.unit.source.api.fake_api import Do, Step, bookmark, lists, refuses, service, watches
from tests.unit.source.api.stage import Stage


class Audited(Stage):
    """A watch that hangs on its stream, and an Audit of it in the test's thread."""

    @contextmanager
    def watching(self, *objects: Any, **selectors: str) -> Iterator[Audit]:
        self.selectors.update(selectors)
        self.script = [lists(*objects), watches(bookmark("10"), end="hang")]
        self.api.script[:] = self.script
        check = Audit([self.watch], self.client, self.journal, self.clock)
        with self.running():
            assert self.api.held.wait(5)
            del self.api.requests[:]
            yield check
            check.close()

    def then(self, *steps: Step) -> threading.Event:
        """What the API answers from here on; the event is set when the watch hangs again."""
        again = threading.Event()
        self.api.script[:] = [*steps, Do(again.set, watches(end="hang"))]
        return again

    @property
    def seen(self) -> list[str]:
        return list(map(str, self.api.requests))


def test_lost_events_are_repaired_by_one_list(caplog: pytest.LogCaptureFixture) -> None:
    """Five events never came: two creations, a change, and two deletions."""
    held = [service(name, "1") for name in ("a", "b", "c", "d")]
    truth = [service("a", "1"), service("b", "12", ip="10.0.0.9")]
    truth += [service("e", "13"), service("f", "14")]
    stage = Audited([])
    with stage.watching(*held) as check:
        again = stage.then(lists(*truth, version="20"), lists(*truth, version="20"))
        check.check(stage.watch, whole=True)
        assert again.wait(5)
    assert stage.sink.names() == "a b e f"
    (repaired,) = stage.sink.noted("repaired")
    assert repaired["changes"] == 5
    assert "2 missing (ns/e, ns/f); 1 stale (ns/b); 2 extra (ns/c, ns/d)" in caplog.text
    assert stage.clock.sleeps[0] == GRACE
    assert stage.sink.calls[0] == "replace a b c d"
    assert stage.sink.calls[1] == "replace a b e f"


def test_the_api_is_asked_for_metadata_only() -> None:
    stage = Audited([])
    with stage.watching(service("a", "1")) as check:
        stage.then(lists(service("a", "1"), token="t"), lists())
        check.check(stage.watch, whole=True)
    assert [request.headers["Accept"] for request in stage.api.requests] == [METADATA] * 2
    assert stage.seen == ["LIST limit 500", "LIST limit 500 continue t"]
    assert stage.sink.noted("checked") == [{"requests": 2}]
    assert stage.sink.noted("repaired") == []


def test_a_right_count_costs_one_small_request() -> None:
    stage = Audited([])
    with stage.watching(service("a", "1"), service("b", "2")) as check:
        stage.then(lists(service("a", "1"), token="t", remaining=1))
        check.check(stage.watch, whole=False)
    assert stage.seen == ["LIST limit 1"]


def test_a_wrong_count_is_followed_by_a_comparison() -> None:
    held, truth = [service("a", "1")], [service("a", "1"), service("b", "12")]
    stage = Audited([])
    with stage.watching(*held) as check:
        again = stage.then(
            lists(service("a", "1"), token="t", remaining=1), lists(*truth), lists(*truth)
        )
        check.check(stage.watch, whole=False)
        assert again.wait(5)
    assert stage.sink.names() == "a b"


def test_with_a_selector_nothing_is_counted() -> None:
    stage = Audited([])
    with stage.watching(service("a", "1"), labelSelector="x=y") as check:
        check.check(stage.watch, whole=False)
    assert stage.seen == []


def test_a_late_event_is_not_a_lost_one() -> None:
    stage = Audited([])
    with stage.watching(service("a", "1")) as check:
        stage.then(lists(service("a", "1"), service("b", "12")))
        stage.clock.on_sleep = lambda: stage.watch.versions.update({"ns/b": 12})
        check.check(stage.watch, whole=True)
    assert stage.seen == ["LIST limit 500"]


@pytest.mark.parametrize("answer", [refuses(500), refuses(403), watches(b"{", end="cut")])
def test_a_check_that_fails_reports_nothing(answer: Step) -> None:
    """The watch meets the same error and reports it."""
    stage = Audited([])
    with stage.watching(service("a", "1")) as check:
        stage.then(answer, answer)
        check.check(stage.watch, whole=True)
    assert stage.sink.noted("repaired") == []


def test_before_the_first_list_there_is_nothing_to_check() -> None:
    stage = Audited([])
    Audit([stage.watch], stage.client, stage.journal, stage.clock).check(stage.watch, whole=True)
    stage.stop()
    stage.api.stop()
    assert stage.seen == []


@pytest.mark.parametrize("chance", [0.0, 0.5, 0.999])
def test_counts_are_frequent_and_comparisons_are_rare(chance: float) -> None:
    """With jitter, so that a fleet of processes does not ask in step; what was lost is found within
    a minute, or ten (docs/operations.md, "Faults")."""
    stage = Audited([], chance=chance)
    asked: list[tuple[float, bool]] = []
    check = Audit([stage.watch], stage.client, stage.journal, stage.clock)
    start = stage.clock.now()

    def note(_watch: object, *, whole: bool) -> None:
        asked.append((stage.clock.now() - start, whole))
        stage.clock.stopped = whole

    check.check = note  # type: ignore[method-assign,assignment]
    check.run()
    stage.api.stop()
    between = COUNT_EVERY * (1 - chance / 2)
    assert asked[0][0] == pytest.approx(between)
    assert asked[1][0] == pytest.approx(2 * between)
    assert between + GRACE <= 60
    compared = asked[-1][0]
    assert COMPARE_EVERY / 2 <= compared <= 600 - GRACE


ROWS = {
    "equal": ({"a": 1}, {"a": 1}, Difference()),
    "ours is newer": ({"a": 5}, {"a": 1}, Difference()),
    "known and not served": ({"a": -1}, {"a": 1}, Difference()),
    "missing": ({}, {"a": 1}, Difference(missing=frozenset("a"))),
    "stale": ({"a": 1}, {"a": 2}, Difference(stale=frozenset("a"))),
    "stale and not served": ({"a": -1}, {"a": 2}, Difference(stale=frozenset("a"))),
    "extra": ({"a": 1}, {}, Difference(extra=frozenset("a"))),
}


@pytest.mark.parametrize(("ours", "theirs", "found"), ROWS.values(), ids=ROWS.keys())
def test_compare(ours: dict[str, int], theirs: dict[str, int], found: Difference) -> None:
    assert compare(ours, theirs) == found
    assert bool(found) == (ours != {"a": 5} and found != Difference())


def test_only_a_difference_that_has_not_moved_is_a_loss() -> None:
    found = Difference(frozenset("mn"), frozenset("st"), frozenset("xy"))
    before = {"s": 1, "t": 1, "x": 1, "y": 1}
    now = {"n": 9, "s": 1, "t": 2, "x": 1}
    assert still_wrong(found, before, now) == Difference(
        frozenset("m"), frozenset("s"), frozenset("x")
    )


def test_of_many_differences_only_some_are_named() -> None:
    many = Difference(missing=frozenset(f"ns/{n}" for n in range(9)))
    assert str(many) == "9 missing (ns/0, ns/1, ns/2, ns/3, ns/4 and 4 more)"
