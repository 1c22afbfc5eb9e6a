"""A first list that takes long says how far it has come."""

from __future__ import annotations

import re

import pytest

from tests.unit.source.api.fake_api import (
    Do,
    Step,
    added,
    bookmark,
    lists,
    refuses,
    service,
    watches,
)
from tests.unit.source.api.stage import Outcome, Stage

PAGE = [service(name) for name in "abc"]
MORE = [service(name) for name in "def"]


def slow(script: list[Step], seconds: float = 6.0) -> Outcome:
    """What happens when the API takes so long over each request."""
    stage = Stage(())
    stage.api.script = [Do(lambda: stage.clock.advance(seconds), step) for step in script]
    return stage.run()


def reports(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if "so far" in message]


@pytest.fixture(autouse=True)
def _level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")


def test_pages_tell_how_many_are_left(caplog: pytest.LogCaptureFixture) -> None:
    pages: list[Step] = [lists(*PAGE, token="t1", remaining=3), lists(*MORE)]
    stage = Stage(())
    stage.api.script = [pages[0], Do(lambda: stage.clock.advance(6.0), pages[1])]
    assert len(stage.run().sink.store) == 6
    assert reports(caplog) == ["Service: 3 objects listed so far of about 6"]


def test_without_pages_the_api_is_asked_once(caplog: pytest.LogCaptureFixture) -> None:
    outcome = slow([lists(*PAGE), lists(service("a"), remaining=41)])
    assert outcome.requests[:3] == ["LIST at '0' limit 500", "LIST limit 1", "WATCH at '10'"]
    assert reports(caplog) == ["Service: 0 objects listed so far of about 42"]


@pytest.mark.parametrize("answer", [lists(service("a")), refuses(403, "Forbidden"), lists()])
def test_nobody_tells(caplog: pytest.LogCaptureFixture, answer: Step) -> None:
    """The API does not count what a selector matches."""
    assert len(slow([lists(*PAGE), answer]).sink.store) == 3
    assert reports(caplog) == ["Service: 0 objects listed so far"]


def test_a_stream_says_how_many_have_come(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not tell how many are left, and the API is not asked. Each look at the clock takes a
    second here."""
    events = [added(f"s{number}", str(number)) for number in range(1, 13)]
    stage = Stage([watches(*events, bookmark("12", end="true"))], streaming=True)
    now = stage.clock.now

    def later() -> float:
        stage.clock.advance(1.0)
        return now()

    monkeypatch.setattr(stage.clock, "now", later)
    outcome = stage.run()
    assert len(outcome.sink.store) == 12
    assert not any(one.startswith("LIST") for one in outcome.requests)
    found = [re.fullmatch(r"Service: (\d+) objects listed so far", one) for one in reports(caplog)]
    counts = [int(one[1]) for one in found if one]
    assert len(counts) == len(found) >= 2
    assert counts == sorted(set(counts))


def test_a_list_that_is_quick_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    outcome = slow([lists(*PAGE)], seconds=4.0)
    assert outcome.requests == ["LIST at '0' limit 500", "WATCH at '10'"]
    assert reports(caplog) == []


def test_a_relist_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What was known is served meanwhile."""
    stage = Stage(())
    expired = refuses(410, "Expired")
    relist = Do(lambda: stage.clock.advance(60.0), lists(*PAGE, *MORE, version="20"))
    stage.api.script = [lists(*PAGE), expired, relist]
    assert len(stage.run().sink.store) == 6
    assert reports(caplog) == []
