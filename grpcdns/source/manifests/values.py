"""YAML -> plain values, as kubectl reads it: documents cut apart, events put together.

    for part in split(data):     the documents, as kubectl cuts a file into them
        reader = Reader(part)    one of them; a List is read item by item

libyaml (the parser that kubectl's go.yaml.in/yaml/v2 was translated from) does the syntax; the
values are made here, because PyYAML's own are those of YAML 1.1. Nothing but the object being read
is in memory besides the text: a List of 100 MB is read item by item.

What go.yaml.in/yaml/v2 does and YAML does not ask for is done here too: of two equal keys the last
one counts, an anchor may be set twice, ``<<`` merges, a document ends where its file has a line
``---``, and aliases that make much of little are refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Final, NamedTuple, cast

import yaml

from grpcdns.source.manifests.scalars import HINTS, MERGE, key_text, resolve, to_json

MAX_DEPTH: Final = 10_000
"""Go's YAML and JSON readers refuse what is nested deeper."""

_LIST: Final = re.compile(rb"kind:[ \t]+[\"']?\w*List\b")
_MENDABLE: Final = (b":,", b":]", b":}", b"\\'")
_MENDS: Final = 100
BOM: Final = b"\xef\xbb\xbf"


class ManifestError(Exception):
    """A manifest cannot be read: what is wrong, and on which line (from 1). ``number`` is that of
    the document, -1 when it is none."""

    def __init__(self, line: int, problem: str, number: int = -1) -> None:
        super().__init__(f"line {line}: {problem}")
        self.number = number
        self.line = line
        self.problem = problem


class Part(NamedTuple):
    """A document's text, and the number of its first line (from 1)."""

    data: bytes
    line: int

    def text(self, start: int, end: int) -> str:
        """Characters from ``start`` to ``end``."""
        if self.data.isascii():
            return self.data[start:end].decode()
        return self.data.decode()[start:end]


def split(data: bytes, line: int = 1) -> Iterator[Part]:
    """The documents of a file. Raises ManifestError at a line ``--- text``. A line ``---`` that
    ends nothing is part of the next document. Both as kubectl does."""
    begin = 0
    for start, end in _separators(data):
        rest = data[start + 3 : end].decode("utf-8", "replace").strip()
        if rest and not rest.startswith("#"):
            at = line + data.count(b"\n", begin, start)
            raise ManifestError(at, "not YAML: `---` with text after it")
        if start == begin:
            continue
        yield from _part(data[begin:start], line)
        line += data.count(b"\n", begin, end + 1)
        begin = end + 1
    yield from _part(data[begin:] if begin else data, line)


def _separators(data: bytes) -> Iterator[tuple[int, int]]:
    """The lines that begin with ``---``, without their ends. By bytes.find, as all that looks at a
    whole file here: 100 MB are 0.05 s, and with a regular expression ten times that, in which no
    other thread runs."""
    start = 0 if data.startswith(b"---") else data.find(b"\n---") + 1
    more = data.startswith(b"---") or start > 0
    while more:
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        yield start, end
        start = data.find(b"\n---", end) + 1
        more = start > 0


def _part(data: bytes, line: int) -> Iterator[Part]:
    if data:
        data = data.removeprefix(BOM)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        yield Part(data if data.endswith(b"\n") else data + b"\n", line)


def mended(part: Part) -> Part:
    """As libyaml wants it what only kubectl's YAML takes: a text in flow that ends in a colon, as
    IPv6 addresses may (``[fd00::, 10.0.0.1]``), and ``\\'`` between double quotes."""
    for _ in range(_MENDS if any(text in part.data for text in _MENDABLE) else 0):
        loader: Any = yaml.CSafeLoader(BytesIO(part.data))
        try:
            while not isinstance(loader.get_event(), yaml.DocumentEndEvent | yaml.StreamEndEvent):
                pass
        except yaml.MarkedYAMLError as error:
            text = _mend(part.data.decode(), error)
            if text is None:
                break
            part = Part(text.encode(), part.line)
        except yaml.YAMLError:
            break
        else:
            break
        finally:
            loader.dispose()
    return part


def _mend(text: str, error: yaml.MarkedYAMLError) -> str | None:
    if error.context_mark is None or error.problem_mark is None:
        return None
    first, at = error.context_mark.index, error.problem_mark.index
    if error.problem == "found unexpected ':'":
        quoted = text[first : at + 1].replace("'", "''")
        return f"{text[:first]}'{quoted}'{text[at + 1 :]}"
    if error.problem == "found unknown escape character" and text[at : at + 2] == "\\'":
        return text[:at] + text[at + 1 :]
    return None


class Span(NamedTuple):
    """Where a value is in its document: characters, and line and column of the first (from 0)."""

    start: int
    end: int
    line: int
    column: int


class _Mark:
    """Stands for what is not a value."""


_OPEN: Final = _Mark()
"""What an anchor means before its value is complete."""
_NO_KEY: Final = _Mark()
_MERGE_KEY: Final = _Mark()


class Reader:
    """Reads one document::

        for value, span in reader.items(): ...   the items of a List, one by one
        reader.value                             the rest; None for an empty document

    Both raise ManifestError. The ``items`` of a List (a line says ``kind: List`` or the like) are
    not kept: ``value`` has an empty list in their place.
    """

    def __init__(self, part: Part, number: int = -1) -> None:
        self.value: Any = None
        self.span = Span(0, 0, 0, 0)
        self.has_more = False
        """Whether something follows without ``---``, which kubectl does not read."""
        self._part = part
        self._number = number
        self._is_list = _is_list(part.data)
        self._loader: Any = yaml.CSafeLoader(BytesIO(part.data))
        self._next: Callable[[], Any] = self._loader.get_event
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._decoded = 1  # as go.yaml.in/yaml counts: nodes, and those that an alias repeats
        self._aliased = 0

    def items(self) -> Iterator[tuple[Any, Span]]:
        try:
            yield from self._document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            problem = " ".join(filter(None, (error.context, error.problem)))
            raise self._error(mark, problem) from error
        except yaml.YAMLError as error:  # characters that YAML does not allow
            line = self._part.line + self._part.data.count(b"\n", 0, getattr(error, "position", 0))
            problem = f"not YAML: {str(error).splitlines()[0]}"
            raise ManifestError(line, problem, self._number) from error
        finally:
            self._loader.dispose()

    def _document(self) -> Iterator[tuple[Any, Span]]:
        self._next()  # the stream
        if isinstance(self._next(), yaml.StreamEndEvent):
            return
        event: Any = self._next()
        if self._is_list and isinstance(event, yaml.MappingStartEvent):
            yield from self._top(event)
        else:
            self.value, self.span = self._spanned(event)
        self._next()  # the document's end
        self.has_more = not self._ends()

    def _ends(self) -> bool:
        try:
            return isinstance(self._next(), yaml.StreamEndEvent)
        except yaml.YAMLError:
            return False

    def _top(self, start: Any) -> Iterator[tuple[Any, Span]]:
        """The top level, a mapping."""
        event: Any
        found: dict[str, Any] = {}
        self._decoded += 1
        if start.anchor is not None:
            self._anchors[start.anchor] = (_OPEN, 0)
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key = self._key(event)
            event = self._next()
            if key == "items" and isinstance(event, yaml.SequenceStartEvent) and not event.anchor:
                found[key] = []
                self._decoded += 1
                while not isinstance(event := self._next(), yaml.SequenceEndEvent):
                    yield self._spanned(event)
            elif isinstance(key, str):
                found[key] = self._value(event)
            else:
                value = self._value(event)
                self._merge(found, value, event)
        self.value = found
        first, last = start.start_mark, cast(Any, event).end_mark
        self.span = Span(first.index, last.index, first.line, first.column)

    def _spanned(self, event: Any) -> tuple[Any, Span]:
        first = event.start_mark
        value = self._value(event)
        return value, Span(first.index, self._end.index, first.line, first.column)

    def _key(self, event: Any) -> str | _Mark:
        value = self._value(event, as_key=True)
        if isinstance(event, yaml.ScalarEvent) and _is_merge(event):
            return _MERGE_KEY
        return self._key_of(value, event)

    def _value(self, event: Any, *, as_key: bool = False) -> Any:  # noqa: C901
        """The value whose first event this is. One loop: it runs for each line of a file."""
        next_event = self._next
        anchors = self._anchors
        stack: list[tuple[Any, Any, str | None, int]] = []
        container: Any = None
        key: Any = _NO_KEY
        anchor: str | None = None
        began = 0
        decoded = self._decoded
        while True:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                decoded += 1
                value = event.value
                if event.tag is not None or (
                    event.implicit[0] and (not value or value[0] in HINTS)
                ):
                    is_key = key is _NO_KEY and (type(container) is dict or as_key)
                    value = self._resolved(event, is_key)
                if event.anchor is not None:
                    anchors[event.anchor] = (value, 1)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                decoded += 1
                stack.append((container, key, anchor, began))
                if len(stack) > MAX_DEPTH:
                    raise self._error(event.start_mark, "nested too deep")
                container = {} if kind is yaml.MappingStartEvent else []
                key, anchor, began = _NO_KEY, event.anchor, decoded - 1
                if anchor is not None:
                    anchors[anchor] = (_OPEN, -decoded)
                event = next_event()
                continue
            elif kind is yaml.AliasEvent:
                self._decoded = decoded
                value = self._alias(event)
                decoded = self._decoded
            else:  # the end of a mapping or sequence
                value = container
                if anchor is not None and anchors[anchor] == (_OPEN, -began - 1):
                    anchors[anchor] = (value, decoded - began)
                container, key, anchor, began = stack.pop()
            if container is None:
                self._decoded = decoded
                self._end = event.end_mark
                return value
            if type(container) is list:
                container.append(value)
            elif key is _NO_KEY:
                if value == "<<" and kind is yaml.ScalarEvent and _is_merge(event):
                    key = _MERGE_KEY
                    decoded -= 1
                else:
                    key = value if type(value) is str else self._key_of(value, event)
            elif key is _MERGE_KEY:
                decoded -= kind is yaml.SequenceEndEvent
                self._merge(container, value, event)
                key = _NO_KEY
            else:
                container[key] = value
                key = _NO_KEY
            event = next_event()

    def _resolved(self, event: Any, is_key: bool) -> Any:
        try:
            value = resolve(event.value, event.tag or "")
            return value if is_key or not isinstance(value, float) else to_json(value)
        except ValueError as error:
            raise self._error(event.start_mark, str(error)) from error

    def _key_of(self, value: Any, event: Any) -> str:
        if isinstance(value, dict | list):
            raise self._error(event.start_mark, "a mapping or a list cannot be a key")
        try:
            return key_text(value)
        except ValueError as error:
            raise self._error(event.start_mark, str(error)) from error

    def _alias(self, event: Any) -> Any:
        value, size = self._anchors.get(event.anchor, (None, 0))
        if size <= 0:
            problem = "contains itself" if value is _OPEN else "is not defined"
            raise self._error(event.start_mark, f"the anchor `{event.anchor}` {problem}")
        self._decoded += size + 1
        self._aliased += size
        allowed = self._decoded * _allowed_aliases(self._decoded)
        if self._aliased > 100 and self._decoded > 1000 and self._aliased > allowed:
            raise self._error(event.start_mark, "too many aliases")
        return value

    def _merge(self, into: dict[str, Any], value: Any, event: Any) -> None:
        """``<<: value``; of several mappings the first counts most. ``event`` is the value's last,
        or its first."""
        several = isinstance(value, list) and not isinstance(event, yaml.AliasEvent)
        maps = value[::-1] if several else [value]
        for each in maps:
            if not isinstance(each, dict):
                raise self._error(event.start_mark, "`<<` merges mappings only")
            into.update(each)

    def _error(self, mark: Any, problem: str) -> ManifestError:
        line = mark.line if mark is not None else 0
        return ManifestError(self._part.line + line, f"not YAML: {problem}", self._number)


def _is_list(data: bytes) -> bool:
    """Whether a line says that this is a List, as one does in what kubectl writes."""
    at = 0
    while at >= 0:
        if _LIST.match(data, at):
            return True
        at = data.find(b"\nkind:", at)
        at += at >= 0
    return False


def _is_merge(event: Any) -> bool:
    return bool(event.value == "<<" and (event.implicit[0] or event.tag == MERGE))


def _allowed_aliases(decoded: int) -> float:
    """Which share of a document's nodes may come from aliases, as go.yaml.in/yaml/v2 allows."""
    if decoded <= 400_000:
        return 0.99
    if decoded >= 4_000_000:
        return 0.10
    return 0.99 - 0.89 * (decoded - 400_000) / 3_600_000
