"""Field names with wrong capitals (``clusterIp``), whose values would be ignored without a word.
kubectl refuses unknown fields.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec


class _Tree(NamedTuple):
    """The fields of a shape, by name and by name in lower case, with what is in them."""

    inside: dict[str, _Tree | None]
    by_lower: dict[str, str]


def misspelt(value: Any, shape: type[msgspec.Struct]) -> Iterator[tuple[str, str]]:
    """Where such a field is (the path of what it is in), and what is wrong."""
    yield from _walk(value, _tree(shape), "$")


def _walk(value: Any, tree: _Tree, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, each in enumerate(value):
            yield from _walk(each, tree, f"{path}[{index}]")
    if not isinstance(value, dict):
        return
    for key, each in value.items():
        if key in tree.inside:
            inside = tree.inside[key]
            if inside is not None:
                yield from _walk(each, inside, f"{path}.{key}")
        elif (meant := tree.by_lower.get(key.lower())) is not None:
            yield (f"{path}.{key}", f"there is no field `{key}`: did you mean {meant}?")


@cache
def _tree(shape: type[msgspec.Struct]) -> _Tree:
    info = msgspec.inspect.type_info(shape)
    assert isinstance(info, msgspec.inspect.StructType)  # noqa: S101
    inside = {field.encode_name: _inside(field.type) for field in info.fields}
    return _Tree(inside, {name.lower(): name for name in inside})


def _inside(info: msgspec.inspect.Type) -> _Tree | None:
    """What a field holds: a shape, or a list of them, or nothing of the kind."""
    if isinstance(info, msgspec.inspect.UnionType):
        found = (_inside(each) for each in info.types)
        return next((tree for tree in found if tree is not None), None)
    if isinstance(info, msgspec.inspect.ListType):
        return _inside(info.item_type)
    return _tree(info.cls) if isinstance(info, msgspec.inspect.StructType) else None
