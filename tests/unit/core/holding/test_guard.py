"""The guard: what counts as too much at once, what is held meanwhile, and how it ends."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Held,
    Kind,
    Namespace,
    Object,
    Service,
    key_of,
)
from grpcdns.core.holding.guard import WINDOW, Guard
from tests.unit.core.holding.model import Guarded, Model, entry

NS, SVC, EPS = Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE
T0: Final = 1000.0
COUNT: Final = 100


def service(number: int, namespace: str = "ns") -> Service:
    return Service(namespace, f"s{number}", cluster_ips=("None",))


def slice_of(number: int, ready: int = 2, total: int = 2, namespace: str = "ns") -> EndpointSlice:
    points = tuple(Endpoint((f"10.0.{number}.{at}",), at < ready) for at in range(total))
    return EndpointSlice(namespace, f"s{number}-a", f"s{number}", endpoints=points)


def gone(*objects: Namespace | Service | EndpointSlice) -> list[tuple[str, Object | None]]:
    return [(key_of(obj), None) for obj in objects]


@pytest.fixture
def ours() -> Guarded:
    """100 Services of two endpoints, in ten Namespaces, that have been there for a while."""
    guarded = Guarded(20)
    guarded.change(NS, [entry(Namespace("", f"ns{at}")) for at in range(10)], T0 - 100)
    guarded.change(SVC, [entry(service(at, name_of(at))) for at in range(COUNT)], T0 - 100)
    slices = [entry(slice_of(at, namespace=name_of(at))) for at in range(COUNT)]
    guarded.change(EPS, slices, T0 - 100)
    return guarded


def name_of(number: int) -> str:
    return f"ns{number % 10}"


def services(*numbers: int) -> list[tuple[str, Object | None]]:
    return gone(*(service(at, name_of(at)) for at in numbers))


def emptied(*numbers: int, ready: int = 0) -> list[tuple[str, Object | None]]:
    return [entry(slice_of(at, ready, namespace=name_of(at))) for at in numbers]


def test_five_percent_are_followed_at_once(ours: Guarded) -> None:
    ours.change(SVC, services(*range(5)), T0)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 95


def test_a_list_that_comes_back_nearly_empty_changes_nothing(ours: Guarded) -> None:
    before = ours.shown
    ours.change(SVC, services(*range(3, COUNT)), T0)
    assert ours.guard.since == T0
    assert ours.guard.why.startswith("97 of 100 Services are gone")
    assert ours.shown == before
    assert ours.objects[SVC, "ns4/s4"].held == Held("guard", int(T0))
    assert (SVC, "ns1/s1") not in ours.marked, "it is there"
    assert ours.guard.held_services == 97


def test_what_was_followed_within_the_window_comes_back(ours: Guarded) -> None:
    before = ours.shown
    for at in range(20):
        ours.change(SVC, services(at), T0 + at * 0.1)
    assert len(ours.store.bodies[SVC]) == 80
    ours.change(SVC, services(20), T0 + 2)
    assert ours.shown == before


def test_the_same_number_over_a_longer_time_is_followed(ours: Guarded) -> None:
    for at in range(60):
        ours.change(SVC, services(at), T0 + at)
        ours.tick(T0 + at)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 40


@pytest.mark.parametrize("how", ["not ready", "no endpoints", "no slice"])
def test_services_that_lose_their_last_ready_endpoint(ours: Guarded, how: str) -> None:
    before = ours.shown
    changes = {
        "not ready": emptied(*range(30)),
        "no endpoints": [entry(slice_of(at, 0, 0, name_of(at))) for at in range(30)],
        "no slice": gone(*(slice_of(at, namespace=name_of(at)) for at in range(30))),
    }[how]
    ours.change(EPS, changes, T0)
    assert "30 of 100 Services" in ours.guard.why
    assert ours.shown == before


def test_endpoints_are_counted_even_if_no_service_is_empty(ours: Guarded) -> None:
    before = ours.shown
    ours.change(EPS, emptied(*range(50), ready=1), T0)
    assert ours.guard.why == "50 of 200 ready endpoints are gone (25 %)"
    assert ours.shown == before


def test_endpoints_that_move_to_another_slice_are_no_loss(ours: Guarded) -> None:
    names = [name_of(at) for at in range(COUNT)]
    moved = [
        entry(EndpointSlice(name, f"s{at}-b", f"s{at}", endpoints=slice_of(at).endpoints))
        for at, name in enumerate(names)
    ]
    ours.change(
        EPS, [*moved, *gone(*(slice_of(at, namespace=n) for at, n in enumerate(names)))], T0
    )
    assert not ours.guard.since


def test_a_namespace_that_its_owner_deletes_is_no_blast(ours: Guarded) -> None:
    """Half of the Services are in it."""
    for at in range(100, 200):
        ours.change(SVC, [entry(service(at, "ns0"))], T0)
    ours.terminate("ns0", T0 + 1)
    ours.change(SVC, gone(*(service(at, "ns0") for at in range(100, 200))), T0 + 2)
    ours.change(NS, gone(Namespace("", "ns0")), T0 + 3)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 100


def test_what_was_held_is_followed_once_its_namespace_is_seen_to_end(ours: Guarded) -> None:
    """The watches are separate: Services may be seen to go before their Namespace is."""
    for at in range(100, 200):
        ours.change(SVC, [entry(service(at, "ns0"))], T0)
    ours.change(SVC, gone(*(service(at, "ns0") for at in range(100, 200))), T0 + 2)
    assert ours.guard.since
    ours.terminate("ns0", T0 + 2.1)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 100


def test_a_namespace_that_went_unseen_explains_its_services(ours: Guarded) -> None:
    """As after an outage: it is missing in a list."""
    for at in range(100, 200):
        ours.change(SVC, [entry(service(at, "ns0"))], T0)
    ours.change(SVC, gone(*(service(at, "ns0") for at in range(100, 200))), T0 + 2)
    ours.change(NS, gone(Namespace("", "ns0")), T0 + 2.1)
    assert not ours.guard.since
    assert (NS, "/ns0") not in ours.shown


def test_too_many_namespaces(ours: Guarded) -> None:
    before = ours.shown
    ours.change(NS, gone(*(Namespace("", f"ns{at}") for at in range(5))), T0)
    ours.change(SVC, services(*range(0, COUNT, 2)), T0 + 0.1)
    assert ours.guard.why == "5 of 10 Namespaces are gone (50 %)"
    assert ours.shown == before


def test_while_it_holds_everything_but_losses_is_followed(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    moved = Service("ns1", "s61", cluster_ips=("10.96.0.9",))
    ours.change(SVC, [entry(service(500, "ns1")), entry(moved)], T0 + 1)
    ours.change(SVC, services(70), T0 + 1)
    assert ours.shown[SVC, "ns1/s500"] == service(500, "ns1")
    assert ours.shown[SVC, "ns1/s61"] == moved
    assert ours.shown[SVC, "ns0/s70"] == service(70, "ns0"), "a later loss is withheld, too"


def test_what_comes_back_is_followed_and_the_last_one_ends_it(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    ours.change(SVC, [entry(service(at, name_of(at))) for at in range(49)], T0 + 100)
    assert ours.guard.since
    assert ours.marked == {(SVC, "ns9/s49")}
    ours.change(SVC, [entry(service(49, "ns9"))], T0 + 101)
    assert not ours.guard.since
    assert not ours.marked


def test_it_ends_when_what_is_lost_has_been_little_for_a_while(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    ours.change(SVC, [entry(service(at, name_of(at))) for at in range(40)], T0 + 100)
    ours.tick(T0 + 100 + WINDOW - 1)
    assert ours.guard.since
    ours.tick(T0 + 100 + WINDOW)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 90


def test_release(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    ours.release(T0 + 30)
    assert not ours.guard.since
    assert len(ours.store.bodies[SVC]) == 50
    ours.tick(T0 + 31)
    assert not ours.guard.since


def test_it_ends_after_the_longest_time(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    ours.tick(T0 + 3599)
    assert len(ours.store.bodies[SVC]) == 100
    ours.tick(T0 + 3600)
    assert len(ours.store.bodies[SVC]) == 50


def restarted(ours: Guarded, now: float) -> Guarded:
    """Another feed that starts from the snapshot of this one."""
    other = Guarded(20)
    for kind, bodies in ours.store.bodies.items():
        other.store.update(kind, bodies.items())
    other.guard = Guard(other.store, 20, 3600)
    other.guard.restore(ours.guard.since, ours.guard.why, now, int(now))
    return other


def relist(ours: Guarded, kind: Kind, there: list[tuple[str, Object | None]], now: float) -> None:
    """A complete list."""
    lost = ours.store.bodies[kind].keys() - {key for key, _ in there}
    ours.change(kind, [*there, *((key, None) for key in sorted(lost))], now)


def test_it_holds_over_a_restart_even_what_is_little_by_then(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    other = restarted(ours, T0 + 60)
    assert other.guard.since == T0
    other.tick(T0 + 60 + 2 * WINDOW)
    assert other.guard.since, "nobody knows yet what is lost"
    there = [entry(service(at, name_of(at))) for at in range(10, COUNT)]
    relist(other, SVC, there, T0 + 100)
    other.guard.live = True
    assert len(other.store.bodies[SVC]) == 100
    assert len(other.marked) == 10
    other.tick(T0 + 101)
    other.tick(T0 + 101 + WINDOW)
    assert len(other.store.bodies[SVC]) == 90
    assert not other.marked


def test_a_restart_does_not_prolong_it(ours: Guarded) -> None:
    ours.change(SVC, services(*range(50)), T0)
    other = restarted(ours, T0 + 3000)
    relist(other, SVC, [entry(service(at, name_of(at))) for at in range(50, COUNT)], T0 + 3001)
    assert len(other.store.bodies[SVC]) == 100
    other.tick(T0 + 3600)
    assert len(other.store.bodies[SVC]) == 50


@pytest.mark.parametrize("released", [False, True], ids=["ended", "released"])
def test_what_a_guard_held_that_has_ended_is_no_new_loss(ours: Guarded, released: bool) -> None:
    """It ended while nothing ran, or was released before the first list."""
    ours.change(SVC, services(*range(50)), T0)
    ours.change(EPS, gone(*(slice_of(at, namespace=name_of(at)) for at in range(50))), T0)
    other = restarted(ours, T0 + (60 if released else 4000))
    if released:
        other.release(T0 + 61)
    relist(other, SVC, [entry(service(at, name_of(at))) for at in range(50, COUNT)], T0 + 4001)
    left = [entry(slice_of(at, namespace=name_of(at))) for at in range(50, COUNT)]
    relist(other, EPS, left, T0 + 4001)
    other.guard.live = True
    assert not other.guard.since
    assert len(other.store.bodies[SVC]) == 50
    # It counts what is there, not what was: half of it is half.
    other.change(SVC, services(*range(50, 62)), T0 + 5000)
    assert other.guard.since


def test_a_cluster_of_few_services_is_followed() -> None:
    ours = Guarded(20)
    ours.change(NS, [entry(Namespace("", "ns"))], T0)
    ours.change(SVC, [entry(service(at)) for at in range(4)], T0)
    ours.change(SVC, gone(*(service(at) for at in range(4))), T0 + 1)
    assert not ours.guard.since


# -- any history, against a guard that counts everything again each time

NAMES: Final = ("a", "b", "c", "d", "e", "f")
steps = st.one_of(
    st.tuples(st.just("namespaces"), st.sets(st.sampled_from(NAMES))),
    st.tuples(st.just("services"), st.sets(st.tuples(st.sampled_from(NAMES), st.integers(0, 2)))),
    st.tuples(
        st.just("slices"),
        st.dictionaries(
            st.tuples(st.sampled_from(NAMES), st.integers(0, 2), st.sampled_from("xy")),
            st.integers(0, 3),
        ),
    ),
    st.tuples(st.just("terminate"), st.sampled_from(NAMES)),
    st.tuples(st.just("one service"), st.tuples(st.sampled_from(NAMES), st.integers(0, 2))),
    st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 11.0, 60.0])),
)


def play(one: Guarded | Model, what: str, value: Any, truth: Model, now: float) -> None:
    """A step, the same for both: a list, an event, a while."""
    there: list[tuple[str, Object | None]]
    if what == "namespaces":
        kind, there = NS, [entry(Namespace("", name)) for name in sorted(value)]
    elif what == "services":
        kind, there = SVC, [entry(service(at, name)) for name, at in sorted(value)]
    elif what == "slices":
        kind, there = (
            EPS,
            [
                entry(_slice(name, at, which, ready))
                for (name, at, which), ready in sorted(value.items())
            ],
        )
    elif what == "one service":
        name, at = value
        key = f"{name}/s{at}"
        one.change(SVC, [(key, None if (SVC, key) in truth.truth else service(at, name))], now)
        return
    elif what == "terminate":
        if (NS, f"/{value}") in truth.truth:
            one.terminate(value, now)
        return
    else:
        one.tick(now)
        return
    lost = {key for (of, key) in truth.truth if of is kind} - {key for key, _ in there}
    one.change(kind, [*there, *((key, None) for key in sorted(lost))], now)


def _slice(name: str, at: int, which: str, ready: int) -> EndpointSlice:
    points = slice_of(at, ready, 3).endpoints
    return EndpointSlice(name, f"s{at}-{which}", f"s{at}", endpoints=points)


@given(st.lists(steps, max_size=20), st.sampled_from([10, 30, 60]))
@settings(max_examples=60, deadline=None)
def test_any_history(history: list[tuple[str, Any]], percent: int) -> None:
    ours, model, now = Guarded(percent, 100.0), Model(percent, 100.0), T0
    for what, value in [
        ("namespaces", set(NAMES)),
        ("services", {(name, at) for name in NAMES for at in range(3)}),
        ("slices", {(name, at, "x"): 2 for name in NAMES for at in range(3)}),
        ("wait", 60.0),
        *history,
    ]:
        now += value if isinstance(value, float) else 0.25
        # The model last: both look at what the API said before.
        play(ours, what, value, model, now)
        play(model, what, value, model, now)
        assert bool(ours.guard.since) == (model.began is not None), (what, value)
        assert ours.shown == model.shown, (what, value)
        truth = {key for key in ours.shown if ours.shown[key] == model.truth.get(key)}
        assert ours.marked == ours.shown.keys() - truth, "what is held is marked, and nothing else"
    ours.release(now)
    assert ours.objects == model.truth
