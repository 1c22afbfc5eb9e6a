"""We behave like client-go's reflector: a row for each of its behaviours, by id.

A row is a script for the API, the requests the API must see (the last one came when the script had
ended), the delays between tries, and the calls of the sink.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pytest

from grpcdns.core.cluster.objects import Service
from grpcdns.source.api.decode import Decoder
from grpcdns.source.api.watch import Watch
from tests.unit.source.api.fake_api import (
    Reset,
    Step,
    added,
    bookmark,
    deleted,
    event,
    lists,
    modified,
    refuses,
    service,
    status,
    watches,
)
from tests.unit.source.api.stage import BACKOFF, UNREACHABLE, Stage, play

QUIET: Final[Any] = {"lasting": 400.0}
"""A watch that lasted until its timeout."""


class Row(NamedTuple):
    script: list[Step]
    requests: list[str]
    names: str = "a"
    sleeps: list[float] = []  # noqa: RUF012 - never changed
    calls: list[str] | None = None
    streaming: bool = False


A: Final = lists(service("a"))
FIRST: Final = "LIST at '0' limit 500"
WATCH: Final = "WATCH at '10'"
END: Final = bookmark("10", end="true")
INITIAL: Final = "WATCH initial at ''"
EXPIRED: Final = ("Expired", "too old resource version")
TOO_LARGE: Final = "Too large resource version: 10, current: 5"

ROWS: Final = {
    "rf-01-list-then-watch": Row([A], [FIRST, WATCH]),
    "rf-02-pages-are-one-replace": Row(
        [lists(service("a"), token="t1", remaining=2), lists(service("b"), token="t2"),
         lists(service("c"))],
        [FIRST, "LIST limit 500 continue t1", "LIST limit 500 continue t2", WATCH],
        names="a b c", calls=["replace a b c"],
    ),
    "rf-03-relist-at-known-version-has-no-limit": Row(
        [A, watches(event("ERROR", status(410, *EXPIRED)))],
        [FIRST, WATCH, "LIST at '10'"], sleeps=[0.8],
    ),
    "rf-03-unless-the-first-list-had-pages": Row(
        [lists(service("a"), token="t1"), lists(service("b")), refuses(410, *EXPIRED)],
        [FIRST, "LIST limit 500 continue t1", WATCH, "LIST at '10' limit 500"],
        names="a b", sleeps=[0.8],
    ),
    "rf-04-expired-page-means-one-whole-list": Row(
        [lists(service("a"), token="t1"), refuses(410, *EXPIRED), lists(service("a"))],
        [FIRST, "LIST limit 500 continue t1", "LIST at '0'", WATCH], calls=["replace a"],
    ),
    "rf-05-expired-list-is-made-again-at-once": Row(
        [A, refuses(410, *EXPIRED), refuses(410, *EXPIRED), lists(service("a"), version="20"),
         refuses(410, *EXPIRED)],
        [FIRST, WATCH, "LIST at '10'", "LIST at '' limit 500", "WATCH at '20'", "LIST at '20'"],
        sleeps=[0.8, 1.6],
    ),
    "rf-05-gone-is-expired": Row(
        [A, refuses(410, "Gone"), refuses(410, "Gone"), lists(service("a"), version="20")],
        [FIRST, WATCH, "LIST at '10'", "LIST at '' limit 500", "WATCH at '20'"], sleeps=[0.8],
    ),
    "rf-06-too-large-version-by-cause": Row(
        [A, refuses(410), refuses(504, "Timeout", "no",
                                  causes=[{"reason": "ResourceVersionTooLarge"}]), A],
        [FIRST, WATCH, "LIST at '10'", "LIST at '' limit 500", WATCH], sleeps=[0.8],
    ),
    "rf-06-too-large-version-by-text": Row(
        [A, refuses(410), refuses(504, "Timeout", TOO_LARGE), A],
        [FIRST, WATCH, "LIST at '10'", "LIST at '' limit 500", WATCH], sleeps=[0.8],
    ),
    "rf-07-watch-410-lists-at-the-last-version": Row(
        [A, refuses(410, *EXPIRED), A], [FIRST, WATCH, "LIST at '10'", WATCH], sleeps=[0.8],
    ),
    "rf-08-error-event-410-is-the-same": Row(
        [A, watches(added("b", "12"), event("ERROR", status(410, *EXPIRED))), A],
        [FIRST, WATCH, "LIST at '12'", WATCH], sleeps=[0.8],
    ),
    "rf-09-refused-watch-is-made-again-without-list": Row(
        [A, watches(bookmark("15"), end="down", tries=3), lists(version="16")],
        [FIRST, WATCH, "LIST limit 1", "WATCH at '15'"], sleeps=[UNREACHABLE] * 4,
    ),
    "rf-09-reset-too": Row(
        [A, Reset(), Reset(), lists(version="10")],
        [FIRST, WATCH, WATCH, "LIST limit 1", WATCH], sleeps=[UNREACHABLE],
    ),
    "rf-10-watch-429-four-times": Row(
        [A, *[refuses(429, "TooManyRequests")] * 4, watches(added("b", "11"))],
        [FIRST, *[WATCH] * 5, "WATCH at '11'"], names="a b", sleeps=BACKOFF[:4],
    ),
    "rf-10-retry-after-is-kept": Row(
        [A, refuses(429, "TooManyRequests", retry_after="7")], [FIRST, WATCH, WATCH], sleeps=[7.0],
    ),
    "rf-11-error-event-429": Row(
        [A, watches(added("b", "11"), event("ERROR", status(429, "TooManyRequests")))],
        [FIRST, WATCH, "WATCH at '11'"], names="a b", sleeps=[0.8],
    ),
    "rf-12-error-event-500-means-list": Row(
        [A, watches(event("ERROR", status(500, "InternalError"))), A],
        [FIRST, WATCH, "LIST at '10'", WATCH], sleeps=[0.8],
    ),
    **{
        f"rf-13-watch-{code}-means-back-off-and-list": Row(
            [A, refuses(code), A], [FIRST, WATCH, "LIST at '10'", WATCH], sleeps=[0.8]
        )
        for code in (403, 404, 500)
    },
    "rf-14-clean-end-after-its-time": Row(
        [A, watches(**QUIET), watches(lasting=1.0)], [FIRST, WATCH, WATCH, WATCH],
    ),
    "rf-14-clean-end-after-events": Row(
        [A, watches(modified("a", "11"))], [FIRST, WATCH, "WATCH at '11'"],
    ),
    "rf-15-very-short-watch-is-an-error": Row(
        [A, watches(lasting=0.9), A], [FIRST, WATCH, "LIST at '10'", WATCH], sleeps=[0.8],
    ),
    "rf-16-bookmark-moves-only-the-version": Row(
        [A, watches(bookmark("42"))], [FIRST, WATCH, "WATCH at '42'"], calls=["replace a"],
    ),
    "rf-17-no-bookmarks-at-all": Row(
        [A, watches(**QUIET), watches(added("b", "11")), watches(**QUIET)],
        [FIRST, WATCH, WATCH, "WATCH at '11'", "WATCH at '11'"], names="a b",
    ),
    "rf-18-added-known-and-modified-unknown": Row(
        [A, watches(added("a", "11", ip="10.0.0.2"), modified("b", "12"))],
        [FIRST, WATCH, "WATCH at '12'"], names="a b", calls=["replace a", "upsert a", "upsert b"],
    ),
    "rf-19-deleted-unknown": Row(
        [A, watches(deleted("x", "11"))], [FIRST, WATCH, "WATCH at '11'"],
    ),
    "rf-20-object-of-another-kind": Row(
        [A, watches(added("b", "11"), event("ADDED", {**service("c", "12"), "kind": "Pod"}))],
        [FIRST, WATCH, "WATCH at '11'"], names="a b",
    ),
    "rf-20-bookmark-of-another-kind": Row(
        [A, watches(bookmark("99", kind="Pod"), **QUIET)], [FIRST, WATCH, WATCH],
    ),
    "rf-21-unknown-event-type": Row(
        [A, watches(event("SURPRISE", service("x", "11")), added("b", "12"))],
        [FIRST, WATCH, "WATCH at '12'"], names="a b",
    ),
    "rf-21-no-event-at-all": Row(
        [A, watches(b"<html>\n", b"\n", added("b", "12"))],
        [FIRST, WATCH, "WATCH at '12'"], names="a b",
    ),
    "rf-22-relist-removes": Row(
        [lists(service("a"), service("b")), refuses(410, *EXPIRED), lists(service("a"))],
        [FIRST, WATCH, "LIST at '10'", WATCH], sleeps=[0.8], calls=["replace a b", "replace a"],
    ),
    "rf-25-streaming-list": Row(
        [watches(added("b", "7"), added("a", "3"), END, added("c", "11"))],
        [INITIAL, "WATCH at '11'"], names="a b c", calls=["replace a b", "upsert c"],
        streaming=True,
    ),
    "rf-26-bookmark-that-is-no-end": Row(
        [watches(added("a", "3"), bookmark("5", end="false"), bookmark("6"))],
        [INITIAL, INITIAL], names="", calls=[], sleeps=[0.8], streaming=True,
    ),
    "rf-27-changes-before-the-end": Row(
        [watches(added("a", "3"), added("b", "4"), modified("a", "5", ip="10.0.0.9"),
                 deleted("b", "6"), END)],
        [INITIAL, WATCH], calls=["replace a"], streaming=True,
    ),
    **{
        f"rf-28-streaming-refused-with-{code}": Row(
            [refuses(code, "Invalid"), A], [INITIAL, FIRST, WATCH], streaming=True
        )
        for code in (400, 403, 404, 422, 500)
    },
    "rf-28-streaming-refused-in-the-stream": Row(  # what an API server on etcd 3.4 says
        [watches(event("ERROR", status(500, "", "etcd too old"))), A],
        [INITIAL, FIRST, WATCH], streaming=True,
    ),
    "rf-28-streaming-ends-at-once": Row(
        [watches(), A], [INITIAL, FIRST, WATCH], streaming=True,
    ),
    "rf-29-streaming-429": Row(
        [*[refuses(429)] * 2, watches(added("a", "3"), END)],
        [*[INITIAL] * 3, WATCH], sleeps=BACKOFF[:2], streaming=True,
    ),
    "rf-29-streaming-reset": Row(
        [Reset(), Reset(), watches(added("a", "3"), END)],
        [*[INITIAL] * 3, WATCH], sleeps=[UNREACHABLE] * 2, streaming=True,
    ),
    "rf-30-streaming-410": Row(
        [watches(added("a", "3"), END), refuses(410, *EXPIRED), refuses(410, *EXPIRED),
         watches(added("a", "3"), bookmark("20", end="true"))],
        [INITIAL, WATCH, "WATCH initial at '10'", INITIAL, "WATCH at '20'"],
        sleeps=[0.8], streaming=True,
    ),
    "rf-30-streaming-too-large": Row(
        [watches(added("a", "3"), END), refuses(410, *EXPIRED), refuses(504, "Timeout", TOO_LARGE),
         watches(added("a", "3"), bookmark("5", end="true"))],
        [INITIAL, WATCH, "WATCH initial at '10'", INITIAL, "WATCH at '5'"],
        sleeps=[0.8], streaming=True,
    ),
    "rf-31-streaming-closed-before-its-end": Row(
        [watches(added("a", "3"), added("x", "4")), watches(added("a", "3"), END)],
        [INITIAL, INITIAL, WATCH], calls=["replace a"], sleeps=[0.8], streaming=True,
    ),
    "rf-32-plain-watch-after-the-sync": Row(
        [watches(added("a", "3"), END, **QUIET)], [INITIAL, WATCH], streaming=True,
    ),
    "rf-33-established-stream-expires": Row(
        [watches(added("a", "3"), END, added("b", "12"), event("ERROR", status(410, *EXPIRED)))],
        [INITIAL, "WATCH initial at '12'"], names="a b", sleeps=[0.8], streaming=True,
    ),
    "rf-34-initial-versions-are-not-resumed-from": Row(
        [watches(added("a", "3"), added("b", "7"), end="cut")],
        [INITIAL, INITIAL], names="", calls=[], sleeps=[0.8], streaming=True,
    ),
    "rf-35-api-down-for-minutes": Row(
        [A, watches(bookmark("15"), end="down", tries=7), refuses(503), lists(version="15")],
        [FIRST, WATCH, "LIST limit 1", "LIST limit 1", "WATCH at '15'"],
        sleeps=[*[UNREACHABLE] * 8, 0.8],
    ),
    "rf-36-restored-from-a-backup-meanwhile": Row(
        [A, watches(bookmark("15"), end="down", tries=1), lists(version="14"),
         lists(service("b"), version="16")],
        [FIRST, WATCH, "LIST limit 1", "LIST at '' limit 500", "WATCH at '16'"],
        names="b", sleeps=[UNREACHABLE] * 2 + [0.8],
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_reflector(row: Row) -> None:
    outcome = play(row.script, streaming=row.streaming)
    assert outcome.requests == row.requests
    assert outcome.sink.names() == row.names
    assert outcome.sleeps == row.sleeps
    if row.calls is not None:
        assert outcome.sink.calls == row.calls


def test_rf_01_parameters_of_a_watch() -> None:
    for chance, seconds in ((0.0, "40"), (0.5, "45"), (0.999, "49")):
        watch = play([A], chance=chance).raw[1].params
        assert watch == {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": seconds,
            "resourceVersion": "10",
        }


def test_rf_25_parameters_of_a_streaming_list() -> None:
    assert play([], streaming=True).raw[0].params == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "300",
        "sendInitialEvents": "true",
        "resourceVersionMatch": "NotOlderThan",
        "resourceVersion": "",
    }


def test_rf_18_the_newer_object_is_kept() -> None:
    sink = play([A, watches(added("a", "11", ip="10.0.0.2"))]).sink
    found = sink.get("a")
    assert isinstance(found, Service)
    assert found.cluster_ips == ("10.0.0.2",)


def test_rf_24_streamed_listed_and_watched_objects_are_the_same() -> None:
    """All of them are reduced to the fields that DNS needs."""
    by_stream = play([watches(added("a", "3", ip="10.0.0.7"), END)], streaming=True)
    by_list = play([lists(service("a", "3", ip="10.0.0.7"))])
    by_watch = play([lists(), watches(added("a", "13", ip="10.0.0.7"))])
    bodies = [outcome.sink.store.bodies for outcome in (by_stream, by_list, by_watch)]
    assert bodies[0] == bodies[1] == bodies[2]


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
def test_rf_35_jitter_at_most_doubles_a_delay(chance: float) -> None:
    sleeps = play([A, *[refuses(429, "TooManyRequests")] * 8], chance=chance).sleeps
    assert sleeps == [round(delay * (1 + chance), 3) for delay in BACKOFF]
    sleeps = play([A, watches(bookmark("15"), end="down", tries=7)], chance=chance).sleeps
    assert sleeps == [round(UNREACHABLE * (1 + chance), 3)] * 8


def test_rf_35_two_good_minutes_reset_the_delays() -> None:
    outcome = play([A, *[refuses(429)] * 3, watches(lasting=121.0), refuses(429)])
    assert outcome.sleeps == [0.8, 1.6, 3.2, 0.8]
    outcome = play([A, *[refuses(429)] * 3, watches(lasting=100.0), refuses(429)])
    assert outcome.sleeps == [0.8, 1.6, 3.2, 6.4]


def test_rf_36_api_restarted_with_other_objects() -> None:
    """The state is served meanwhile; objects deleted during the outage are gone afterwards."""
    outcome = play(
        [
            lists(service("a"), service("b")),
            watches(bookmark("15"), end="down", tries=2),
            lists(version="30"),
            refuses(410, *EXPIRED),
            lists(service("b"), service("c"), version="30"),
        ]
    )
    assert outcome.sink.names() == "b c"
    assert outcome.sink.calls == ["replace a b", "replace b c"]
    assert [name for name, _ in outcome.sink.notes if name.startswith("api_")] == [
        "api_lost", "api_back",
    ]  # fmt: skip


def test_rf_37_only_a_whole_list_counts() -> None:
    outcome = play([lists(service("a"), token="t1"), refuses(403), refuses(500)])
    assert outcome.sink.calls == []
    assert not outcome.sink.store.listed


def test_rf_38_every_list_but_the_first_is_streamed() -> None:
    """The first is a plain list, which is twice as fast: nothing is served before it."""
    stage = Stage([A, refuses(410, *EXPIRED), watches(added("a", "3"), END)])
    stage.watch = Watch(
        stage.watch.resource, Decoder(stage.kind), stage.client, stage.sink, stage.journal,
        stage.clock,
    )  # fmt: skip
    assert stage.run().requests == [FIRST, WATCH, "WATCH initial at '10'", WATCH]
