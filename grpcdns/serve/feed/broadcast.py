"""The cluster's objects, and what changes in them, sent to every worker.

A source calls the `Broadcast` (a `Sink`) from its threads. Each Change is stamped, kept in the
Store and sent to every worker at once, from the same thread: no queue stands between the API's
event and the workers' sockets. The main thread (`FeedLoop`) takes care of sockets that did not
accept everything, new connections, the heartbeat and the snapshot.

A kind that the source lists for the first time is *listed* to the workers too: they may hold
objects of an earlier feed, which must be deleted. After that they get its Changes. Data restored
from a snapshot goes only to workers without live data: the others keep theirs until the API has
answered.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import NamedTuple

from grpcdns.core.answers.policy import Policy, kept_kinds
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.core.cluster.store import Entries, Store, in_batches
from grpcdns.core.holding import empty, guard
from grpcdns.core.holding.empty import EmptyHold
from grpcdns.core.holding.guard import Guard
from grpcdns.core.holding.losses import Taken
from grpcdns.serve import link
from grpcdns.serve.feed.subscriber import Subscriber
from grpcdns.source.kinds import WATCHED
from grpcdns.source.sink import Packed

_log = logging.getLogger(__name__)

_BATCH = 64
"""Objects of a list that are taken at once: the most Changes in one frame."""
RECENT = 100
"""Changes that are remembered, for people who look."""


class Sent(NamedTuple):
    """A Change that was sent: the number of its message (`link.Changes`), when (unix seconds), and
    the packed object before and after."""

    number: int
    at: float
    kind: Kind
    key: str
    before: bytes | None
    after: bytes | None


class Broadcast:
    """Implements `Sink`. ``wake`` is called when a worker's socket did not accept everything.

    ``guard``: PERCENT and seconds of the options ``guard`` and ``guard_max``; ``hold_empty``: the
    seconds of that option. ``clock`` gives unix seconds, ``steady`` seconds for durations.
    """

    def __init__(
        self,
        policy: Policy,
        wake: Callable[[], None],
        clock: Callable[[], float] = time.time,
        *,
        guard: tuple[float, float] = (0.0, 0.0),
        hold_empty: float = 0.0,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.lock = threading.Lock()
        self.store = Store()
        self.subscribers: list[Subscriber] = []
        self.needed = kept_kinds(policy)
        self.live: set[Kind] = set()
        """Kinds that the source has listed since this process started."""
        self.restored: float = 0.0
        """When the API was last heard before the snapshot that the data is from (unix seconds); 0.0
        when the data is live."""
        self.serial = 0
        self.changes = 0
        self.recent: deque[Sent] = deque(maxlen=RECENT)
        """The latest Changes, oldest first. First lists are none."""
        self.heard_at: dict[Kind, float] = {}
        self.notes: dict[tuple[str, Kind | None], int] = {}
        self.repairs: dict[Kind | None, int] = {}
        self.lost: dict[Kind | None, float] = {}
        """Kinds whose API does not answer, and since when (unix seconds)."""
        self.problems: dict[Kind | None, str] = {}
        """Why a kind is not listed, or all of them; until it is."""
        self.guard = Guard(self.store, *guard) if guard[0] else None
        truth = self.guard.truth if self.guard is not None else self.store.get
        self.empty = EmptyHold(hold_empty, truth) if hold_empty else None
        self.guard_turns = 0
        """How often the guard has begun to hold, or ended."""
        self._guarded_since = 0
        self._wake = wake
        self._clock = clock
        self._steady = steady

    # -- Sink

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        pairs = ((key, body) for key, body, _ in objects)
        first = kind not in self.live
        steps = self.store.steps(kind, in_batches(pairs, _BATCH))
        count = 0
        if (self.guard or self.empty) and self.store.bodies[kind]:
            with self.lock:  # what is lost is decided on for the list as a whole
                count = self._take(kind, [entry for entries in steps for entry in entries])
        while (made := self._take_next(kind, steps)) is not None:
            count += made
        with self.lock:
            self.live.add(kind)
            if self.guard is not None:
                self.guard.live = self.is_live
            self.problems.pop(kind, None)
            if first:
                self._list_first(kind)
        self.heard(kind)
        return count

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:
        with self.lock:
            self._take(kind, ((key, body),), triggered)
        self.heard(kind)

    def delete(self, kind: Kind, key: str) -> None:
        with self.lock:
            self._take(kind, ((key, None),))
        self.heard(kind)

    def terminating(self, kind: Kind, key: str) -> None:
        if self.guard is not None and kind is Kind.NAMESPACE:
            with self.lock:
                now, at = self._steady(), self._stamp()
                self._follow(self.guard.end_namespace(key[1:], now, at), at)

    def heard(self, kind: Kind) -> None:
        self.heard_at[kind] = self._clock()

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:
        with self.lock:
            self.notes[what, kind] = self.notes.get((what, kind), 0) + 1
            if what == "api_lost":
                self.lost.setdefault(kind, self._clock())
            elif what == "api_back":
                self.lost.pop(kind, None)
                self.problems.pop(kind, None)
            elif what == "repaired":
                found = sum(value for value in fields.values() if isinstance(value, int))
                self.repairs[kind] = self.repairs.get(kind, 0) + found
            if what in ("api_lost", "forbidden", "absent"):
                self._set_problem(kind, str(fields.get("error", what)))

    # -- snapshot and workers

    def restore(
        self,
        objects: Iterable[tuple[Kind, str, bytes]],
        saved: float,
        serial: int,
        guard: tuple[int, str] = (0, ""),
    ) -> int:
        """Take a snapshot's objects, before the source starts; returns how many. ``guard``: since
        when it held, and why."""
        with self.lock:
            for kind, key, body in objects:
                self.store.bodies[kind][key] = body
            self.store.listed |= self.needed
            self.serial = max(self.serial, serial)
            self.restored = saved
            if self.empty is not None:
                self.empty.restore(self.store.bodies[Kind.ENDPOINT_SLICE].values())
            if self.guard is not None:
                self.guard.restore(*guard, self._steady(), self._stamp())
                self._report_guard()
        return len(self.store)

    @property
    def missing(self) -> list[str]:
        """The names of the kinds that answers need and that are not listed yet."""
        return sorted(WATCHED[kind].name for kind in self.needed - self.store.listed)

    def counts(self) -> str:
        """How many objects there are of the kinds that answers need."""
        bodies = self.store.bodies
        return ", ".join(
            f"{WATCHED[kind].name} {len(bodies[kind])}" for kind in sorted(self.needed)
        )

    @property
    def is_live(self) -> bool:
        return self.needed <= self.live

    def join(self, subscriber: Subscriber) -> None:
        """A worker has said Hello: list everything to it."""
        with self.lock:
            self.subscribers.append(subscriber)
            for kind in Kind:
                if kind in self.store.listed and (kind in self.live or not subscriber.live):
                    subscriber.list_kind(kind, self.serial)
            self._send_state(subscriber)
            self._wake()

    def leave(self, subscriber: Subscriber) -> None:
        with self.lock:
            if subscriber in self.subscribers:
                self.subscribers.remove(subscriber)

    def workers(self) -> list[Subscriber]:
        return [subscriber for subscriber in list(self.subscribers) if subscriber.is_worker]

    def push(self, subscriber: Subscriber, frame: bytes) -> None:
        with self.lock:
            self._push(subscriber, frame)

    # -- the guard

    @property
    def guarded(self) -> tuple[int, str]:
        """Since when the guard holds (unix seconds, 0: it does not), and why."""
        return (0, "") if self.guard is None else (self.guard.since, self.guard.why)

    @property
    def held_services(self) -> dict[str, int]:
        """How many Services are answered although they are gone or have no ready endpoint, by the
        option that holds them."""
        return {
            guard.BY: 0 if self.guard is None else self.guard.held_services,
            empty.BY: 0 if self.empty is None else self.empty.held_services,
        }

    def tick(self) -> None:
        """Called often: what is held may end."""
        if self.guard is None and self.empty is None:
            return
        with self.lock:
            now, at = self._steady(), self._stamp()
            if self.empty is not None:
                self._follow_guarded(self.empty.tick(now), now, at)
            if self.guard is not None:
                self._follow(self.guard.tick(now, at), at)

    def answer_guard(self, subscriber: Subscriber, ask: link.GuardAsk) -> None:
        """Send the GuardStatus; let go first if that is asked for."""
        subscriber.asked = True
        with self.lock:
            self._push(subscriber, link.to_frame(self._guard_status(release=ask.release)))

    def _guard_status(self, *, release: bool) -> link.GuardStatus:
        guard = self.guard
        if guard is None:
            return link.GuardStatus(0.0)
        since, why, at = guard.since, guard.why, self._stamp()
        services, withheld = guard.held_services, guard.withheld
        released = release and since > 0
        if released:
            _log.warning("guard: released by an operator")
            self._follow(guard.release(at), at)
        kinds = tuple((kind.name.lower(), count) for kind, count in sorted(withheld.items()))
        until = since and since + int(guard.longest)
        return link.GuardStatus(guard.percent, since, until, why, services, kinds, released)

    def _follow_guarded(self, taken: Taken, now: float, at: int, triggered: float = 0.0) -> int:
        """Take what is to be answered, as far as the guard lets it."""
        if self.guard is None:
            return self._follow(taken, at, triggered)
        return sum(
            self._follow(self.guard.take(kind, entries, now, at), at, triggered)
            for kind, entries in taken.items()
        )

    def _follow(self, taken: Taken, at: int, triggered: float = 0.0) -> int:
        """Take what the guard says is to be answered; returns how many Changes that is."""
        count = 0
        for kind, entries in taken.items():
            for batch in in_batches(entries, _BATCH):
                count += self._apply(kind, batch, at, triggered)
        self._report_guard()
        return count

    def _report_guard(self) -> None:
        """Log that the guard holds, or has ended, once."""
        if self.guard is None or self.guard.since == self._guarded_since:
            return
        self._guarded_since = self.guard.since
        self.guard_turns += 1
        if self.guard.since:
            _log.warning(
                "guard: %s: the old answers are held; grpcdns guard release lets go",
                self.guard.why,
            )
        else:
            _log.warning("guard: ended, the answers are those of the API")
        for subscriber in self.subscribers:
            self._send_state(subscriber)

    def _stamp(self) -> int:
        """The time as a serial, which never goes back."""
        return max(int(self._clock()), self.serial)

    def _take_next(self, kind: Kind, steps: Iterator[Entries]) -> int | None:
        """Take the next step of a list; None at its end. The lock is free between steps."""
        with self.lock:
            entries = next(steps, None)
            return None if entries is None else self._take(kind, entries)

    def _take(self, kind: Kind, entries: Entries, triggered: float = 0.0) -> int:
        """Send what the entries change; returns how many Changes that is."""
        at = self._stamp()
        if (self.guard is None and self.empty is None) or kind is Kind.SERVICE_CIDR:
            return self._apply(kind, entries, at, triggered)
        now = self._steady()
        taken: Taken = {kind: list(entries)}
        if self.empty is not None:
            taken = self.empty.take(kind, taken[kind], now, at)
        return self._follow_guarded(taken, now, at, triggered)

    def _apply(self, kind: Kind, entries: Entries, at: int, triggered: float) -> int:
        taken = list(self.store.take(kind, entries))
        if taken:
            now = self._clock()
            changes = [Change(kind, key, after, at, triggered) for key, _, after in taken]
            self._send(tuple(changes), kind)
            if kind in self.store.listed:
                number = self.changes
                self.recent.extend(Sent(number, now, kind, *one) for one in taken[-RECENT:])
        return len(taken)

    def _send(self, changes: tuple[Change, ...], kind: Kind) -> None:
        self.changes += len(changes)
        self.serial = max(self.serial, changes[-1].at)
        subscribers = [subscriber for subscriber in self.subscribers if kind in subscriber.follows]
        if subscribers:
            frame = link.to_frame(link.Changes(changes, self.changes))
            for subscriber in subscribers:
                self._push(subscriber, frame)

    def _push(self, subscriber: Subscriber, frame: bytes) -> None:
        try:
            subscriber.push(frame)
        except OSError:
            pass  # the main thread will find the socket closed
        if subscriber.pending:
            self._wake()

    def _list_first(self, kind: Kind) -> None:
        """The source has listed a kind: list it to the workers that do not follow it yet."""
        for subscriber in self.subscribers:
            if kind not in subscriber.follows:
                subscriber.list_kind(kind, self.serial)
        if self.restored and self.is_live:
            self.restored = 0.0
            _log.info("the API has answered: the snapshot is no longer used")
            for subscriber in self.subscribers:
                self._send_state(subscriber)
        self._wake()

    def _set_problem(self, kind: Kind | None, error: str) -> None:
        if self.problems.get(kind) != error:
            self.problems[kind] = error
            for subscriber in self.subscribers:
                self._send_state(subscriber)

    def _send_state(self, subscriber: Subscriber) -> None:
        restored = bool(self.restored) and not subscriber.live
        heard = min((self.heard_at.get(kind, 0.0) for kind in self.needed), default=0.0)
        saved = self.restored if restored else 0.0
        missing = self.needed - self.store.listed
        own = {kind: error for kind in sorted(missing) if (error := self.problems.get(kind))}
        texts = tuple(f"{WATCHED[kind].name}: {error}" for kind, error in own.items())
        if own.keys() < missing and None in self.problems:
            texts += (self.problems[None],)
        _, guard = self.guarded
        subscriber.state = link.to_frame(link.State(restored, saved, heard, texts, guard))
        self._push(subscriber, subscriber.state)
