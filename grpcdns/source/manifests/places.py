"""Where in a file an object stands, and a value in it: looked for only when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final, Protocol

import msgspec
import yaml

from grpcdns.source.manifests.values import Part, Span

_STEP: Final = re.compile(r"\.([\w-]+)|\[(\d+)\]")


class Place(Protocol):
    def line(self, path: str = "$") -> int:
        """The line (from 1) of what a path, as msgspec writes it, names in the object; that of the
        last step that is there."""

    def inside(self, index: int, item: Any) -> Place:
        """The place of an item, when the object is a List."""


class YamlPlace:
    """A span of a document, and a path from there."""

    def __init__(self, part: Part, span: Span, prefix: str = "$") -> None:
        self._part = part
        self._span = span
        self._prefix = prefix

    def line(self, path: str = "$") -> int:
        path = self._prefix + path.removeprefix("$")
        start, end, line, column = self._span
        first = self._part.line + line
        if path == "$":
            return first
        return first + _lines_to(" " * column + self._part.text(start, end), path)

    def inside(self, index: int, item: Any) -> YamlPlace:  # noqa: ARG002
        return YamlPlace(self._part, self._span, f"{self._prefix}.items[{index}]")


class JsonPlace:
    """A piece of the text from ``begin`` on, which is on ``line``."""

    def __init__(self, data: bytes, begin: int, line: int, raw: msgspec.Raw) -> None:
        self._data = data
        self._begin = begin
        self._line = line
        self._raw = raw

    def line(self, path: str = "$") -> int:
        raw = bytes(self._raw)
        at = max(self._data.find(raw, self._begin), self._begin)
        first = self._line + self._data.count(b"\n", self._begin, at)
        return first if path == "$" else first + _lines_to(raw.decode("utf-8", "replace"), path)

    def inside(self, index: int, item: Any) -> JsonPlace:  # noqa: ARG002
        return JsonPlace(self._data, self._begin, self._line, item)


def _lines_to(text: str, path: str) -> int:
    """How many lines into the text of a value stands what a path names in it."""
    loader: Any = yaml.CSafeLoader(text)
    try:
        events = iter(loader.get_event, None)
        next(events), next(events)  # the stream, the document
        return _find(events, [name or int(index) for name, index in _STEP.findall(path)])
    except (yaml.YAMLError, StopIteration):
        return 0
    finally:
        loader.dispose()


def _find(events: Iterator[Any], steps: list[str | int]) -> int:
    event = next(events)
    line = int(event.start_mark.line)
    for step in steps:
        if isinstance(event, yaml.MappingStartEvent):
            while not isinstance(key := next(events), yaml.MappingEndEvent):
                _skip(events, key)
                event = next(events)
                if isinstance(key, yaml.ScalarEvent) and key.value == step:
                    break
                _skip(events, event)
            else:
                break
        elif isinstance(event, yaml.SequenceStartEvent) and isinstance(step, int):
            event = next(events)
            for _ in range(step):
                _skip(events, event)
                event = next(events)
        else:
            break
        line = int(event.start_mark.line)
    return line


def _skip(events: Iterator[Any], event: Any) -> None:
    """What is left of the value that began with this event."""
    depth = 0
    while True:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth <= 0:
            return
        event = next(events)
