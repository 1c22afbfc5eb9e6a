"""The feed: one process that keeps the cluster's objects and tells every worker what changes.

A source calls the `Broadcast` (a `Sink`) from its threads; each Change is stamped, kept in the
Store and sent at once to every worker, from that very thread: no queue stands between the API's
event and the workers' sockets. The main thread does what a socket that did not take everything
needs, new connections, the heartbeat and the snapshot.

A kind that the source lists for the first time is *listed* to the workers too, for they may
know objects of another feed, which must go; from then on they get its Changes. Data restored from a
snapshot goes to workers that have none: one that has live data keeps it until the API has
answered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable

from grpcdns.core.answers.policy import Policy, needed_kinds
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.core.cluster.store import Store
from grpcdns.serve import link
from grpcdns.serve.feed.subscriber import Subscriber
from grpcdns.source.sink import Packed

_log = logging.getLogger(__name__)

_BATCH = 64
"""Changes in a frame, at most, while a list is taken."""


class Broadcast:
    """Implements `Sink`. ``wake`` is called when a worker's socket did not take everything."""

    def __init__(
        self, policy: Policy, wake: Callable[[], None], clock: Callable[[], float] = time.time
    ) -> None:
        self.lock = threading.Lock()
        self.store = Store()
        self.peers: list[Subscriber] = []
        self.needed = needed_kinds(policy)
        self.live: set[Kind] = set()
        """Kinds that the source has listed in this process's life."""
        self.restored: float = 0.0
        """When the snapshot that the data is from was saved; 0.0 when the data is live."""
        self.serial = 0
        self.changes = 0
        self.heard_at: dict[Kind, float] = {}
        self.notes: dict[tuple[str, Kind | None], int] = {}
        self.repairs: dict[Kind | None, int] = {}
        self.lost: dict[Kind | None, float] = {}
        """Kinds whose API does not answer, and since when."""
        self._wake = wake
        self._clock = clock

    # -- Sink

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        pairs = ((key, body) for key, body, _ in objects)
        first = kind not in self.live
        steps = self.store.replace(kind, pairs, self._stamp())
        count = 0
        while batch := self._take(steps, kind):
            count += len(batch)
        with self.lock:
            self.store.listed.add(kind)
            self.live.add(kind)
            if first:
                self._tell_first(kind)
        self.heard(kind)
        return count

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:
        with self.lock:
            change = self.store.upsert(kind, key, body, self._stamp(), triggered)
            if change is not None:
                self._send((change,), kind)
        self.heard(kind)

    def delete(self, kind: Kind, key: str) -> None:
        with self.lock:
            change = self.store.delete(kind, key, self._stamp())
            if change is not None:
                self._send((change,), kind)
        self.heard(kind)

    def heard(self, kind: Kind) -> None:
        self.heard_at[kind] = self._clock()

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:
        with self.lock:
            self.notes[what, kind] = self.notes.get((what, kind), 0) + 1
            if what == "api_lost":
                self.lost.setdefault(kind, self._clock())
            elif what == "api_back":
                self.lost.pop(kind, None)
            elif what == "repaired":
                found = sum(value for value in fields.values() if isinstance(value, int))
                self.repairs[kind] = self.repairs.get(kind, 0) + found

    # -- the rest

    def restore(self, objects: Iterable[tuple[Kind, str, bytes]], saved: float, serial: int) -> int:
        """Take a snapshot's objects, before the source starts; how many."""
        with self.lock:
            for kind, key, body in objects:
                self.store.bodies[kind][key] = body
            self.store.listed |= self.needed
            self.serial = max(self.serial, serial)
            self.restored = saved
        return len(self.store)

    @property
    def missing(self) -> list[str]:
        """The kinds without which nothing can be answered, by name."""
        return sorted(kind.name.lower() for kind in self.needed - self.store.listed)

    @property
    def is_live(self) -> bool:
        return self.needed <= self.live

    def join(self, peer: Subscriber) -> None:
        """A worker has said Hello: bring it up to date."""
        with self.lock:
            self.peers.append(peer)
            for kind in Kind:
                if kind in self.store.listed and (kind in self.live or not peer.live):
                    peer.list_kind(kind, self.serial)
            self._tell_state(peer)
            self._wake()

    def leave(self, peer: Subscriber) -> None:
        with self.lock:
            if peer in self.peers:
                self.peers.remove(peer)

    def push(self, peer: Subscriber, frame: bytes) -> None:
        with self.lock:
            self._push(peer, frame)

    def _stamp(self) -> int:
        """Now, as a serial: it never goes back."""
        return max(int(self._clock()), self.serial)

    def _take(self, steps: Iterable[Change], kind: Kind) -> list[Change]:
        """The next few Changes of a list, sent; the lock is free in between."""
        batch: list[Change] = []
        with self.lock:
            for change in steps:
                batch.append(change)
                if len(batch) == _BATCH:
                    break
            if batch:
                self._send(tuple(batch), kind)
        return batch

    def _send(self, changes: tuple[Change, ...], kind: Kind) -> None:
        self.changes += len(changes)
        self.serial = max(self.serial, changes[-1].at)
        peers = [peer for peer in self.peers if kind in peer.told]
        if peers:
            frame = link.to_frame(link.Changes(changes))
            for peer in peers:
                self._push(peer, frame)

    def _push(self, peer: Subscriber, frame: bytes) -> None:
        try:
            peer.push(frame)
        except OSError:
            pass  # the main thread finds the socket closed
        if peer.pending:
            self._wake()

    def _tell_first(self, kind: Kind) -> None:
        """The source has listed a kind: list it to those who do not follow it yet."""
        for peer in self.peers:
            if kind not in peer.told:
                peer.list_kind(kind, self.serial)
        if self.restored and self.is_live:
            self.restored = 0.0
            _log.info("the API has answered: the snapshot is out of use")
            for peer in self.peers:
                self._tell_state(peer)
        self._wake()

    def _tell_state(self, peer: Subscriber) -> None:
        restored = bool(self.restored) and not peer.live
        heard = min((self.heard_at.get(kind, 0.0) for kind in self.needed), default=0.0)
        saved = self.restored if restored else 0.0
        peer.state = link.to_frame(link.State(restored, saved, heard))
        self._push(peer, peer.state)
