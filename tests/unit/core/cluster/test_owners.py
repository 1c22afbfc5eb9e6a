"""The labels of endpoints are there while their Service has many slices."""

from __future__ import annotations

from random import Random

from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, pack
from grpcdns.core.cluster.owners import Owners

MANY = Owners({}).many


def a_slice(number: int, hostname: str) -> EndpointSlice:
    point = Endpoint(("10.0.0.1",), True, hostname)
    return EndpointSlice("ns", f"{number}", "s", endpoints=(point,))


def test_labels_come_and_go_with_many_slices() -> None:
    """Whatever changes, what is labelled is what the slices say."""
    bodies: dict[str, bytes] = {}
    held: dict[str, EndpointSlice] = {}
    owners, random = Owners(bodies), Random(4)
    largest = 0
    for step in range(2000):
        # Up and down between none and twice as many.
        aim = MANY * 2 if step % 200 < 100 else 0
        key = str(random.randrange(MANY * 2))
        before = held.pop(key, None)
        after = a_slice(int(key), f"h{random.randrange(4)}")
        if before is not None:
            owners.discard("ns/s", key, before)
        if random.random() < (0.8 if len(held) < aim else 0.2):
            owners.add("ns/s", key, after)
            held[key], bodies[key] = after, pack(after)
        else:
            bodies.pop(key, None)
        assert list(owners.find("ns/s")) == sorted(held)
        for label in {f"h{number}" for number in range(4)}:
            having = [one for one in sorted(held) if held[one].endpoints[0].hostname == label]
            found = list(owners.labelled("ns/s", label))
            if len(held) > MANY:
                assert found == having
            elif len(held) <= MANY // 2:
                assert not found
            else:
                assert found in (having, [])
        largest = max(largest, len(held))
    assert largest > MANY + 4
    for key, slice_ in held.items():
        owners.discard("ns/s", key, slice_)
    assert not owners.find("ns/s")
    assert not owners._labels
    assert not owners._labelled
