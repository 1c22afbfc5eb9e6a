"""What is answered for a Service that has lost its last ready endpoint, and until when."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Held,
    Kind,
    Object,
    Port,
    Service,
    pack,
    unpack,
)
from grpcdns.core.cluster.store import Store
from grpcdns.core.holding.empty import WINDOW, EmptyHold
from grpcdns.core.holding.losses import Taken

EPS, SVC = Kind.ENDPOINT_SLICE, Kind.SERVICE
T0: Final = 1000.0
SECONDS: Final = 60.0
READY, NOT, ENDING = "ready", "not", "ending"
HTTP: Final = (Port("http", "TCP", 80),)


def endpoint(number: int, state: str) -> Endpoint:
    details = EndpointDetails(serving=True, terminating=True) if state == ENDING else None
    return Endpoint((f"10.0.0.{number}",), state == READY, details=details)


def slice_of(which: str = "a", **states: str) -> EndpointSlice:
    """``e1="ready"``: the endpoint 10.0.0.1 is ready."""
    points = tuple(endpoint(int(name[1:]), state) for name, state in states.items())
    return EndpointSlice("ns", which, "s", endpoints=points, ports=HTTP)


class Feed:
    """A Store behind an EmptyHold, as in the feed."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or Store()
        self.hold = EmptyHold(SECONDS, self.store.get)
        self.hold.restore(self.store.bodies[EPS].values())
        if store is None:
            self.give(SVC, T0, **{"ns/s": Service("ns", "s", cluster_ips=("None",))})

    def give(self, kind: Kind, now: float, **objects: Object | None) -> None:
        entries = [(key, None if obj is None else pack(obj)) for key, obj in objects.items()]
        self._take(self.hold.take(kind, entries, now, int(now)))

    def slices(self, now: float, *slices: EndpointSlice, gone: tuple[str, ...] = ()) -> None:
        lost: dict[str, EndpointSlice | None] = {f"ns/{name}": None for name in gone}
        self.give(EPS, now, **lost, **{f"ns/{one.name}": one for one in slices})

    def tick(self, now: float) -> None:
        self._take(self.hold.tick(now))

    def _take(self, taken: Taken) -> None:
        for kind, entries in taken.items():
            self.store.update(kind, entries)

    @property
    def answered(self) -> set[int]:
        """The last octets of the addresses that are answered."""
        return {
            int(one.addresses[0].rpartition(".")[2])
            for slice_ in self.objects
            for one in slice_.endpoints
            if one.ready
        }

    @property
    def objects(self) -> list[EndpointSlice]:
        found = [unpack(EPS, body) for body in self.store.bodies[EPS].values()]
        return [one for one in found if isinstance(one, EndpointSlice)]

    @property
    def marks(self) -> set[Held | None]:
        return {one.held for one in self.objects if one.endpoints}


@pytest.fixture
def feed() -> Feed:
    one = Feed()
    one.slices(T0, slice_of(e1=READY, e2=READY))
    return one


def test_probes_that_fail(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    assert feed.answered == {1, 2}
    assert feed.marks == {Held("hold-empty", int(T0 + 1))}
    assert feed.hold.held_services == 1
    assert feed.objects[0].ports == HTTP


def test_one_after_the_other(feed: Feed) -> None:
    """The last one is not all that there was; one that failed long before is left out."""
    feed.slices(T0, slice_of(e1=READY, e2=READY, e3=READY))
    feed.slices(T0 + 5, slice_of(e1=READY, e2=READY, e3=NOT))
    feed.slices(T0 + 10, slice_of(e1=READY, e2=NOT, e3=NOT))
    assert feed.answered == {1}
    feed.slices(T0 + 5 + WINDOW, slice_of(e1=NOT, e2=NOT, e3=NOT))
    assert feed.answered == {1, 2}


@pytest.mark.parametrize("how", ["no endpoints", "no slice"])
def test_endpoints_that_are_gone_without_a_word(feed: Feed, how: str) -> None:
    if how == "no slice":
        feed.slices(T0 + 1, gone=("a",))
    else:
        feed.slices(T0 + 1, slice_of())
    assert feed.answered == {1, 2}


def test_scaled_to_zero(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=ENDING, e2=READY))
    feed.slices(T0 + 2, slice_of(e1=ENDING, e2=ENDING))
    assert feed.answered == set()
    feed.slices(T0 + 3, slice_of())
    assert feed.answered == set()
    assert feed.marks == set()


def test_scaled_to_zero_after_the_probes_failed(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    feed.slices(T0 + 2, slice_of(e1=ENDING, e2=NOT))
    assert feed.answered == {2}
    feed.slices(T0 + 3, slice_of(e1=ENDING, e2=ENDING))
    assert feed.answered == set()
    assert feed.hold.held_services == 0


def test_one_that_is_ready_again_ends_it(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    feed.slices(T0 + 2, slice_of(e1=NOT, e2=READY))
    assert feed.answered == {2}
    assert feed.marks == {None}


def test_a_new_pod_in_another_slice_ends_it(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    feed.slices(T0 + 2, slice_of("b", e3=READY))
    assert feed.answered == {3}


def test_it_ends_after_its_time_and_does_not_begin_again(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    feed.tick(T0 + SECONDS)
    assert feed.answered == {1, 2}
    feed.tick(T0 + 1 + SECONDS)
    assert feed.answered == set()
    feed.slices(T0 + 2 + SECONDS, slice_of(e1=NOT))
    assert feed.answered == set()
    feed.slices(T0 + 100, slice_of(e1=READY))
    feed.slices(T0 + 101, slice_of(e1=NOT))
    assert feed.answered == {1}, "a new failure is another hold"


def test_a_service_that_is_deleted(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    feed.give(SVC, T0 + 2, **{"ns/s": None})
    assert feed.answered == set()
    feed.slices(T0 + 3, gone=("a",))
    assert not feed.store.bodies[EPS]


def test_slices_that_go_after_their_service_are_not_held(feed: Feed) -> None:
    feed.give(SVC, T0 + 2, **{"ns/s": None})
    feed.slices(T0 + 3, gone=("a",))
    assert not feed.store.bodies[EPS]


def test_endpoints_that_move_between_slices_are_not_held(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of("b", e1=READY, e2=READY), gone=("a",))
    assert feed.marks == {None}
    assert feed.answered == {1, 2}


def restarted(feed: Feed) -> Feed:
    store = Store()
    for kind, bodies in feed.store.bodies.items():
        store.update(kind, bodies.items())
    return Feed(store)


def test_it_goes_on_after_a_restart_for_what_is_left_of_its_time(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    other = restarted(feed)
    other.tick(T0 + 500)
    assert other.answered == {1, 2}, "the API has not said anything yet"
    other.slices(T0 + 41, slice_of(e1=NOT, e2=NOT))
    assert other.marks == {Held("hold-empty", int(T0 + 1))}
    other.tick(T0 + SECONDS)
    assert other.answered == {1, 2}
    other.tick(T0 + 1 + SECONDS)
    assert other.answered == set()


def test_its_time_is_over_when_the_api_answers(feed: Feed) -> None:
    feed.slices(T0 + 1, slice_of(e1=NOT, e2=NOT))
    other = restarted(feed)
    other.slices(T0 + 2 + SECONDS, slice_of(e1=NOT, e2=NOT))
    assert other.answered == set()


# -- any history of one Service, against a model that goes by addresses alone


class Model:
    """The last time that each address was ready, whichever slice it is in."""

    def __init__(self) -> None:
        self.states: dict[int, str] = {}
        self.faded: dict[int, float] = {}
        self.until: float | None = None

    def now_is(self, now: float, states: dict[int, str]) -> None:
        before, self.states = self.states, states
        for number, state in before.items():
            if state == READY and states.get(number) != READY:
                self.faded[number] = now
        for number, state in states.items():
            if state != NOT:
                self.faded.pop(number, None)
        if READY in states.values():
            self.until = None
        elif READY in before.values():
            self.faded = {n: at for n, at in self.faded.items() if at > now - WINDOW}
            self.until = now + SECONDS
        if self.until is None and READY not in states.values():
            self.faded.clear()
        if not self.faded:
            self.until = None

    def tick(self, now: float) -> None:
        if self.until is not None and now >= self.until:
            self.until = None
            self.faded.clear()

    @property
    def answered(self) -> set[int]:
        if self.until is not None:
            return set(self.faded)
        return {number for number, state in self.states.items() if state == READY}


states = st.dictionaries(st.integers(1, 4), st.sampled_from([READY, READY, NOT, ENDING]))
moves = st.tuples(st.sampled_from([0.5, 3.0, 11.0, 61.0]), states, st.integers(0, 1))


@given(st.lists(moves, max_size=12))
@settings(max_examples=200, deadline=None)
def test_any_history(history: list[tuple[float, dict[int, str], int]]) -> None:
    """Endpoints are in one of two slices, by their number and a turn: they move, too."""
    feed, model, now = Feed(), Model(), T0
    for seconds, there, turn in history:
        now += seconds
        feed.tick(now)
        model.tick(now)
        assert feed.answered == model.answered
        model.now_is(now, there)
        parts: list[dict[str, str]] = [{}, {}]
        for number, state in there.items():
            parts[(number + turn) % 2][f"e{number}"] = state
        slices = [slice_of(name, **part) for name, part in zip("ab", parts, strict=True) if part]
        gone = tuple(name for name, part in zip("ab", parts, strict=True) if not part)
        feed.slices(now, *slices, gone=gone)
        assert feed.answered == model.answered
        assert (feed.hold.held_services == 1) == (model.until is not None)
        assert bool(feed.marks - {None}) == (feed.hold.held_services == 1)
    feed.give(SVC, now, **{"ns/s": None})
    assert feed.answered == {n for n, state in model.states.items() if state == READY}
