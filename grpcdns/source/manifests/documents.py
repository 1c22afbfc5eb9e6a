"""The bytes of a manifest -> its objects, and where in the file each one stands.

    for document in read_documents(data, report): ...

YAML or JSON, one document or many, JSON objects one after another or one a line, Lists (and Lists
in them) taken apart: what ``kubectl apply -f`` reads. YAML is read at about 8 MB/s, JSON, by
msgspec, at about 60 MB/s (objects made). Lines are looked for only when something is wrong.

Anything that is not a Kubernetes object is reported and skipped. A syntax error ends the file with
ManifestError, as with kubectl; the documents before it are returned.
"""

from __future__ import annotations

import json
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from grpcdns.source.manifests.places import JsonPlace, Place, YamlPlace
from grpcdns.source.manifests.values import BOM, ManifestError, Part, Reader, mended, split

Report = Callable[[Place, str], None]
"""Called with the place of what is skipped, and why."""

MAX_LISTS: Final = 10
"""Lists inside Lists."""
_SPACE: Final = re.compile(rb"[ \t\r\n]*")
_REST_OF_LINE: Final = re.compile(rb"[ \t\r]*\n?")
_YAML_BREAKS: Final = tuple(char.encode() for char in "\x85\u2028\u2029")
_TRAILING: Final = re.compile(r"trailing characters \(byte (\d+)\)")
_NO_OBJECT: Final = "not a Kubernetes object"
_NO_KIND: Final = "not a Kubernetes object: no kind"


class Document(NamedTuple):
    """One object: of YAML as plain values, of JSON as its text. ``api_version`` is "" where the
    file does not say; ``number`` counts the documents of the file."""

    api_version: str
    kind: str
    value: dict[str, Any] | msgspec.Raw
    number: int
    place: Place

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]


def plain(document: Document) -> Any:
    """An object as plain values; of JSON it comes as text. Raises RecursionError for JSON that is
    nested deep."""
    value = document.value
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else value


class _Head(NamedTuple):
    """What must be known of an object before its kind is; ``items`` is None where it is no List."""

    kind: str = ""
    api_version: str = ""
    items: list[Any] | None = None


_NO_ITEMS: Final = msgspec.Raw(b"null")


class _JsonHead(msgspec.Struct, rename="camel"):
    kind: Any = None
    api_version: Any = None
    items: msgspec.Raw = _NO_ITEMS


_head = msgspec.json.Decoder(_JsonHead)
_raw = msgspec.json.Decoder(msgspec.Raw)
_raws = msgspec.json.Decoder(list[msgspec.Raw])


def read_documents(data: bytes, report: Report) -> Iterator[Document]:
    """The objects of a file. Raises ManifestError."""
    data = _utf8(data).removeprefix(BOM)
    begin, line, number = 0, 1, 0
    if data[_after_space(data, 0) :][:1] == b"{":
        for begin, line, raw in _json_stream(data):
            if raw is not None:
                yield from _objects(raw, _Head(), number, JsonPlace(data, begin, line, raw), report)
                number += 1
    yield from _of_yaml(split(data[begin:], line), number, report)


def _utf8(data: bytes) -> bytes:
    try:
        if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):  # as PowerShell writes `kubectl get >`
            return data.decode("utf-16").encode()
        if not data.isascii():
            data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(line, "not UTF-8 text") from error
    return data


# JSON.


def _json_stream(data: bytes) -> Iterator[tuple[int, int, msgspec.Raw | None]]:
    """JSON values with where they begin and their line; at the end, without a value, from where on
    the text is YAML, if it is. As kubectl does, a stream of two values or more is JSON to its end.
    """
    end, line, count = 0, 1, 0
    while (begin := _after_space(data, end)) < len(data):
        line += data.count(b"\n", end, begin)
        try:
            raw = _first_json(data, begin)
        except (msgspec.DecodeError, RecursionError) as error:
            if count > 1:
                raise ManifestError(line, f"not JSON: {error}") from error
            break
        yield begin, line, raw
        count += 1
        end = begin + len(memoryview(raw))
        line += data.count(b"\n", begin, end)
    else:
        yield len(data), line, None
        return
    rest = _REST_OF_LINE.match(data, end).end()  # type: ignore[union-attr]
    yield rest, 1 + data.count(b"\n", 0, rest), None


def _first_json(data: bytes, begin: int) -> msgspec.Raw:
    """The JSON value that begins here; more may follow. Raises msgspec.DecodeError."""
    view = memoryview(data)[begin:]
    try:
        return _raw.decode(view)
    except msgspec.DecodeError as error:
        found = _TRAILING.search(str(error))
        if found is None:
            raise
        return _raw.decode(view[: int(found[1]) - 1])


def _after_space(data: bytes, begin: int) -> int:
    return _SPACE.match(data, begin).end()  # type: ignore[union-attr]


# YAML.


def _of_yaml(parts: Iterable[Part], first: int, report: Report) -> Iterator[Document]:
    for number, part in enumerate(parts, first):
        raw = _whole_json(part.data)
        if raw is not None:
            place = JsonPlace(part.data, 0, part.line, raw)
            yield from _objects(raw, _Head(), number, place, report)
        else:
            yield from _of_part(part, number, report)


def _whole_json(data: bytes) -> msgspec.Raw | None:
    """A document that is JSON and means the same as YAML: a tab around it is no space where a line
    begins with it, and YAML knows more line breaks."""
    begin = _after_space(data, 0)
    if data[begin : begin + 1] != b"{" or b"\t" in data[:begin] + data[data.rfind(b"}") :]:
        return None
    if any(found in data for found in _YAML_BREAKS):
        return None
    try:
        return _raw.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None


def _of_part(part: Part, number: int, report: Report) -> Iterator[Document]:
    """The objects of a document of YAML, the items of a List as they are read."""
    part = mended(part)
    reader = Reader(part, number)
    later: list[tuple[Any, YamlPlace]] = []
    for item, span in reader.items():
        place = YamlPlace(part, span)
        if isinstance(item, dict) and item.get("kind"):
            yield from _objects(item, _Head(), number, place, report, 1)
        else:  # its kind is what the List's says, maybe further down
            later.append((item, place))
    value, place = reader.value, YamlPlace(part, reader.span)
    if reader.has_more:
        report(place, "the text after this document, without a line `---`")
    if value is None:
        return
    if not isinstance(value, dict) or value.get("items") != []:
        yield from _objects(value, _Head(), number, place, report)
        return
    head = _head_of(value)
    if head is None or not head.kind:
        report(place, _NO_KIND)
        return
    for item, place in later:
        yield from _objects(item, _item_of(head), number, place, report, 1)


# Both.


def _objects(
    value: Any, outer: _Head, number: int, place: Place, report: Report, depth: int = 0
) -> Iterator[Document]:
    """An object, or those of a List. ``outer`` says what it is when it does not say so itself."""
    head = _head_of(value)
    if head is None:
        report(place, f"an item of this {outer.kind}List is not an object" if depth else _NO_OBJECT)
        return
    kind, version, items = head
    if not kind:
        kind, version = outer.kind, version or outer.api_version
    if not kind:
        report(place, f"an item of this {outer.kind}List has no kind"
               if depth else _NO_KIND)  # fmt: skip
    elif items is None:
        yield Document(version, kind, value, number, place)
    elif depth == MAX_LISTS:
        report(place, f"more than {MAX_LISTS} Lists inside each other")
    else:
        outer = _item_of(_Head(kind, version))
        for index, item in enumerate(items):
            yield from _objects(item, outer, number, place.inside(index, item), report, depth + 1)


def _head_of(value: Any) -> _Head | None:
    """None for what is no object. As for kubectl, an object with ``items`` is a List."""
    if isinstance(value, dict):
        kind, version, items = (value.get(key) for key in ("kind", "apiVersion", "items"))
        is_list = "items" in value
    elif isinstance(value, msgspec.Raw):
        try:
            found = _head.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return None
        kind, version = found.kind, found.api_version
        is_list = found.items is not _NO_ITEMS
        items = _items(found.items)
    else:
        return None
    kind = kind if isinstance(kind, str) else ""
    if not isinstance(items, list):
        items = [] if is_list and kind.endswith("List") else None
    return _Head(kind, version if isinstance(version, str) else "", items)


def _item_of(head: _Head) -> _Head:
    """What the items of a List are that do not say so themselves."""
    return _Head(head.kind.removesuffix("List"), head.api_version)


def _items(raw: msgspec.Raw) -> list[msgspec.Raw] | None:
    if bytes(memoryview(raw)[:1]) != b"[":
        return None
    return _raws.decode(raw)
