"""A list that is split while it arrives equals what a JSON parser makes of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.cluster.objects import Kind
from grpcdns.source.api.decode import Decoder, ListReader, Unreadable
from grpcdns.source.api.splitter import Splitter


def item(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "ns", "resourceVersion": "1"}, **more}


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def listed(*items: Any, **more: Any) -> dict[str, Any]:
    return {"kind": "ServiceList", "metadata": {"resourceVersion": "9"}, "items": items, **more}


def read(body: bytes, size: int) -> tuple[list[str], list[str], str]:
    """The keys of the readable and the unreadable objects, and the list's version."""
    reader = ListReader(Decoder(Kind.SERVICE))
    found = []
    for at in range(0, len(body), size):
        found += [each.key for each in reader.feed(body[at : at + size])]
    found += [each.key for each in reader.finish()]
    return found, [bad.key for bad in reader.unreadable], reader.page.version


TRAP = {"nested": [{"metadata": {"a": 1}}, {"metadata": {"b": 2}}]}
SHAPES: dict[str, tuple[bytes, list[str], list[str]]] = {
    "as the API writes it": (compact(listed(item("a"), item("b"))) + b"\n", ["a", "b"], []),
    "one": (compact(listed(item("a"))), ["a"], []),
    "none": (compact(listed()), [], []),
    "null": (compact({"metadata": {"resourceVersion": "9"}, "items": None}), [], []),
    "no items": (compact({"metadata": {"resourceVersion": "9"}}), [], []),
    "white space": (json.dumps(listed(item("a"), item("b")), indent=2).encode(), ["a", "b"], []),
    "a separator inside an item": (
        compact(listed(item("a", spec=TRAP), item("b", spec=TRAP), item("c"))),
        ["a", "b", "c"], []),
    "a separator inside a string": (
        compact(listed(item("a", spec={"externalName": '},{"metadata":{'}), item("b"))),
        ["a", "b"], []),
    "items of another order": (
        compact(listed(item("a"), {"spec": {}, **item("b")}, item("c"))), ["a", "b", "c"], []),
    "metadata last": (
        compact({"items": [item("a"), item("b")], "metadata": {"resourceVersion": "9"}}),
        ["a", "b"], []),
    "a broken one": (
        compact(listed(item("a"), item("b", spec=7), item("c"))), ["a", "c"], ["ns/b"]),
    "a custom resource": (
        compact(listed({"apiVersion": "x/v1", **item("a")}, {"apiVersion": "x/v1", **item("b")})),
        ["a", "b"], []),
}  # fmt: skip


@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
@pytest.mark.parametrize(("body", "keys", "bad"), SHAPES.values(), ids=SHAPES.keys())
def test_shapes(body: bytes, keys: list[str], bad: list[str], size: int) -> None:
    assert read(body, size) == ([f"ns/{key}" for key in keys], bad, "9")


@pytest.mark.parametrize("size", [1, 50, 100_000])
def test_a_list_that_is_cut_short_is_an_error(size: int) -> None:
    body = compact(listed(item("a"), item("b"), item("c")))
    for length in range(len(body)):
        with pytest.raises(Unreadable, match="not a list"):
            read(body[:length], size)


def test_pieces_are_not_buffered() -> None:
    body = compact(listed(*[item(f"s{n}") for n in range(100)]))
    splitter, pieces, most = Splitter(), 0, 0
    for at in range(0, len(body), 100):
        pieces += len(list(splitter.feed(body[at : at + 100])))
        most = max(most, len(splitter._buffer))
    assert pieces == 99
    assert most < 300


VALUES = st.recursive(
    st.none() | st.integers() | st.text() | st.sampled_from(['},{"metadata":', "]}", '"items":[']),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "items", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.lists(VALUES, max_size=5), st.integers(1, 60), st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_items(values: list[Any], size: int, spaces: bool) -> None:
    items = [item(f"s{n}", annotations=value) for n, value in enumerate(values)]
    body = json.dumps(listed(*items)).encode() if spaces else compact(listed(*items))
    assert read(body, size) == ([f"ns/s{n}" for n in range(len(values))], [], "9")
