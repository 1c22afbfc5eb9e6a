"""Frames in pieces and from a file; batches of objects."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import msgspec
import pytest

from grpcdns import frames
from grpcdns.core.cluster.objects import Kind, Objects
from grpcdns.frames import FRAME_LIMIT, FrameError, PackedObject, batches, to_frame

DECODER = msgspec.msgpack.Decoder(Objects)
MESSAGES = [
    Objects(Kind.SERVICE, (("a/b", b"\0\xff"), ("a/c", b""))),
    Objects(Kind.POD, ()),
    Objects(Kind.POD, (("a/p", b"x" * 300_000),)),
]
WIRE = b"".join(map(to_frame, MESSAGES))


def test_a_frame_is_its_length_and_msgpack() -> None:
    frame = to_frame(Objects(Kind.SERVICE, (("a/b", b"xy"),)))
    assert frame == b"\0\0\0\x14\x93\xa7objects\x02\x91\x92\xa3a/b\xc4\x02xy"


def test_a_file_gives_each_frame_and_its_message() -> None:
    found = list(frames.read(io.BytesIO(WIRE), DECODER))
    assert [message for _, message in found] == MESSAGES
    assert b"".join(frame for frame, _ in found) == WIRE


@pytest.mark.parametrize("missing", [1, 4, len(to_frame(MESSAGES[2])) - 1])
def test_a_file_that_ends_within_a_frame(missing: int) -> None:
    reading = frames.read(io.BytesIO(WIRE[:-missing]), DECODER)
    assert [next(reading)[1], next(reading)[1]] == MESSAGES[:2]
    with pytest.raises(FrameError, match="the last frame is not complete"):
        next(reading)


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_the_reader_knows_whether_a_frame_is_partial(size: int) -> None:
    reader = frames.Reader(DECODER)
    found: list[Objects] = []
    for at in range(0, len(WIRE) - 1, size):
        found += reader.feed(WIRE[: len(WIRE) - 1][at : at + size])
    assert found == MESSAGES[:2]
    assert reader.partial
    assert list(reader.feed(WIRE[-1:])) == MESSAGES[2:]
    assert not reader.partial


def test_a_long_frame_is_refused_by_its_length() -> None:
    reader = frames.Reader(DECODER)
    with pytest.raises(FrameError, match=f"a frame of {FRAME_LIMIT + 1} bytes"):
        list(reader.feed(struct.pack(">I", FRAME_LIMIT + 1)))


def objects(kind: Kind, *sizes: int) -> list[PackedObject]:
    return [(kind, f"ns/{number}", b"x" * size) for number, size in enumerate(sizes)]


def test_batches_are_of_one_kind_and_bounded() -> None:
    listed = [
        *objects(Kind.NAMESPACE, 5, 5),
        *objects(Kind.SERVICE, 100_000, 100_000, 5, 200_000, 5),
        *objects(Kind.POD, 5),
    ]
    found = list(batches(listed))
    assert [(batch.kind, len(batch.entries)) for batch in found] == [
        (Kind.NAMESPACE, 2),
        (Kind.SERVICE, 2),
        (Kind.SERVICE, 2),
        (Kind.SERVICE, 1),
        (Kind.POD, 1),
    ]
    assert [(b.kind, key, body) for b in found for key, body in b.entries] == listed
    assert list(batches(())) == []


def test_a_full_batch_waits_for_no_further_object() -> None:
    """An object read ahead would be older than a Change that is sent before its batch."""
    asked = []

    def listing() -> Iterator[PackedObject]:
        for item in objects(Kind.SERVICE, 200_000, 200_000, 200_000):
            asked.append(item)
            yield item

    for number, _ in enumerate(batches(listing()), 1):
        assert len(asked) == number
