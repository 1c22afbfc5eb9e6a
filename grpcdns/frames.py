"""Frames and packed objects: the format of the link between the processes and of the snapshot file.

    to_frame(message)                 the octets of one message
    Reader(decoder).feed(data)        messages, from pieces of any size
    read(file, decoder)               messages of a file, each with its frame
    batches(objects)                  objects, as many to a message as fit a frame

A frame is its length in four bytes (big-endian, without these four) and then one msgspec struct in
msgpack. The structs are tagged, so a decoder of their union tells them apart.

May live here: octets and structs. What the messages mean is in `serve.link` and `source.snapshot`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Final, Generic, TypeVar

import msgspec

from grpcdns.core.cluster.objects import Kind, Objects

FRAME_LIMIT: Final = 16 << 20
"""The longest frame that is read, in bytes. An object of the API is at most 1.5 MB, and a frame
holds about `BATCH` bytes of objects, or one object."""
BATCH: Final = 128 << 10
"""Bytes of keys and bodies after which a batch is full."""
_READ: Final = 256 << 10
_LENGTH: Final = struct.Struct(">I")

M = TypeVar("M")
PackedObject = tuple[Kind, str, bytes]
"""Kind, key (`core.cluster.objects.key_of`) and packed body."""


class FrameError(Exception):
    """The octets are no frame, or the frame holds no message of these."""


_encoder: Final = msgspec.msgpack.Encoder()


def to_frame(message: msgspec.Struct) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Reader(Generic[M]):
    """Messages out of octets that come in pieces of any size. It holds at most one frame."""

    def __init__(self, decoder: msgspec.msgpack.Decoder[M]) -> None:
        self._decoder = decoder
        self._buffer = bytearray()

    @property
    def partial(self) -> bool:
        """Whether the octets so far end within a frame."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[M]:
        """The messages that ``data`` completes. Raises `FrameError`."""
        for frame in self.frames(data):
            yield self.decode(frame)

    def frames(self, data: bytes) -> Iterator[bytes]:
        """The same as whole frames, not decoded yet."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, start)
                if length > FRAME_LIMIT:
                    raise FrameError(f"a frame of {length} bytes")
                end = start + _LENGTH.size + length
                if len(buffer) < end:
                    break
                yield bytes(buffer[start:end])
                start = end
        finally:
            del buffer[:start]

    def decode(self, frame: bytes) -> M:
        """The message of a whole frame. Raises `FrameError`."""
        try:
            return self._decoder.decode(memoryview(frame)[_LENGTH.size :])
        except (msgspec.DecodeError, ValueError) as error:
            raise FrameError(f"not a message: {error}") from error


def read(file: BinaryIO, decoder: msgspec.msgpack.Decoder[M]) -> Iterator[tuple[bytes, M]]:
    """Each frame of a file and its message, to the end. Raises `FrameError`."""
    reader = Reader(decoder)
    while data := file.read(_READ):
        for frame in reader.frames(data):
            yield frame, reader.decode(frame)
    if reader.partial:
        raise FrameError("the last frame is not complete")


def batches(objects: Iterable[PackedObject]) -> Iterator[Objects]:
    """Objects in batches of one kind each, in the order they come.

    A full batch is given out before the next object is asked for: whoever sends batches between
    other messages sends no object that was read earlier than those messages.
    """
    entries: list[tuple[str, bytes]] = []
    last, size = Kind.NAMESPACE, 0
    for kind, key, body in objects:
        if entries and kind is not last:
            yield Objects(last, tuple(entries))
            entries, size = [], 0
        last = kind
        entries.append((key, body))
        size += len(key) + len(body)
        if size >= BATCH:
            yield Objects(last, tuple(entries))
            entries, size = [], 0
    if entries:
        yield Objects(last, tuple(entries))
