"""Every order of events leads to the same answers, and the memo is never stale.

A handler takes random events: objects that come, change, go and come again; events that are lost
until a relist; another policy. After each of them it must answer as a new handler with the same
objects does. How a Service's slices are searched, as few or as many (`Owners`), must not matter,
nor that the short ways of a look-up are not taken while somebody observes it.
"""

from __future__ import annotations

import os
from random import Random
from typing import Final

import pytest
from hypothesis import HealthCheck, given, note, seed, settings
from hypothesis import strategies as st

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.index import Serial
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.core.handler import Handler
from harness.api import Object
from tests.conformance.cluster import OBJECTS
from tests.conformance.loading import KIND_NAMES, ask, fail, lists_of, packed, reply_to
from tests.conformance.outside import OUTSIDE
from tests.conformance.questions import QTYPES, names_of, near
from tests.conformance.random_cluster import clusters
from tests.conformance.reply import query
from tests.unit.core.making import many_are_more_than

SEED: Final = int(os.environ.get("DIFFERENTIAL_SEED", Random().randrange(1 << 32)))
ZONES: Final = ("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa.")
CONFIGS: Final = (
    Config(zones=ZONES, multicluster=("clusterset.local.",), pods="verified", zonal=True),
    Config(zones=ZONES, pods="insecure", endpoint_pod_names=True, ttl=30),
    Config(zones=ZONES, no_endpoints=True, namespaces=("one",), ttl=0),
    Config(zones=ZONES, ignore_empty_service=True, external_zones=("outside.example.",),
           external_headless=True, dns_service="one/web"),
    Config(zones=ZONES, multicluster=("clusterset.local.",), ttl_mode="adaptive"),
    Config(zones=ZONES, ignore_empty_service=True, external_zones=("outside.example.",),
           external_headless=True, dns_service="one/web", ttl_mode="adaptive"),
)  # fmt: skip
ALL: Final = Config(
    zones=ZONES, multicluster=("clusterset.local.",), pods="verified", zonal=True,
    endpoint_pod_names=True, external_zones=("outside.example.", "51.198.in-addr.arpa."),
    external_headless=True, dns_service="testns/svc1",
)  # fmt: skip
WATCHED: Final = Config(zonal=True, endpoint_pod_names=True).policy()
State = dict[tuple[Kind, str], bytes]

thorough = settings(
    max_examples=int(os.environ.get("DIFFERENTIAL_EXAMPLES", "10")),
    deadline=None,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(autouse=True, scope="module")
def _say_seed() -> None:
    print(f"DIFFERENTIAL_SEED={SEED}")


def state_of(objects: list[Object]) -> State:
    found = packed(lists_of(objects), WATCHED)
    return {(kind, key): body for kind, pairs in found.items() for key, body in pairs}


class Bystander:
    """An observer that keeps nothing: with one, no look-up takes a short way."""

    def looked_up(self, kind: Kind, key: str, obj: object) -> None: ...

    def left_out(self, reason: object, what: object, part: str = "") -> None: ...


def fresh(state: State, policy: Policy, many: int = 16) -> Handler:
    handler = Handler(policy, report=fail)
    many_are_more_than(many, handler)
    for kind in Kind:
        listed = [(key, body) for (one, key), body in state.items() if one is kind]
        for _ in handler.replace(kind, [listed], 1):
            pass
    return handler


def check_same(handler: Handler, state: State, config: Config, asked: list[bytes]) -> None:
    other = fresh(state, config.policy())
    other.index.recent = handler.index.recent  # what changed lately is no part of the state
    other.index.observer = Bystander()
    for message in asked:
        reply = reply_to(handler, message, OUTSIDE)
        assert reply.folded() == reply_to(other, message, OUTSIDE).folded(), reply.question
        assert reply_to(handler, message, OUTSIDE) == reply
        check_serial(handler, config, reply.answer + reply.authority)


def check_serial(handler: Handler, config: Config, records: tuple[str, ...]) -> None:
    """The SOA has the zone's current serial, from the memo or not."""
    for fields in (record.lower().split(" ") for record in records):
        if fields[3] == "soa":
            serial = Serial.CLUSTER
            if "clusterset" in fields[0] and config.multicluster:
                serial = Serial.MULTICLUSTER
            if "outside" in fields[0]:
                serial = Serial.EXTERNAL
            assert int(fields[6]) == handler.index.serials[serial]


@seed(SEED)
@thorough
@given(
    states=st.lists(clusters(), min_size=2, max_size=3),
    steps=st.integers(0, 1 << 32),
    configs=st.sampled_from(CONFIGS).map(lambda config: [config])
    | st.lists(st.sampled_from(CONFIGS), min_size=2, max_size=2),
)
def test_any_order(states: list[list[Object]], steps: int, configs: list[Config]) -> None:
    random = Random(steps)
    room = random.choice((1_000_000, 1_000_000, 20_000))
    clock = 0.0
    handler = Handler(configs[0].policy(), fail, room, room, clock=lambda: clock)
    many_are_more_than(random.choice((0, 2, 16)), handler)
    # The same questions all the time, so that answers come from the memo.
    asked = questions_about([obj for state in states for obj in state], random)
    held: State = {}
    config = configs[0]
    now = 0
    for number, objects in enumerate(states):
        goal = state_of(objects)
        if configs[number % len(configs)] != config:
            config = configs[number % len(configs)]
            handler.set_policy(config.policy())
        changes = [key for key in {**held, **goal} if held.get(key) != goal.get(key)]
        random.shuffle(changes)
        lost = set(random.sample(changes, random.randrange(len(changes) + 1) // 2))
        note(f"{len(changes)} changes, {len(lost)} lost")
        for key in changes:
            now += 1
            clock += random.choice((0.1, 1, 20, 61))
            handler.expire()
            if key in lost:
                continue
            change = Change(key[0], key[1], goal.get(key), now)
            for _ in range(random.choice((1, 1, 2))):
                handler.apply(change)
            if key in goal:
                held[key] = goal[key]
            else:
                held.pop(key, None)
            if handler.index.synced:
                check_same(handler, held, config, asked)
        kinds = list(Kind)
        random.shuffle(kinds)
        for kind in kinds:
            now += 1
            listed = [(key, body) for (one, key), body in goal.items() if one is kind]
            random.shuffle(listed)
            for _ in handler.replace(kind, [[one] for one in listed], now):
                if handler.index.synced:
                    ask(handler, random.choice(asked), OUTSIDE)
        held = goal
        check_same(handler, held, config, asked)
    check_bounds(handler, room)


def questions_about(objects: list[Object], random: Random) -> list[bytes]:
    """Questions about names that one of the states has, and about a few similar ones."""
    names = names_of(objects, CONFIGS[3]) + names_of(objects, CONFIGS[0])
    near_them = [name for name in names if any(f".{ns}." in name for ns in ("one", "two"))]
    reverse = [name for name in names if name.endswith(".arpa.")]
    chosen = random.sample(near_them, min(16, len(near_them))) + random.sample(reverse, 4)
    chosen += [*random.sample(names, 3), *near(names, random, 3)]
    pairs = [(name, qtype) for name in chosen for qtype in ("A", random.choice(QTYPES))]
    return [query(*pair) for pair in [*pairs, *((name, "PTR") for name in reverse[:8])]]


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind is not Kind.NAMESPACE])
def test_each_object_goes_and_comes(kind: Kind) -> None:
    """What the memo has about an object's name and addresses goes when the object does."""
    state = state_of(OBJECTS)
    live, whole = fresh(state, ALL.policy(), many=0), fresh(state, ALL.policy())
    for obj in OBJECTS:
        if obj["kind"] == KIND_NAMES[kind]:
            key = (kind, f"{obj['metadata']['namespace']}/{obj['metadata']['name']}")
            names = list(dict.fromkeys(name for name in names_of([obj], ALL) if is_its(obj, name)))
            if key in state:
                goes_and_comes(live, whole, state, key, names)


@pytest.mark.parametrize("name", ["testns", "hidden", "svc", "empty"])
def test_each_namespace_goes_and_comes(name: str) -> None:
    state = state_of(OBJECTS)
    inside = [obj for obj in OBJECTS if obj["metadata"].get("namespace") == name]
    names = [f"{name}.svc.cluster.local.", f"{name}.outside.example.", *names_of(inside, ALL)[::7]]
    live, whole = fresh(state, ALL.policy()), fresh(state, ALL.policy())
    goes_and_comes(live, whole, state, (Kind.NAMESPACE, f"/{name}"), names)


def is_its(obj: Object, name: str) -> bool:
    meta = obj["metadata"]
    return f".{meta['namespace']}." in name or name.endswith(".arpa.")


def goes_and_comes(
    handler: Handler, whole: Handler, state: State, key: tuple[Kind, str], names: list[str]
) -> None:
    """``whole`` is a handler that keeps all of ``state``."""
    asked = [query(name, "PTR" if name.endswith(".arpa.") else "A") for name in names]
    asked += [query(name, "SRV") for name in names if name.startswith("_")]
    without = {one: body for one, body in state.items() if one != key}
    before = [reply_to(handler, message, OUTSIDE) for message in asked]
    for at, body, other in ((2, None, fresh(without, ALL.policy())), (3, state[key], whole)):
        handler.apply(Change(*key, body, at))
        for message in asked:
            reply = reply_to(handler, message, OUTSIDE)
            assert reply.folded() == reply_to(other, message, OUTSIDE).folded(), reply.question
    after = [reply_to(handler, message, OUTSIDE).folded() for message in asked]
    assert after == [reply.folded() for reply in before]


def check_bounds(handler: Handler, room: int) -> None:
    entries, octets = handler.memo_sizes()
    assert octets <= 2 * room
    handler._memo.clear()
    assert handler.memo_sizes() == (0, 0)
    assert not handler._memo._tagged, "tags of answers that are forgotten"
    assert entries or not handler.stats.misses
