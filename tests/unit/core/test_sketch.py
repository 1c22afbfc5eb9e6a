"""The names asked most: the true ones are found, in memory that does not grow."""

from __future__ import annotations

import gc
import random
import tracemalloc
from collections import Counter
from itertools import accumulate
from typing import Final

import pytest

from grpcdns.core.cluster.objects import Kind
from grpcdns.core.dns.names import name_from_wire, name_to_text
from grpcdns.core.dns.wire import AAAA, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, A
from grpcdns.core.sketch import KEPT, MOST, OUTCOMES, AskedNames, Sketch, merged
from tests.conformance.reply import query
from tests.unit.core.making import SVC, T, change, get, made, with_

NAMES: Final = 1_000_000
QUERIES: Final = 2_000_000


@pytest.mark.slow
@pytest.mark.parametrize("s", [1.0, 0.9])
def test_the_true_top_20_of_a_million_names(s: float) -> None:
    """A Zipf law; counts are never too low, and too high by the floor at most."""
    law = list(accumulate(1 / rank**s for rank in range(1, NAMES + 1)))
    draw = random.Random(17)
    sketch, truth = Sketch(), Counter[bytes]()
    for _ in range(QUERIES // 10_000):
        for name in draw.choices(range(NAMES), cum_weights=law, k=10_000):
            key = b"%d" % name
            truth[key] += 1
            sketch.add(key)
    found = sketch.top(20)
    assert [key for key, _ in found] == [key for key, _ in ordered(truth)[:20]]
    assert sketch.floor <= QUERIES / KEPT
    for key, count in sketch.top(KEPT):
        assert truth[key] <= count <= truth[key] + sketch.floor
    assert len(sketch) <= MOST


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_flood_of_names_hides_none(times: int) -> None:
    """Names that come a few times and never again, as a scan's, and some that come all the time."""
    sketch, truth = Sketch(), Counter[bytes]()
    for number in range(60_000 // times):
        for key in (b"flood%d" % number,) * times + (b"often%d" % (number % 40),):
            truth[key] += 1
            sketch.add(key)
    assert sketch.floor <= truth.total() / KEPT
    assert {key for key, _ in sketch.top(40)} == {b"often%d" % number for number in range(40)}
    for key, count in sketch.top(MOST):
        assert truth[key] <= count <= truth[key] + sketch.floor
    assert len(sketch) <= MOST


def ordered(truth: Counter[bytes]) -> list[tuple[bytes, int]]:
    return sorted(truth.items(), key=lambda pair: (-pair[1], pair[0]))


def test_counts_of_entries_come_at_once() -> None:
    """As the memo's do: a key with all hits that it had."""
    one, many = Sketch(8, 16), Sketch(8, 16)
    draw = random.Random(3)
    for _ in range(500):
        key, count = b"%d" % draw.randrange(8), draw.randrange(1, 30)
        one.add(key, count)
        for _ in range(count):
            many.add(key)
    assert one.top(8) == many.top(8)
    assert one.floor == many.floor == 0


def test_memory_is_flat_over_names_of_full_length() -> None:
    names = AskedNames()

    def flood(start: int) -> int:
        for number in range(start, start + 20 * (MOST - KEPT)):
            for outcome in OUTCOMES:
                names.add(b"%d" % number + b"x" * 240, outcome)
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        first = flood(0)
        assert flood(20 * (MOST - KEPT)) < first * 1.1
        assert first < 6 << 20
    finally:
        tracemalloc.stop()


def test_a_period_goes_with_the_second_turn() -> None:
    names = AskedNames()
    names.add(b"old", NOERROR, 3)
    names.turn()
    names.add(b"old", NOERROR, 2)
    names.add(b"new", NOERROR)
    assert names.top(NOERROR, 9).counts == [(b"old", 5), (b"new", 1)]
    names.turn()
    assert names.top(NOERROR, 9).counts == [(b"old", 2), (b"new", 1)]


def test_workers_lists_are_added_up() -> None:
    assert merged([[(b"a", 3), (b"b", 2)], [(b"b", 2), (b"c", 1)]], 2) == [(b"b", 4), (b"a", 3)]


def test_each_query_is_counted_by_what_became_of_it() -> None:
    """Once each: made, from the memo, and when its entry has gone."""
    handler = made([SVC])
    for _ in range(5):
        get(handler, f"S.{T}")
        get(handler, f"s.{T}", "AAAA")
        get(handler, f"no.{T}")
        get(handler, "www.example.com.")
    handler.apply(change(with_(SVC, cluster_ips=("10.0.0.2",))))
    get(handler, f"s.{T}")
    handler.counted()
    found = {
        (text(key), int.from_bytes(key[-4:-2], "big"), OUTCOMES[outcome]): count
        for outcome in OUTCOMES
        for key, count in handler.names.top(outcome, 9).counts
    }
    assert found == {
        ("s.ns.svc.cluster.local.", A, "NOERROR"): 6,
        ("s.ns.svc.cluster.local.", AAAA, "NODATA"): 5,
        ("no.ns.svc.cluster.local.", A, "NXDOMAIN"): 5,
        ("www.example.com.", A, "REFUSED"): 5,
    }


def test_of_a_flood_outside_the_zones_one_query_in_sixteen_is_counted() -> None:
    """By the ID, which clients draw at random. The top is true within a fifth."""
    handler, draw = made([SVC]), random.Random(5)
    for number in range(20_000):
        name = b"f%d" % number if number % 5 else b"often"
        handler.handle(query(f"{name.decode()}.example.com.", "A", id_=draw.randrange(1 << 16)))
    (key, count), (_, second), *_ = handler.names.top(REFUSED, 9).counts
    assert text(key) == "often.example.com."
    assert 0.8 * 4000 < count < 1.2 * 4000
    assert second < 400
    handler.names.turn()
    get(handler, "again.example.com.")
    assert not handler.names.flooded


def test_a_fault_is_counted_under_its_name() -> None:
    handler = made([SVC])
    handler._report = None
    handler.index.store.bodies[Kind.SERVICE]["ns/s"] = b"\xc1"
    get(handler, f"s.{T}")
    assert [text(key) for key, _ in handler.names.top(SERVFAIL, 9).counts] == [f"s.{T}"]
    assert not handler.names.top(NXDOMAIN, 9).counts


def text(key: bytes) -> str:
    return name_to_text(name_from_wire(key[:-4]))
