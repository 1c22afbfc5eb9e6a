"""The text of a manifest -> its objects as plain values, and where in the text each one stands.

YAML or JSON, one document or many, Lists taken apart: whatever ``kubectl get -o yaml`` and
``-o json`` print. YAML is read by libyaml, about 1 MB/s; JSON by msgspec, a hundred times that.
Lines are looked for only when something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import yaml

DEPTH: Final = 500
_LONG_LINE: Final = re.compile(f".{{{DEPTH}}}")


class ManifestError(Exception):
    """A manifest cannot be read: what, and on which line (from 1)."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(f"line {line}: {problem}")
        self.line = line
        self.problem = problem


Place = tuple[int, int]
"""Where an object is: its document's number and, in a List, its own (-1: in no List)."""


class Document(NamedTuple):
    """One object: of YAML as plain values, of JSON as its text."""

    kind: str
    value: dict[str, Any] | msgspec.Raw
    place: Place


class _Json(msgspec.Struct):
    """A document of JSON, as far as it must be known before its kind is."""

    kind: str = ""
    items: list[msgspec.Raw] | None = None


_json = msgspec.json.Decoder(_Json)


class _Loader(yaml.CSafeLoader):
    """As Kubernetes reads YAML: a date is text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_documents(text: str) -> Iterator[Document]:
    """The objects in a text. Raises ManifestError."""
    if text.lstrip()[:1] == "{":
        try:
            documents = list(_json_objects(text))
        except (msgspec.DecodeError, RecursionError):
            pass  # YAML's own braces, or a mistake whose line YAML will tell
        else:
            yield from documents
            return
    for number, value in enumerate(_values(text)):
        if value is None:
            continue
        if not isinstance(value, dict):
            raise ManifestError(find_line(text, (number, -1)), "this is no Kubernetes object")
        yield from _objects(text, value, number)


def find_line(text: str, place: Place, path: str = "$") -> int:
    """The line of an object, or of what ``path`` (as msgspec writes it) says in it."""
    try:
        nodes: list[Any] = list(yaml.compose_all(text, yaml.CSafeLoader))
        node = nodes[place[0]]
        if place[1] >= 0:
            node = _child(_child(node, "items"), place[1])
        for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
            node = _child(node, name or int(index)) or node
        return int(node.start_mark.line) + 1
    except (yaml.YAMLError, IndexError, AttributeError):
        return 1


def _json_objects(text: str) -> Iterator[Document]:
    """The objects of a document of JSON. Raises msgspec.DecodeError."""
    whole = _json.decode(text)
    if not whole.kind:
        raise msgspec.ValidationError("no kind")
    if not whole.kind.endswith("List") or whole.items is None:
        yield Document(whole.kind, msgspec.Raw(text.encode()), (0, -1))
        return
    for index, item in enumerate(whole.items):
        kind = _json.decode(item).kind or whole.kind.removesuffix("List")
        if not kind:
            raise msgspec.ValidationError("no kind")
        yield Document(kind, item, (0, index))


def _check_depth(text: str) -> None:
    """Raises ManifestError for what nests deeper than any manifest: libyaml's composer calls itself
    for each level, and a deep enough file would end the process. A text of few brackets and
    short lines cannot be deep, and most are such."""
    if text.count("[") + text.count("{") < DEPTH and not _LONG_LINE.search(text):
        return
    depth = 0
    event: Any
    for event in yaml.parse(text, yaml.CSafeLoader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEPTH:
            raise ManifestError(event.start_mark.line + 1, "not YAML: nested too deep")


def _values(text: str) -> Iterator[Any]:
    try:
        _check_depth(text)
        yield from yaml.load_all(text, _Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise ManifestError(mark.line + 1 if mark else 1, f"not YAML: {problem}") from error
    except (yaml.YAMLError, ValueError) as error:  # characters, tags and numbers out of range
        raise ManifestError(_line_of(error, text), f"not YAML: {_first_line(error)}") from error
    except RecursionError as error:
        raise ManifestError(1, "not YAML: too deep") from error


def _objects(text: str, value: dict[str, Any], number: int) -> Iterator[Document]:
    kind = value.get("kind")
    if not isinstance(kind, str) or not kind:
        raise ManifestError(find_line(text, (number, -1)), "this is no Kubernetes object: no kind")
    items = value.get("items")
    if not kind.endswith("List") or "items" not in value:
        yield Document(kind, value, (number, -1))
        return
    for index, item in enumerate(items if isinstance(items, list) else ()):
        place = (number, index)
        if not isinstance(item, dict):
            raise ManifestError(find_line(text, place), f"no object in this {kind}")
        item_kind = item.get("kind") or kind.removesuffix("List")
        if not isinstance(item_kind, str) or not item_kind:
            raise ManifestError(find_line(text, place), f"an object without a kind in this {kind}")
        yield Document(item_kind, item, place)


def _child(node: Any, key: str | int) -> Any:
    """What a mapping has under a name, or a sequence at a place; None where it has nothing."""
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def _line_of(error: Exception, text: str) -> int:
    position = getattr(error, "position", None)
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else 1


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
