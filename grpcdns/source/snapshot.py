"""The last synced state on disk, so that a start while the API is unreachable has answers.

    save(path, header, objects)       atomic: a temporary file, fsynced, renamed
    load(path, fingerprint)           a Snapshot, verified to the end; raises SnapshotError

The file is a first line and then frames (`grpcdns.frames`): a Header, a Guarded if the guard holds,
Objects as the feed sends them to workers, and an End with the number of objects and the checksum of
every byte before it. No object is given out before the checksum is verified. Frames are written and
read one at a time: saving and loading take the memory of a few frames, whatever the size of the
file.

Beware: a snapshot is valid only for the options it was taken under: ``fingerprint`` identifies
them.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from grpcdns import frames
from grpcdns.config.options import Config
from grpcdns.core.answers.policy import kept_kinds
from grpcdns.core.cluster.objects import Objects
from grpcdns.frames import FrameError, PackedObject
from grpcdns.source.scope import fields_of

VERSION: Final = 1
MAGIC: Final = b"grpcdns snapshot\n"
EVERY: Final = 10.0
"""Seconds from one snapshot to the next while the state changes."""
REFRESH: Final = 300.0
"""Seconds from one snapshot to the next while it does not: the data's age is part of it."""
_DIGEST: Final = 16


class SnapshotError(Exception):
    """The file cannot be used; the message says why, in a few words."""


class NoSnapshot(SnapshotError):
    """There is no file, as at the first start."""


class Header(msgspec.Struct, frozen=True, array_like=True, tag="snapshot"):
    """What the objects are. Times are unix seconds. ``contact`` is when the API was last heard, so
    it gives the age of the data; ``saved`` gives that of the file. ``serial`` is the zones'."""

    fingerprint: str
    saved: float
    contact: float
    serial: int = 0
    version: int = VERSION


class Guarded(msgspec.Struct, frozen=True, array_like=True, tag="guarded"):
    """The frame after the header where the guard holds: ``since`` (unix seconds), and what was lost
    then."""

    since: int
    why: str


class End(msgspec.Struct, frozen=True, array_like=True, tag="end"):
    """The last frame. ``digest`` is the BLAKE2b of every byte before this frame."""

    count: int
    digest: bytes


_decoder: Final = msgspec.msgpack.Decoder(Header | Guarded | Objects | End)


class Snapshot:
    """A verified file. ``objects`` reads it again, frame by frame."""

    def __init__(self, path: Path, header: Header, guarded: Guarded | None = None) -> None:
        self.header = header
        self.guarded = guarded
        self._path = path

    def age(self, now: float) -> float:
        """Seconds since the API was last heard; never negative, even if the clock was set back."""
        return max(0.0, now - self.header.contact)

    def objects(self) -> Iterator[PackedObject]:
        """All objects. Raises SnapshotError where the file has been damaged meanwhile."""
        with self._path.open("rb") as file:
            file.seek(len(MAGIC))
            for _, message in _frames(file):
                if isinstance(message, Objects):
                    for key, body in message.entries:
                        yield message.kind, key, body


def save(
    path: Path,
    header: Header,
    objects: Iterable[PackedObject],
    guarded: Guarded | None = None,
) -> int:
    """Write a snapshot that only its owner can read; returns its size in bytes. Raises OSError.

    A crash at any moment leaves the old file or the new one. The folder must be writable.
    """
    temporary = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(temporary, flags, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o600)
        writer = _Writer(file)
        writer.write(frames.to_frame(header))
        if guarded is not None:
            writer.write(frames.to_frame(guarded))
        count = 0
        for batch in frames.batches(objects):
            count += len(batch.entries)
            writer.write(frames.to_frame(batch))
        writer.write(frames.to_frame(End(count, writer.digest)))
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
                raise SnapshotError("not a regular file")
            return _verify(path, file, fingerprint)
    except FileNotFoundError as error:
        raise NoSnapshot("does not exist yet") from error
    except OSError as error:
        raise SnapshotError(error.strerror or str(error)) from error


def fingerprint(config: Config) -> str:
    """The options that decide which objects a snapshot holds, and of which cluster, as a hash."""
    policy = config.policy()
    fields = fields_of(policy)
    decides = (
        config.kubeconfig,
        config.context,
        config.manifests,
        config.zones,
        config.labels,
        config.namespace_labels,
        config.no_endpoints,
        [int(kind) for kind in sorted(kept_kinds(policy))],
        [fields.zones, fields.pods],
        # Left out where it is off, so that a file from before there was such an option is good.
        *([fields.topology] if fields.topology else []),
        *(["conditions"] if fields.conditions else []),
        *(["imports"] if fields.imports else []),
    )
    return hashlib.blake2b(msgspec.json.encode(decides), digest_size=8).hexdigest()


def is_due(now: float, saved: float | None, *, changed: bool) -> bool:
    """Whether to save now. ``now`` and ``saved`` (None: never) are seconds of one steady clock;
    ``changed``: the state has changed since."""
    if saved is None:
        return True
    return now - saved >= (EVERY if changed else REFRESH)


class _Writer:
    """A file, and the checksum of what has been written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.blake2b(digest_size=_DIGEST)
        self.write(MAGIC)

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)


def _verify(path: Path, file: BinaryIO, fingerprint: str) -> Snapshot:
    """Read the whole file once."""
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        raise SnapshotError("not a snapshot")
    digest = hashlib.blake2b(magic, digest_size=_DIGEST)
    header: Header | None = None
    guarded: Guarded | None = None
    count, size = 0, len(magic)
    for frame, message in _frames(file):
        size += len(frame)
        if header is None:
            header = _checked_header(message, fingerprint)
        elif isinstance(message, Guarded):
            guarded = message
        elif isinstance(message, Objects):
            count += len(message.entries)
        elif isinstance(message, End):
            if message.count != count or message.digest != digest.digest():
                raise SnapshotError("wrong checksum")
            if size != os.fstat(file.fileno()).st_size:
                raise SnapshotError("data after its end")
            return Snapshot(path, header, guarded)
        digest.update(frame)
    raise SnapshotError("torn: its end is missing")


def _checked_header(message: object, fingerprint: str) -> Header:
    if not isinstance(message, Header):
        raise SnapshotError("damaged: no header")
    if message.version != VERSION:
        raise SnapshotError(f"version {message.version}, not {VERSION}")
    if message.fingerprint != fingerprint:
        raise SnapshotError("taken under other options, or of another cluster")
    return message


def _frames(file: BinaryIO) -> Iterator[tuple[bytes, Header | Guarded | Objects | End]]:
    """The frames from here to the end of the file. Raises SnapshotError."""
    try:
        yield from frames.read(file, _decoder)
    except FrameError as error:
        raise SnapshotError(f"torn, damaged or of another version: {error}") from error


def _sync_folder(folder: Path) -> None:
    """Put the rename on disk too."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
