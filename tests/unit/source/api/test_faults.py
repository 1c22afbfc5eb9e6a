"""Faults of watching that are known from the field, a test each (docs/operations.md, "Faults").

Ids in names: f10 null fields, f12 half-open connections, f13 missed deletions, f14 outages and
credentials, f15 memory, f16 relists; p1 to p10 are mistakes that other API clients have made.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from grpcdns.core.cluster.objects import EndpointSlice, Kind, Service
from grpcdns.source.api.client import READ_TIMEOUT
from grpcdns.source.api.decode import Decoder
from grpcdns.source.kinds import Fields
from tests.unit.source.api.fake_api import (
    Do,
    Reset,
    Step,
    added,
    bookmark,
    deleted,
    event,
    lists,
    modified,
    pod,
    refuses,
    service,
    status,
    watches,
)
from tests.unit.source.api.stage import BACKOFF, UNREACHABLE, Stage, play

QUIET: Any = {"lasting": 400.0}
EXPIRED = ("Expired", "too old")


def test_f10_null_endpoints_and_ports_are_empty() -> None:
    slice_ = {
        "kind": "EndpointSlice",
        "metadata": {"name": "s", "namespace": "ns", "resourceVersion": "11", "labels": None},
        "addressType": "IPv4",
        "endpoints": None,
        "ports": None,
    }
    sink = play([lists(), watches(event("ADDED", slice_))], kind=Kind.ENDPOINT_SLICE).sink
    assert sink.get("s", Kind.ENDPOINT_SLICE) == EndpointSlice("ns", "s", "")


def test_one_broken_object_is_skipped_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    broken = {**service("b", "12"), "spec": {"clusterIPs": "10.0.0.1"}}
    outcome = play(
        [
            lists(service("a"), broken, service("c")),
            watches(event("MODIFIED", broken)),
            refuses(410, *EXPIRED),
            lists(service("a"), broken, service("c"), version="20"),
        ]
    )
    assert outcome.sink.names() == "a c"
    assert len(outcome.sink.noted("skipped")) == 3
    lines = [record.message for record in caplog.records if "cannot be read" in record.message]
    assert len(lines) == 1
    assert "Service ns/b" in lines[0]


def test_an_object_that_breaks_later_is_dropped_until_it_is_readable() -> None:
    """As after a fresh list: workers must not differ by when they started."""
    broken = {**service("a", "12"), "spec": 7}
    assert play([lists(service("a")), watches(event("MODIFIED", broken))]).sink.names() == ""
    outcome = play([lists(service("a")), watches(event("MODIFIED", broken), modified("a", "13"))])
    assert outcome.sink.names() == "a"


def test_f12_a_silent_watch_is_replaced() -> None:
    stage = Stage([lists(service("a")), watches(bookmark("11"), end="hang")], read_timeout=0.4)
    outcome = stage.run()
    assert outcome.requests[1:] == ["WATCH at '10'", "WATCH at '11'"]
    assert outcome.sink.noted("rewatch") == [{"how": "silent"}]


def test_f12_a_stalled_list_is_retried() -> None:
    outcome = Stage([watches(end="hang")], read_timeout=0.4).run()
    assert outcome.requests == ["LIST at '0' limit 500"] * 2
    assert outcome.sink.noted("api_lost") == [{"error": "timeout"}]


def test_a_watch_cut_within_an_event_resumes_after_the_last_whole_one() -> None:
    outcome = play([lists(service("a")), watches(added("b", "12"), end="cut"), watches(**QUIET)])
    assert outcome.requests[2:] == ["WATCH at '12'"] * 2
    assert outcome.sink.noted("rewatch")[0] == {"how": "dropped"}


def test_a_list_that_breaks_off_is_discarded() -> None:
    """Half of the objects must never count as all of them."""
    outcome = play([watches(b'{"items":[', end="cut"), lists(service("a"))])
    assert outcome.requests[:2] == ["LIST at '0' limit 500"] * 2
    assert outcome.sink.calls == ["replace a"]


def test_f13_deleted_while_nobody_watched() -> None:
    outcome = play(
        [
            lists(service("a"), service("b")),
            watches(end="down", lasting=5, tries=4),
            lists(version="30"),
            refuses(410, *EXPIRED),
            lists(service("a"), version="30"),
        ]
    )
    assert outcome.sink.names() == "a"


def test_f14_an_outage_changes_nothing_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    outcome = play(
        [
            lists(service("a")),
            watches(lasting=5, end="down", tries=125),
            lists(version="10"),
            watches(**QUIET),
        ]
    )
    assert outcome.sink.calls == ["replace a"]
    assert len(outcome.sink.noted("api_lost")) == 1
    (back,) = outcome.sink.noted("api_back")
    assert isinstance(back["seconds"], float)
    assert back["seconds"] > 60
    assert outcome.sleeps == [UNREACHABLE] * 126
    away = [record for record in caplog.records if "unreachable" in record.message]
    again = [record for record in caplog.records if "answers again" in record.message]
    assert len(away) == len(again) == 1


def test_f14_expired_credentials_are_read_again() -> None:
    stage = Stage([lists(service("a")), refuses(401, "Unauthorized"), watches(**QUIET)])
    outcome = stage.run()
    assert outcome.requests == ["LIST at '0' limit 500", *["WATCH at '10'"] * 3]
    tokens = [request.headers["Authorization"] for request in outcome.raw]
    assert tokens == ["Bearer token-1"] * 2 + ["Bearer token-2"] * 2
    assert outcome.sleeps == []


def test_f14_credentials_that_stay_wrong_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    outcome = play([refuses(401, "Unauthorized")] * 6)
    assert outcome.sink.calls == []
    assert "rejects the credentials (401)" in caplog.text
    assert caplog.text.count("rejects the credentials") == 1
    assert outcome.sleeps == [0.8, 1.6, 3.2]


def test_f14_a_login_that_fails_is_backed_off_from() -> None:
    """It may start a process each time, or ask a distant server."""
    script = [lists(service("a")), *[refuses(401, "Unauthorized")] * 4]
    assert play(script, most_logins=1).sleeps == BACKOFF[:4]


def test_p7_missing_credentials_are_named(caplog: pytest.LogCaptureFixture) -> None:
    message = 'services is forbidden: User "system:anonymous" cannot list resource "services"'
    play([refuses(403, "Forbidden", message)] * 3)
    assert "the API has received no credentials" in caplog.text


def test_forbidden_is_logged_once_and_so_is_its_end(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    play([refuses(403, "Forbidden", "may not")] * 3 + [lists(service("a"))])
    assert caplog.text.count("not allowed to list and watch") == 1
    assert "the API no longer refuses this kind" in caplog.text


@pytest.mark.parametrize("refusal", [refuses(403, "Forbidden", "may not"), refuses(404)])
def test_an_optional_kind_that_is_refused_has_no_objects(
    refusal: Step, caplog: pytest.LogCaptureFixture
) -> None:
    """One line, and no event that an alert looks at; once it is allowed, it is listed."""
    caplog.set_level("INFO")
    cidr = {"kind": "ServiceCIDR", "metadata": {"name": "c", "resourceVersion": "7"},
            "spec": {"cidrs": ["10.96.0.0/16"]}}  # fmt: skip
    outcome = play([refusal] * 3, kind=Kind.SERVICE_CIDR)
    assert outcome.sink.calls == ["replace"] * 3
    assert not outcome.sink.notes
    assert len([line for line in caplog.messages if line.endswith("; going on without")]) == 1
    outcome = play([refusal, refusal, lists(cidr)], kind=Kind.SERVICE_CIDR)
    assert outcome.sink.names(Kind.SERVICE_CIDR) == "/c"


def test_a_kind_the_api_does_not_serve_has_no_objects(caplog: pytest.LogCaptureFixture) -> None:
    """A missing CRD does not hold up readiness, and is retried quietly."""
    caplog.set_level("INFO")
    outcome = play([refuses(404)] * 3 + [lists(service("a"))])
    assert outcome.sink.calls == ["replace"] * 3 + ["replace a"]
    assert caplog.text.count("the API does not serve v1 (yet)") == 1


NEW, OLD = "/api/v1/services", "/api/v0/services"


def test_another_version_is_listed_at_once() -> None:
    outcome = play([refuses(404), lists(service("a"), version="7")], others=(OLD,))
    assert outcome.sink.calls == ["replace a"]
    assert outcome.sleeps == []
    assert not outcome.sink.noted("absent")
    assert [one.path for one in outcome.raw] == [NEW, OLD, OLD]


def test_an_api_without_any_version_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    """The best version is asked for again with each try."""
    outcome = play([refuses(404)] * 4 + [lists(service("a"))], others=(OLD,))
    assert outcome.sink.calls == ["replace"] * 2 + ["replace a"]
    assert caplog.text.count("the API does not serve") == 1
    assert [one.path for one in outcome.raw[:4]] == [NEW, OLD, OLD, NEW]


def test_a_version_that_goes_is_followed_by_the_other() -> None:
    """Its objects stay, and are compared with those of the other version."""
    outcome = play(
        [lists(service("a")), refuses(404), refuses(404), lists(service("a"), service("b"))],
        others=(OLD,),
    )
    assert outcome.sink.calls == ["replace a", "replace a b"]
    assert [one.path for one in outcome.raw[:4]] == [NEW, NEW, NEW, OLD]


def test_a_refusal_is_no_reason_for_another_version() -> None:
    outcome = play([refuses(403, "Forbidden", "may not"), lists(service("a"))], others=(OLD,))
    assert [one.path for one in outcome.raw[:2]] == [NEW, NEW]


def test_a_kind_the_api_no_longer_serves_keeps_its_objects() -> None:
    outcome = play([lists(service("a")), refuses(410, *EXPIRED), refuses(404)])
    assert outcome.sink.names() == "a"


def test_f16_relists_of_all_kinds_are_spread() -> None:
    """Each kind backs off with its own jitter."""
    script = [lists(service("a")), refuses(410, *EXPIRED), lists(service("a"))]
    delays = {tuple(play(script, chance=chance).sleeps) for chance in (0.0, 0.3, 0.9)}
    assert delays == {(0.8,), (1.04,), (1.52,)}


def test_p1_an_api_that_always_fails_is_backed_off_from() -> None:
    outcome = play([refuses(500)] * 30)
    assert len(outcome.sleeps) == 30
    assert sum(outcome.sleeps) > 20 * 30


def test_p3_a_live_watch_ends_before_a_silent_one_is_dead() -> None:
    """The API is asked to end a watch, with a margin for its answer."""
    longest = play([lists(service("a"))], chance=0.999).raw[1].params["timeoutSeconds"]
    assert int(longest) + 5 <= READ_TIMEOUT <= 60


def test_the_silence_after_a_streaming_list_is_no_fault() -> None:
    """Its timeout is long, as its initial events may take long."""
    stage = Stage(
        [watches(added("a", "3"), bookmark("10", end="true"), end="hang")],
        streaming=True,
        read_timeout=0.4,
    )
    outcome = stage.run()
    assert outcome.requests == ["WATCH initial at ''", "WATCH at '10'"]
    assert outcome.sink.notes[1:] == []


def test_p4_a_410_loop_backs_off() -> None:
    outcome = play([lists(service("a")), *[refuses(410, *EXPIRED)] * 9])
    assert outcome.requests[:4] == [
        "LIST at '0' limit 500",
        "WATCH at '10'",
        "LIST at '10'",
        "LIST at '' limit 500",
    ]
    assert len(outcome.sleeps) >= 4


def test_versions_that_run_backwards_cause_a_relist() -> None:
    """The cluster was restored, and the watch is of another history: relist at the latest."""
    outcome = play(
        [
            lists(service("a"), version="5000"),
            watches(added("x", "120")),
            lists(service("b"), version="130"),
        ]
    )
    assert outcome.requests[1:] == ["WATCH at '5000'", "LIST at '' limit 500", "WATCH at '130'"]
    assert outcome.sink.names() == "b"


def test_a_terminating_pod_stays_until_it_is_deleted() -> None:
    """The update that sets deletionTimestamp changes nothing."""
    first = lists(pod("p"))
    outcome = play(
        [first, watches(event("MODIFIED", pod("p", "11", ip="", terminating=True)))], kind=Kind.POD
    )
    assert outcome.sink.calls == ["replace p"]
    gone = event("DELETED", pod("p", "12", terminating=True))
    assert play([first, watches(gone)], kind=Kind.POD).sink.names(Kind.POD) == ""


def test_a_terminating_pod_is_not_added() -> None:
    dying = pod("p", "11", terminating=True)
    assert play([lists(dying)], kind=Kind.POD).sink.names(Kind.POD) == ""
    outcome = play([lists(), watches(event("ADDED", dying))], kind=Kind.POD)
    assert outcome.sink.names(Kind.POD) == ""


def test_a_terminating_pod_survives_a_relist() -> None:
    script: list[Step] = [
        lists(pod("p")),
        refuses(410, *EXPIRED),
        lists(pod("p", terminating=True)),
    ]
    assert play(script, kind=Kind.POD).sink.names(Kind.POD) == "p"


@pytest.mark.parametrize("phase", ["Succeeded", "Failed", "Unknown"])
def test_f29_a_finished_pod_is_gone(phase: str) -> None:
    done = pod("p", "11", phase=phase)
    outcome = play([lists(pod("p")), watches(event("MODIFIED", done))], kind=Kind.POD)
    assert outcome.sink.names(Kind.POD) == ""
    assert play([lists(done)], kind=Kind.POD).sink.names(Kind.POD) == ""


def test_every_order_of_events_ends_in_the_last_state() -> None:
    outcome = play(
        [
            lists(service("a"), service("b")),
            watches(deleted("a", "11"), added("a", "12", ip="10.0.0.3"), deleted("b", "13")),
        ]
    )
    assert outcome.sink.names() == "a"
    found = outcome.sink.get("a")
    assert isinstance(found, Service)
    assert found.cluster_ips == ("10.0.0.3",)


# Relists (f15): an unchanged object is neither read again nor kept twice.


def test_f15_a_relist_passes_on_only_changed_versions() -> None:
    first = [service("a", "1"), service("b", "2"), service("c", "3")]
    again = [service("a", "1"), service("b", "12", ip="10.0.0.2"), service("d", "13")]
    for script in (
        [lists(*first), refuses(410, *EXPIRED), lists(*again, version="20")],
        [lists(*first), refuses(410, *EXPIRED), refuses(410, *EXPIRED), lists(*again)],
    ):
        sink = play(script).sink
        assert sink.calls == ["replace a b c", "replace a b d"]
        assert sink.same == (["", "a"] if len(script) == 3 else ["", ""])
        found = sink.get("b")
        assert isinstance(found, Service)
        assert found.cluster_ips == ("10.0.0.2",)


def test_f15_a_streaming_relist_does_too() -> None:
    end = bookmark("10", end="true")
    events = [event("ADDED", service("a", "1")), event("ADDED", service("b", "2"))]
    script: list[Step] = [watches(*events, end), refuses(410, *EXPIRED),
              watches(*events, modified("b", "12", ip="10.0.0.2"), end)]  # fmt: skip
    sink = play(script, streaming=True).sink
    assert sink.calls == ["replace a b", "replace a b"]
    assert sink.same == ["", "a"]


def test_versions_of_another_history_are_not_trusted() -> None:
    """A restored cluster may give the same version to another object."""
    script: list[Step] = [
        lists(service("a", "7"), version="5000"),
        watches(added("x", "120")),
        lists(service("a", "7", ip="10.0.0.9"), version="130"),
    ]
    found = play(script).sink.get("a")
    assert isinstance(found, Service)
    assert found.cluster_ips == ("10.0.0.9",)


def test_new_fields_are_read_from_known_versions_too() -> None:
    slice_ = {
        "kind": "EndpointSlice",
        "metadata": {"name": "s", "namespace": "ns", "resourceVersion": "7"},
        "endpoints": [{"addresses": ["10.0.0.1"], "targetRef": {"name": "pod-1"}}],
    }
    stage = Stage(
        [lists(slice_), watches(bookmark("11"), end="hang"), lists(slice_, version="20")],
        kind=Kind.ENDPOINT_SLICE,
    )
    again = threading.Event()
    stage.api.script.append(Do(again.set, watches(end="hang")))
    with stage.running():
        assert stage.api.held.wait(5)
        stage.watch.use(Decoder(Kind.ENDPOINT_SLICE, Fields(pods=False)))
        assert again.wait(5)
    found = stage.sink.get("s", Kind.ENDPOINT_SLICE)
    assert isinstance(found, EndpointSlice)
    assert found.endpoints[0].pod == ""


# Stopping: at once, without another request.


def test_rf_23_stop_before_the_first_request() -> None:
    stage = Stage([lists(service("a"))])
    stage.stop()
    assert stage.run().requests == []


@pytest.mark.parametrize("streaming", [False, True])
def test_rf_23_stop_during_a_list(streaming: bool) -> None:
    stage = Stage([watches(added("a", "1"), end="hang")], streaming=streaming)
    with stage.running():
        assert stage.api.held.wait(5)
    assert len(stage.api.requests) == 1
    assert stage.sink.calls == []


def test_rf_23_stop_during_a_watch() -> None:
    stage = Stage([lists(service("a")), watches(bookmark("11"), end="hang")])
    with stage.running():
        assert stage.api.held.wait(5)
    assert len(stage.api.requests) == 2


def test_rf_23_stop_during_a_back_off() -> None:
    stage = Stage([refuses(500)])
    stage.clock.on_sleep = stage.stop
    assert stage.run().requests == ["LIST at '0' limit 500"]


def test_rf_23_stop_between_request_and_answer() -> None:
    stage = Stage([])
    stage.api.script.append(Do(stage.stop, Reset()))
    assert len(stage.run().requests) == 1


def test_a_relist_asked_for_from_another_thread_ends_the_stream() -> None:
    stage = Stage(
        [
            lists(service("a")),
            watches(bookmark("11"), end="hang"),
            lists(service("b"), version="20"),
        ]
    )
    again = threading.Event()
    stage.api.script.append(Do(again.set, watches(end="hang")))
    with stage.running():
        assert stage.api.held.wait(5)
        stage.watch.relist("for a test")
        assert again.wait(5)
    assert [str(request) for request in stage.api.requests[2:]] == [
        "LIST at '' limit 500",
        "WATCH at '20'",
    ]
    assert stage.sink.noted("relist") == [{"reason": "for a test"}]


def test_a_relist_asked_for_while_a_stream_is_opened_is_not_lost() -> None:
    stage = Stage([lists(service("a"))])
    relist = stage.watch.relist
    stage.api.script.append(Do(lambda: relist("for a test"), watches(bookmark("11"), end="hang")))
    again = threading.Event()
    stage.api.script += [watches(end="hang")]  # the kept connection was cut: asked once more
    stage.api.script += [lists(service("b"), version="20"), Do(again.set, watches(end="hang"))]
    with stage.running():
        assert again.wait(5)
    assert stage.sink.names() == "b"


def test_a_fault_of_ours_does_not_end_the_watch(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage([lists(service("a")), watches(added("b", "11")), lists(service("a"))])

    def fails(*_: object) -> None:
        raise ZeroDivisionError

    stage.sink.upsert = fails  # type: ignore[method-assign,assignment]
    outcome = stage.run()
    assert outcome.requests[2:] == ["LIST at '0' limit 500", "WATCH at '10'"]
    assert outcome.sleeps == [0.8]
    assert "ZeroDivisionError" in caplog.text


def test_selectors_are_part_of_every_request() -> None:
    selectors = {"labelSelector": "a=b"}
    script: list[Step] = [lists(token="t"), lists(), watches(**QUIET)]
    requests = play(script, selectors=selectors).raw
    assert [request.params["labelSelector"] for request in requests] == ["a=b"] * 4


def test_an_error_body_that_is_not_a_status_is_quoted() -> None:
    from grpcdns.source.api.decode import decode_status

    assert decode_status(b"<html>Bad\n  gateway</html>").message == "<html>Bad gateway</html>"
    assert decode_status(b"").code == 0
    found = status(429, "TooManyRequests", "slow", retryAfterSeconds=3)
    import json

    assert decode_status(json.dumps(found).encode()).retry_after == 3
