"""The last synced state on disk, so that a start while the API is away has answers.

    save(path, header, objects)       all of it or nothing: a temporary file, fsynced, renamed
    load(path, fingerprint)           a Snapshot, checked to the end; SnapshotError says why not

The file is a first line, then frames: four bytes of length and msgpack. The first frame is the
Header, then come Objects as feed and worker send them, and End with the count of objects and the
checksum of every byte before it. Nothing is given out before the checksum is right. Frames are
written and read one at a time: saving and loading cost a frame of memory, whatever the size.

Beware: a snapshot is only as good as the options it was taken under; ``fingerprint`` tells them.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.scope import fields_of, kinds_of

VERSION: Final = 1
MAGIC: Final = b"grpcdns snapshot\n"
FRAME: Final = 128 << 10
"""Bytes of objects in a frame, about."""
FRAME_LIMIT: Final = 16 << 20
EVERY: Final = 10.0
REFRESH: Final = 300.0
_LENGTH: Final = struct.Struct(">I")
_DIGEST: Final = 16


class SnapshotError(Exception):
    """The file is of no use; the reason, in a few words."""


class Header(msgspec.Struct, frozen=True, array_like=True, tag="snapshot"):
    """What the objects are. Times are in unix seconds; ``contact`` is when the API was last heard:
    the age of the data, where ``saved`` is only that of the file. ``serial``: the zones' serial."""

    fingerprint: str
    saved: float
    contact: float
    serial: int = 0
    version: int = VERSION


class Objects(msgspec.Struct, frozen=True, array_like=True, tag="objects"):
    """Objects of one kind: key and packed body."""

    kind: Kind
    entries: tuple[tuple[str, bytes], ...]


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """That was all. ``digest`` is BLAKE2b of everything before this frame."""

    count: int
    digest: bytes


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Header | Objects | End)


class Snapshot:
    """A file that is whole. ``objects`` reads it again, frame by frame."""

    def __init__(self, path: Path, header: Header, count: int) -> None:
        self.header = header
        self.count = count
        self._path = path

    def age(self, now: float) -> float:
        """Seconds since the API was last heard; never negative, whatever the clock did."""
        return max(0.0, now - self.header.contact)

    def objects(self) -> Iterator[tuple[Kind, str, bytes]]:
        """Everything in it. Raises SnapshotError where the file has been changed meanwhile."""
        with self._path.open("rb") as file:
            file.seek(len(MAGIC))
            for _, message in _frames(file):
                if isinstance(message, Objects):
                    for key, body in message.entries:
                        yield message.kind, key, body


def save(path: Path, header: Header, objects: Iterable[tuple[Kind, str, bytes]]) -> int:
    """Writes a snapshot, readable by its owner only; its size. Raises OSError.

    A crash at any moment leaves the old file or the new one. The directory must be writable.
    """
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        writer = _Writer(file)
        writer.write(_encoder.encode(header))
        count = 0
        for batch in _batches(objects):
            count += len(batch.entries)
            writer.write(_encoder.encode(batch))
        writer.write(_encoder.encode(End(count, writer.digest)))
        file.flush()
        os.fsync(fd)
        size = file.tell()
    os.replace(temporary, path)
    _sync_folder(path.parent)
    return size


def load(path: Path, fingerprint: str) -> Snapshot:
    """A snapshot taken under the same options. Raises SnapshotError."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SnapshotError("it is no file")
            return _check(path, file, fingerprint)
    except FileNotFoundError as error:
        raise SnapshotError("there is none yet") from error
    except OSError as error:
        raise SnapshotError(error.strerror or str(error)) from error


def fingerprint(config: Config) -> str:
    """The options that decide what a state holds, and of which cluster, as a short text."""
    policy = config.policy()
    decides = (
        config.kubeconfig,
        config.context,
        config.manifests,
        config.zones,
        config.labels,
        config.namespace_labels,
        config.no_endpoints,
        [int(kind) for kind in kinds_of(policy)],
        tuple(fields_of(policy)),
    )
    return hashlib.blake2b(msgspec.json.encode(decides), digest_size=8).hexdigest()


def is_due(now: float, saved: float | None, *, changed: bool) -> bool:
    """Whether to save now. Pure; ``now`` and ``saved`` (None: never) on the same steady clock.

    Not more often than every ten seconds; without a change every five minutes all the same, as
    the data's age is part of it.
    """
    if saved is None:
        return True
    return now - saved >= (EVERY if changed else REFRESH)


class _Writer:
    """Frames, and the checksum of what is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.blake2b(digest_size=_DIGEST)
        self._put(MAGIC)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def write(self, body: bytes) -> None:
        self._put(_LENGTH.pack(len(body)))
        self._put(body)

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)


def _batches(objects: Iterable[tuple[Kind, str, bytes]]) -> Iterator[Objects]:
    """Objects in frames of one kind each, in the order they come."""
    entries: list[tuple[str, bytes]] = []
    last, size = Kind.NAMESPACE, 0
    for kind, key, body in objects:
        if entries and (kind is not last or size >= FRAME):
            yield Objects(last, tuple(entries))
            entries, size = [], 0
        last = kind
        size += len(key) + len(body)
        entries.append((key, body))
    if entries:
        yield Objects(last, tuple(entries))


def _check(path: Path, file: BinaryIO, fingerprint: str) -> Snapshot:
    """Reads everything once, and gives nothing out."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise SnapshotError("it is no snapshot")
    digest = hashlib.blake2b(magic, digest_size=_DIGEST)
    header: Header | None = None
    count = 0
    for frame, message in _frames(file):
        if header is None:
            header = _checked_header(message, fingerprint)
        elif isinstance(message, Objects):
            count += len(message.entries)
        elif isinstance(message, End):
            if message.count != count or message.digest != digest.digest():
                raise SnapshotError("its checksum is wrong")
            if file.read(1):
                raise SnapshotError("something follows its end")
            return Snapshot(path, header, count)
        digest.update(_LENGTH.pack(len(frame)))
        digest.update(frame)
    raise SnapshotError("it is torn: its end is missing")


def _checked_header(message: object, fingerprint: str) -> Header:
    if not isinstance(message, Header):
        raise SnapshotError("it does not begin as one")
    if message.version != VERSION:
        raise SnapshotError(f"it is of version {message.version}, not {VERSION}")
    if message.fingerprint != fingerprint:
        raise SnapshotError("it was taken under other options, or of another cluster")
    return message


def _frames(file: BinaryIO) -> Iterator[tuple[bytes, Header | Objects | End]]:
    """The frames up to the end of the file. Raises SnapshotError."""
    while head := file.read(_LENGTH.size):
        if len(head) < _LENGTH.size:
            raise SnapshotError("it is torn")
        (length,) = _LENGTH.unpack(head)
        if length > FRAME_LIMIT:
            raise SnapshotError("it is damaged")
        frame = file.read(length)
        if len(frame) < length:
            raise SnapshotError("it is torn")
        try:
            yield frame, _decoder.decode(frame)
        except (msgspec.DecodeError, ValueError) as error:
            raise SnapshotError("it is damaged, or of another version") from error


def _sync_folder(folder: Path) -> None:
    """The rename is on disk too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
