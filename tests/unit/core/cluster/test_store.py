"""What a list or an event changes, and what is held."""

from __future__ import annotations

from grpcdns.core.cluster.objects import (
    Kind,
    Service,
    key_of,
    pack,
)
from grpcdns.core.cluster.store import Store
from tests.unit.core.making import (
    SVC,
    with_,
)


def test_store() -> None:
    """Each list and event is turned into what it changes, and held."""
    store = Store()
    other: Service = with_(SVC, name="t")
    svc, others = (key_of(SVC), pack(SVC)), (key_of(other), pack(other))
    assert list(store.steps(Kind.SERVICE, [[svc]])) == [[svc]]
    assert store.listed == {Kind.SERVICE}
    assert store.replace(Kind.SERVICE, [svc]) == 1
    assert store.bodies[Kind.SERVICE] == dict([svc])
    assert store.replace(Kind.SERVICE, [svc]) == 0
    assert store.replace(Kind.SERVICE, [(key_of(SVC), None)]) == 0, "as it is held"
    found = [list(store.take(Kind.SERVICE, step)) for step in store.steps(Kind.SERVICE, [[others]])]
    assert found == [[(others[0], None, others[1])], [(svc[0], svc[1], None)]]
    assert store.update(Kind.SERVICE, [others]) == 0
    assert store.update(Kind.SERVICE, [svc, others, ("ns/none", None)]) == 1
    assert store.update(Kind.SERVICE, [("ns/none", None)]) == 0
    assert list(store.take(Kind.SERVICE, [(svc[0], None)])) == [(*svc, None)]
    assert store.bodies[Kind.SERVICE] == dict([others])
    assert len(store) == 1


def test_store_does_not_hold_what_its_caller_cannot_read() -> None:
    store = Store()
    for key, _, _ in store.take(Kind.SERVICE, [("ns/a", b"1"), ("ns/b", b"2"), ("ns/c", b"3")]):
        if key == "ns/b":
            break
    assert store.bodies[Kind.SERVICE] == {"ns/a": b"1"}


def test_what_a_list_lacks_goes_in_steps() -> None:
    store = Store()
    store.replace(Kind.SERVICE, [(f"ns/{number:02}", b"") for number in range(40)])
    store.listed.clear()
    steps = store.steps(Kind.SERVICE, [[("ns/00", None)], [("ns/40", b"x")]])
    sizes = []
    for entries in steps:
        assert not store.listed
        store.update(Kind.SERVICE, entries)
        sizes.append(len(entries))
    assert sizes == [0, 1, 16, 16, 7]
    assert store.listed == {Kind.SERVICE}
    assert store.bodies[Kind.SERVICE] == {"ns/00": b"", "ns/40": b"x"}
