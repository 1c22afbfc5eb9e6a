"""Keeps the snapshot: read at the start, written when something changed, not too often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from grpcdns.config.options import Config
from grpcdns.frames import PackedObject
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.source import snapshot

_log = logging.getLogger(__name__)


class Snapshots:
    """Does nothing without ``--snapshot``. Writing is done in a thread: it waits for the disk."""

    def __init__(self, config: Config, fanout: Broadcast) -> None:
        self.saved = 0.0
        """When the file on disk was saved, in unix seconds; 0.0 when this process has not yet."""
        self.failures = 0
        self._path = Path(config.snapshot) if config.snapshot else None
        self._max_age = config.snapshot_max_age
        self._fingerprint = snapshot.fingerprint(config) if config.snapshot else ""
        self._fanout = fanout
        self._last: float | None = None
        self._written = -1
        self._thread: threading.Thread | None = None

    def restore(self) -> None:
        """Give the file's objects to the fanout, if there are any to be had."""
        if self._path is None:
            return
        try:
            found = snapshot.load(self._path, self._fingerprint)
            age = found.age(time.time())
            if age > self._max_age:
                raise snapshot.SnapshotError(f"it is {age:.0f} s old")
            header = found.header
            count = self._fanout.restore(found.objects(), header.contact, header.serial)
        except snapshot.SnapshotError as error:
            _log.warning("snapshot %s not used: %s", self._path, error)
            return
        self.saved = header.saved
        _log.warning("%d objects restored from %s, %.0f s old", count, self._path, age)

    def tick(self) -> None:
        """Write a snapshot when it is time to; called often, returns at once."""
        if self._path is None or not self._fanout.is_live or self._busy:
            return
        changed = self._written != self._fanout.changes
        if snapshot.is_due(time.monotonic(), self._last, changed=changed):
            self._thread = threading.Thread(target=self._write, args=(self._path,), name="snapshot")
            self._thread.start()

    def stop(self) -> None:
        """Write the last state."""
        if self._thread is not None:
            self._thread.join()
        if self._path is not None and self._fanout.is_live:
            self._write(self._path)

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _write(self, path: Path) -> None:
        fanout, now = self._fanout, time.time()
        self._last = time.monotonic()
        self._written = fanout.changes
        contact = min((fanout.heard_at.get(kind, now) for kind in fanout.needed), default=now)
        header = snapshot.Header(self._fingerprint, now, contact, fanout.serial)
        try:
            snapshot.save(path, header, self._objects())
        except OSError as error:
            if not self.failures:
                _log.warning("snapshot %s not written: %s", path, error.strerror or error)
            self.failures += 1
        else:
            if self.failures:
                _log.info("snapshot %s written again", path)
            self.failures = 0
            self.saved = now

    def _objects(self) -> Iterator[PackedObject]:
        """All objects, while Changes go on."""
        store = self._fanout.store
        return chain.from_iterable(map(store.objects, sorted(store.listed)))
