"""When the snapshot is read and written: at the start, then after changes, but not too often."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import kept_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.frames import PackedObject
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.source import snapshot
from grpcdns.source.kinds import WATCHED
from grpcdns.source.scope import fields_of, kinds_of

_log = logging.getLogger(__name__)


class Snapshots:
    """Does nothing without ``--snapshot``. A thread does the writing, as it waits for the disk."""

    def __init__(self, config: Config, broadcast: Broadcast) -> None:
        self.saved = 0.0
        """When the file on disk was saved (unix seconds); 0.0: none has been read or written."""
        self.failures = 0
        self._path = Path(config.snapshot) if config.snapshot else None
        self._max_age = config.snapshot_max_age
        self._fingerprint = snapshot.fingerprint(config) if config.snapshot else ""
        self._policy = config.policy()
        self._awaited: dict[Kind, int] = {}
        """Kinds that are to be listed again, each with how often it had been."""
        self._broadcast = broadcast
        self._last: float | None = None
        self._written = -1
        self._turns = broadcast.guard_turns
        self._thread: threading.Thread | None = None

    def restore(self) -> None:
        """Give the file's objects to the Broadcast, unless the file is unusable or too old."""
        if self._path is None:
            return
        try:
            found = snapshot.load(self._path, self._fingerprint)
            age = found.age(time.time())
            if age > self._max_age:
                raise snapshot.SnapshotError(f"{age:.0f} s old")
            header = found.header
            guard = found.guarded or snapshot.Guarded(0, "")
            count = self._broadcast.restore(
                found.objects(), header.contact, header.serial, (guard.since, guard.why)
            )
        except snapshot.NoSnapshot:
            _log.info("snapshot %s does not exist yet", self._path)
            return
        except snapshot.SnapshotError as error:
            _log.warning("snapshot %s not used: %s", self._path, error)
            return
        self.saved = header.saved
        _log.warning("%d objects restored from %s, %.0f s old", count, self._path, age)

    def use(self, config: Config) -> None:
        """New options. The next start has them, too, so the file is written again, once the source
        has listed the kinds of which they need other fields."""
        if self._path is None:
            return
        old, new = fields_of(self._policy), fields_of(config.policy())
        self._policy = config.policy()
        for kind in kinds_of(self._policy):
            if not WATCHED[kind].is_read_alike(old, new):
                self._awaited[kind] = self._lists(kind)
        fingerprint = snapshot.fingerprint(config)
        if fingerprint != self._fingerprint:
            self._fingerprint, self._written = fingerprint, -1

    def tick(self) -> None:
        """Start to write a snapshot when one is due; called often, returns at once."""
        if self._path is None or not self._is_complete or self._busy:
            return
        changed = self._written != self._broadcast.changes
        turned = self._turns != self._broadcast.guard_turns
        if turned or snapshot.is_due(time.monotonic(), self._last, changed=changed):
            self._thread = threading.Thread(target=self._write, args=(self._path,), name="snapshot")
            self._thread.start()

    def stop(self) -> None:
        """Write the final state."""
        if self._thread is not None:
            self._thread.join()
        if self._path is not None and self._is_complete:
            self._write(self._path)

    @property
    def _is_complete(self) -> bool:
        """Whether everything is there as the options need it."""
        self._awaited = {
            kind: count for kind, count in self._awaited.items() if self._lists(kind) == count
        }
        return self._broadcast.is_live and not self._awaited

    def _lists(self, kind: Kind) -> int:
        return self._broadcast.notes.get(("list", kind), 0)

    @property
    def _busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _write(self, path: Path) -> None:
        broadcast, now = self._broadcast, time.time()
        self._last = time.monotonic()
        self._written, self._turns = broadcast.changes, broadcast.guard_turns
        contact = min((broadcast.heard_at.get(kind, now) for kind in broadcast.needed), default=now)
        since, why = broadcast.guarded
        header = snapshot.Header(self._fingerprint, now, contact, broadcast.serial)
        guarded = snapshot.Guarded(since, why) if since else None
        try:
            snapshot.save(path, header, self._objects(), guarded)
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
        """All objects that answers need, while Changes go on."""
        store = self._broadcast.store
        kinds = sorted(store.listed & kept_kinds(self._policy))
        return chain.from_iterable(map(store.objects, kinds))
