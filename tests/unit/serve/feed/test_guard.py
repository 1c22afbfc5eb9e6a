"""The guard in the feed: from a scripted API to what is sent to the workers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Held, Kind, Namespace, Service, key_of, pack, unpack
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.snapshots import Snapshots
from grpcdns.source.api.client import Client
from grpcdns.source.api.decode import Decoder
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.login import Login
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.api.watch import Resource, Watch
from tests.unit.source.api.fake_api import (
    Do,
    FakeApi,
    Json,
    Step,
    event,
    lists,
    service,
    status,
    watches,
)
from tests.unit.source.fake_clock import FakeClock

POLICY: Final = Policy(no_endpoints=True)
GONE: Final = event("ERROR", status(410, "Expired"))


class Feed:
    """A Broadcast with a guard of 30 %, and its clocks."""

    def __init__(self, percent: float = 30.0) -> None:
        self.now = 1000.0
        self.broadcast = Broadcast(
            POLICY, lambda: None, lambda: self.now, guard=(percent, 3600.0), steady=lambda: self.now
        )

    @property
    def names(self) -> set[str]:
        return {key.removeprefix("ns/") for key in self.broadcast.store.bodies[Kind.SERVICE]}

    @property
    def held(self) -> set[str]:
        bodies = self.broadcast.store.bodies[Kind.SERVICE]
        found = (unpack(Kind.SERVICE, body) for body in bodies.values())
        return {obj.name for obj in found if obj.held is not None}

    def list(self, kind: Kind, *objects: Namespace | Service) -> None:
        self.broadcast.replace(kind, [(key_of(obj), pack(obj), 0.0) for obj in objects])


def watch(kind: Kind, feed: Feed, *script: Step) -> None:
    """A Watch of one kind, to the end of the API's script."""
    clock = FakeClock()
    api = FakeApi(script, clock)
    client = Client(lambda: Login(api.url), Throttle(clock), connect_timeout=2, read_timeout=5)
    journal = Journal(feed.broadcast, clock)
    resource = Resource("/api/v1/any", {})
    one = Watch(resource, Decoder(kind), client, feed.broadcast, journal, clock, streaming=False)

    def stop() -> None:
        clock.stopped = True
        client.stop()

    api.finished = stop
    try:
        one.run()
    finally:
        api.stop()


ALL: Final = [service(f"s{at}", "1") for at in range(50)]
NAMES: Final = {f"s{at}" for at in range(50)}


def seen(feed: Feed, into: list[tuple[set[str], set[str]]]) -> Callable[[], None]:
    return lambda: into.append((feed.names, feed.held))


@pytest.mark.parametrize("percent", [0.0, 30.0], ids=["off", "on"])
def test_a_list_that_comes_back_nearly_empty(percent: float) -> None:
    """The API restarts with a part of its data, and has all of it again later."""
    feed, found = Feed(percent), list[tuple[set[str], set[str]]]()
    feed.list(Kind.NAMESPACE, Namespace("", "ns"))
    look = seen(feed, found)
    watch(
        Kind.SERVICE, feed,
        lists(*ALL, version="10"),
        watches(GONE),
        lists(*ALL[:2], version="20"),
        Do(look, watches(GONE)),
        lists(*ALL, service("new", "30"), version="30"),
        Do(look, watches(end="close", lasting=60.0)),
    )  # fmt: skip
    nearly = (NAMES, NAMES - {"s0", "s1"}) if percent else ({"s0", "s1"}, set())
    assert found == [nearly, (NAMES | {"new"}, set())]


def test_no_answer_changes_while_the_list_is_taken() -> None:
    """Not even for a moment: the list is decided on as a whole."""
    feed, sent = Feed(), list[str]()
    feed.list(Kind.NAMESPACE, Namespace("", "ns"))
    feed.list(Kind.SERVICE, *(Service("ns", f"s{at}") for at in range(50)))
    take = feed.broadcast._apply

    def noted(kind: Kind, entries: Any, at: int, triggered: float) -> int:
        sent.extend(key for key, body in entries if body is None)
        return take(kind, entries, at, triggered)

    feed.broadcast._apply = noted  # type: ignore[method-assign]
    feed.list(Kind.SERVICE)
    assert sent == []
    assert feed.held == NAMES


def namespace(name: str, version: str, *, terminating: bool = False) -> Json:
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if terminating else {}
    return {"kind": "Namespace", "metadata": {"name": name, "resourceVersion": version, **deleted}}


@pytest.mark.parametrize("how", ["event", "list"])
def test_a_namespace_that_is_terminating_is_seen(how: str) -> None:
    feed = Feed()
    feed.list(Kind.SERVICE, *(Service("ns", f"s{at}") for at in range(50)))
    ending = namespace("ns", "11", terminating=True)
    by_event = watches(event("MODIFIED", ending), lasting=60.0)
    script = (lists(namespace("ns", "1")), by_event) if how == "event" else (lists(ending),)
    watch(Kind.NAMESPACE, feed, *script)
    feed.list(Kind.SERVICE)
    assert feed.names == set()


def test_it_holds_over_a_restart_through_the_snapshot(tmp_path: Path) -> None:
    config = Config(snapshot=str(tmp_path / "state"), no_endpoints=True, snapshot_max_age=1e12)
    feed = Feed()
    feed.list(Kind.NAMESPACE, Namespace("", "ns"))
    feed.list(Kind.SERVICE, *(Service("ns", f"s{at}") for at in range(50)))
    feed.list(Kind.SERVICE, Service("ns", "s0"))
    Snapshots(config, feed.broadcast).stop()  # writes

    other = Feed()
    other.now = 1100.0
    Snapshots(config, other.broadcast).restore()
    assert other.broadcast.guarded == feed.broadcast.guarded
    assert other.held == NAMES - {"s0"}
    other.list(Kind.NAMESPACE, Namespace("", "ns"))
    other.list(Kind.SERVICE, Service("ns", "s0"))
    assert other.names == NAMES
    body = other.broadcast.store.bodies[Kind.SERVICE]["ns/s1"]
    assert unpack(Kind.SERVICE, body).held == Held("guard", 1000)
    other.now = 4600.0
    other.broadcast.tick()
    assert other.names == {"s0"}


def test_a_snapshot_is_written_at_once_when_it_begins_or_ends(tmp_path: Path) -> None:
    config = Config(snapshot=str(tmp_path / "state"), no_endpoints=True, snapshot_max_age=1e12)
    feed = Feed()
    feed.list(Kind.NAMESPACE, Namespace("", "ns"))
    feed.list(Kind.SERVICE, *(Service("ns", f"s{at}") for at in range(50)))
    snapshots = Snapshots(config, feed.broadcast)
    snapshots.stop()
    feed.list(Kind.SERVICE)
    snapshots.tick()
    thread = snapshots._thread
    assert thread is not None
    thread.join(10)
    other = Feed()
    Snapshots(config, other.broadcast).restore()
    assert other.broadcast.guarded[0] == 1000
