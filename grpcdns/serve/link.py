"""What feed and worker say to each other, over a unix stream socket in a private folder.

A message is a frame: its length in four bytes, then msgpack of one of the structs below, all of
them frozen and told apart by a tag. The worker dials and says Hello. Then the
feed lists every kind it has (Listing, Objects..., Listed; a kind that is not complete lacks its
Listed), and from there sends Changes as they come. Changes may stand between the frames of a
listing: what they say is newer. State says how good the data is. Ask is answered by a Report.

May live here: frames and messages, no threads and no decisions.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from grpcdns.core.cluster.objects import Change, Kind

VERSION: Final = 1
MAX_FRAME: Final = 16 << 20
"""An object of the API is at most 1.5 MB; a frame holds `CHUNK` bytes of them, or one."""
CHUNK: Final = 128 << 10

_LENGTH: Final = struct.Struct(">I")


class Hello(msgspec.Struct, frozen=True, array_like=True, tag="hello"):
    """A worker begins with it; one of another version is hung up on. ``live``: it has data that
    does not come from a snapshot."""

    name: str
    live: bool
    version: int = VERSION


class Listing(msgspec.Struct, frozen=True, array_like=True, tag="listing"):
    """All objects of a kind follow. ``at`` is the serial of what they change."""

    kind: Kind
    at: int


class Objects(msgspec.Struct, frozen=True, array_like=True, tag="objects"):
    kind: Kind
    entries: tuple[tuple[str, bytes], ...]


class Listed(msgspec.Struct, frozen=True, array_like=True, tag="listed"):
    """That was all of the kind, or what came by Changes is: the kind is complete."""

    kind: Kind


class Changes(msgspec.Struct, frozen=True, array_like=True, tag="changes"):
    changes: tuple[Change, ...]


class State(msgspec.Struct, frozen=True, array_like=True, tag="state"):
    """How good the data is: ``restored`` from a snapshot of ``saved`` (unix seconds), or live."""

    restored: bool
    saved: float = 0.0
    heard: float = 0.0
    """When the least recently heard of kind was heard of, as this was sent: for `explain`."""


class Ask(msgspec.Struct, frozen=True, array_like=True, tag="ask"):
    """The feed wants the worker's numbers."""

    number: int


class Report(msgspec.Struct, frozen=True, array_like=True, tag="report"):
    """The numbers, as metrics know them: family, label value ("" for none), value."""

    number: int
    samples: tuple[tuple[str, str, float], ...]


Message = Hello | Listing | Objects | Listed | Changes | State | Ask | Report

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Message)


class LinkError(Exception):
    """The peer is gone, or says what cannot be understood: hang up."""


def to_frame(message: Message) -> bytes:
    body = _encoder.encode(message)
    return _LENGTH.pack(len(body)) + body


class Reader:
    """Frames out of whatever pieces the bytes come in."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """The messages that ``data`` completes. Raises `LinkError` for what is none."""
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, start)
                if length > MAX_FRAME:
                    raise LinkError(f"a frame of {length} bytes")
                end = start + _LENGTH.size + length
                if len(buffer) < end:
                    break
                yield _parse(bytes(buffer[start + _LENGTH.size : end]))
                start = end
        finally:
            del buffer[:start]


def _parse(body: bytes) -> Message:
    try:
        message: Message = _decoder.decode(body)
        return message
    except (msgspec.DecodeError, ValueError) as error:
        raise LinkError(f"not a message: {error}") from error


def receive(sock: socket.socket, reader: Reader) -> Iterator[Message]:
    """All messages until the peer hangs up, read as they come. Raises `LinkError`."""
    while True:
        try:
            data = sock.recv(1 << 18)
        except OSError as error:
            raise LinkError(str(error)) from error
        if not data:
            return
        yield from reader.feed(data)
