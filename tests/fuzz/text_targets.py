"""Targets for input from outside: the API's JSON, the feed's frames, files."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from grpcdns.config.options import Config
from grpcdns.config.selector import SelectorError, parse_selector
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.corefile.checker import check_corefile
from grpcdns.serve import link
from grpcdns.source import snapshot as snapshots
from grpcdns.source.api.decode import (
    Decoder,
    Item,
    ListReader,
    Unreadable,
    decode_status,
    parse_time,
)
from grpcdns.source.kinds import Fields
from grpcdns.source.manifests.assembled import assemble
from grpcdns.source.manifests.source import read_contents
from tests.conformance.reply import query
from tests.fuzz.draw import Draw
from tests.fuzz.oracle import check_reply
from tests.fuzz.world import POLICIES, answer, bare

_DECODERS: Final = {kind: Decoder(kind) for kind in Kind}
_QUERIES: Final = tuple(
    query(name, qtype)
    for name in ("a.a.svc.cluster.local", "a.a.a.svc.cluster.local", "cluster.local")
    for qtype in ("A", "SRV", "NS")
)


def json(data: bytes) -> None:
    """The API's JSON: one object, a list, a line of a watch, an error. Only the bad object is
    rejected."""
    kind = tuple(Kind)[data[0] % len(Kind)] if data else Kind.SERVICE
    decoder, text = _DECODERS[kind], data[1:]
    decode_status(text)
    parse_time(text.decode("latin-1"))
    items: list[Item] = []
    try:
        items.append(decoder.item(text))
    except Unreadable:
        pass
    items += _list_items(decoder, text, 1 + len(text) % 97)
    try:
        event = decoder.event(text)
        items += [event.item] if event.item is not None else []
    except Unreadable:
        pass
    _serve(kind, items)


def _list_items(decoder: Decoder, text: bytes, size: int) -> list[Item]:
    """A list that arrives in pieces: the same items as in one piece, and as JSON has them."""
    found = _read_list(decoder, [text[at : at + size] for at in range(0, len(text), size)])
    assert found == _read_list(decoder, [text]), "pieces matter"
    try:
        whole = msgspec.json.decode(text, type=_List).items or []
    except (msgspec.DecodeError, ValueError, RecursionError):
        return []
    expected = [item for raw in whole for item in _one_item(decoder, raw)]
    # Only for lists as the API writes them, with one "items".
    if found is not None and text.count(b'"items":[') == 1:
        assert found == expected, "the items differ from those in the JSON"
    return found or []


def _read_list(decoder: Decoder, pieces: list[bytes]) -> list[Item] | None:
    reader = ListReader(decoder)
    items: list[Item] = []
    try:
        for piece in pieces:
            items += reader.feed(piece)
        items += reader.finish()
    except Unreadable:
        return None
    return items


def _one_item(decoder: Decoder, raw: msgspec.Raw) -> list[Item]:
    try:
        return [decoder.item(bytes(raw))]
    except Unreadable:
        return []


class _List(msgspec.Struct):
    """A list as msgspec's JSON parser reads it."""

    items: list[msgspec.Raw] | None = None


def _serve(kind: Kind, items: list[Item]) -> None:
    """The items that were read can be served."""
    if not any(item.body for item in items):
        return
    handler = bare(POLICIES[1])
    for item in items:
        if item.body is not None:
            handler.apply(Change(kind, item.key, item.body, 1))
    for message in _QUERIES:
        check_reply(message, answer(handler, message))


def frames(data: bytes) -> None:
    """The feed's frames in any pieces: the same messages, or the same error."""
    size = 1 + (data[0] if data else 0)
    text = data[1:]
    whole, whole_error = _read([text])
    pieces = [text[at : at + size] for at in range(0, len(text), size)]
    parts, parts_error = _read(pieces)
    # As text, because NaN is not equal to itself.
    assert repr((parts, parts_error)) == repr((whole, whole_error)), "pieces matter"
    for message in whole:
        again, _ = _read([link.to_frame(message)])
        assert repr(again) == repr([message]), "a message differs from what was sent"


def _read(pieces: list[bytes]) -> tuple[list[link.Message], bool]:
    reader = link.Reader()
    found: list[link.Message] = []
    try:
        for piece in pieces:
            found += reader.feed(piece)
    except link.LinkError:
        return found, True
    return found, False


def snapshot(data: bytes) -> None:
    """A snapshot file: any octets, and a valid file with some octets changed."""
    path = _scratch() / "snapshot"
    draw = Draw(data)
    if draw.maybe(2):
        path.write_bytes(draw.rest())
    else:
        entries = [(draw.pick(tuple(Kind)), repr(turn), draw.take(8)) for turn in draw.some(4)]
        header = snapshots.Header("print", float(draw.byte()), 0.0, draw.word())
        snapshots.save(path, header, entries)
        whole = bytearray(path.read_bytes())
        assert list(snapshots.load(path, "print").objects()) == entries
        flips = [draw.word() for _ in draw.some(3)]
        for flip in flips:
            whole[flip % len(whole)] ^= draw.byte()
        path.write_bytes(bytes(whole[: len(whole) - draw.below(4)]))
    try:
        list(snapshots.load(path, "print").objects())
    except snapshots.SnapshotError:
        pass


def manifest(data: bytes) -> None:
    """A manifest: read to its end, or to a line that is named."""
    contents = read_contents(data, Fields())
    assemble(contents.entries, _config(), POLICIES[1])
    for line in contents.mistakes.lines():
        assert "\n" not in line
    assert contents.error is None or contents.error.line >= 1


def corefile(data: bytes) -> None:
    """A Corefile into the checker: the lines of its findings exist."""
    text = data.decode("utf-8", "replace")
    lines = text.count("\n") + 1
    for finding in check_corefile(text, ("cluster.local.",)):
        assert 0 <= finding.line <= lines + 1, finding


def selector(data: bytes) -> None:
    """A label selector: its text is parsed to the same selector again."""
    text = data.decode("latin-1")
    try:
        found = parse_selector(text)
    except SelectorError:
        return
    assert parse_selector(str(found)) == found
    found.matches({"a": "b"})


@cache
def _config() -> Config:
    return Config(manifests=("none",))


@cache
def _scratch() -> Path:
    """A folder in memory, deleted when the process ends."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    _scratch_folder.append(tempfile.TemporaryDirectory(prefix="grpcdns-fuzz-", dir=memory))
    return Path(_scratch_folder[0].name)


_scratch_folder: list[tempfile.TemporaryDirectory[str]] = []
