"""Explanations in the feed: an index over the feed's own packed objects, made when it is needed.

The index shares the objects with the feed's Store (23 MB for 10,000 Services with ten endpoints
each, made in half a second), is brought up to date when somebody asks, and is dropped when nobody
has asked for a while. The rules are those that answers are made by.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import Final

import msgspec

from grpcdns.core.answers.policy import Policy, Zones, kept_kinds, needed_kinds, with_networks
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.store import in_batches
from grpcdns.core.dns.names import (
    BadName,
    address_from_text,
    name_from_user,
    name_from_wire,
    reverse_from_address,
)
from grpcdns.core.dns.wire import IN, PTR, TYPES, Question, question_of
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.explanation import Explanation
from grpcdns.core.inspect.picture import Node, picture
from grpcdns.core.inspect.vain import Why, why_in_vain
from grpcdns.serve.feed.broadcast import Broadcast

KEPT: Final = 300.0
"""Seconds after the last use for which the index is kept."""
_FRESH: Final = 10.0
"""Seconds for which a reason is shown again."""
_BATCH: Final = 64
_WAIT: Final = 0.3
"""Seconds that reasons may take; those that are missing are shown the next time."""
_REASONS: Final = 1000


class Explained(msgspec.Struct, frozen=True):
    """An explanation and its drawing. ``missing``: kinds that are not listed, so that it may be
    wrong."""

    explanation: Explanation
    picture: tuple[Node, ...]
    missing: tuple[str, ...]


class Inspector:
    """Explains; from any thread but the loop's. ``clock`` gives steady seconds."""

    def __init__(
        self,
        policy: Policy,
        broadcast: Broadcast,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._broadcast = broadcast
        self._lock = threading.Lock()
        self._index: Index | None = None
        self._seen = -1
        """How many changes the index has."""
        self._used = 0.0
        self._builder: threading.Thread | None = None
        self._whys: dict[bytes, tuple[float, Why]] = {}

    def use(self, policy: Policy) -> None:
        """Explain by other options, from now on."""
        with self._lock:
            self._policy, self._index = policy, None
            self._whys.clear()

    def tick(self) -> None:
        """Drop what nobody has used lately; to be called now and then."""
        if self._clock() - self._used > KEPT and self._lock.acquire(blocking=False):
            self._index = None
            self._whys.clear()
            self._lock.release()

    def explain(self, question: Question) -> Explained:
        """Why a question gets its answer."""
        with self._lock:
            index = self._ready()
            zones = self._zones(index)
            found = explain(question, index, zones)
            return Explained(found, picture(found, index), tuple(self._broadcast.missing))

    def whys(self, keys: Collection[bytes]) -> dict[bytes, Why]:
        """Why questions (`core.sketch`) are asked in vain: those that are worked out already, or
        can be at once. Needs the index only if one of them is due."""
        now, known = self._clock(), dict(self._whys)  # another thread may clear it
        if all(key in known and now - known[key][0] <= _FRESH for key in keys):
            return {key: known[key][1] for key in keys}
        end = now + _WAIT
        builder = self._builder
        if builder is None or not builder.is_alive():
            builder = threading.Thread(target=self._refresh, name="inspector", daemon=True)
            self._builder = builder
            builder.start()
        builder.join(_WAIT)
        if builder.is_alive() or not self._lock.acquire(timeout=max(0.0, end - self._clock())):
            return {key: known[key][1] for key in keys if key in known}
        try:
            return self._work_out(keys, end)
        finally:
            self._lock.release()

    def _work_out(self, keys: Collection[bytes], end: float) -> dict[bytes, Why]:
        index = self._ready()
        zones = self._zones(index)
        found: dict[bytes, Why] = {}
        for key in keys:
            now = self._clock()
            at, why = self._whys.get(key, (0.0, None))
            if (why is None or now - at > _FRESH) and now < end:
                why = why_in_vain(_question(key), index, zones)
                if len(self._whys) >= _REASONS:
                    self._whys.clear()
                self._whys[key] = now, why
            if why is not None:
                found[key] = why
        return found

    def _zones(self, index: Index) -> Zones:
        return Zones(with_networks(self._policy, index.service_networks))

    def _refresh(self) -> None:
        with self._lock:
            self._ready()

    def _ready(self) -> Index:
        """The index, with all that the feed has."""
        self._used = self._clock()
        broadcast, changes = self._broadcast, self._broadcast.changes
        if self._index is not None and self._seen == changes:
            return self._index
        index = self._index or Index(needed_kinds(self._policy))
        for kind in kept_kinds(self._policy) & broadcast.store.listed:
            pairs = ((key, body) for _, key, body in broadcast.store.objects(kind))
            for entries in index.store.steps(kind, in_batches(pairs, _BATCH)):
                index.apply_all(kind, entries, 0, set())
                time.sleep(0)  # the feed's threads come first
        index.serials = [broadcast.serial] * len(index.serials)
        self._index, self._seen = index, changes
        return index


def read_question(name: str, qtype: str) -> Question:
    """The question that somebody typed; an address is asked for by its reverse name. Raises
    BadName."""
    name, qtype = name.strip(), qtype.strip().upper() or "A"
    number = TYPES.get(qtype)
    if number is None:
        raise BadName(f"{qtype[:20]!r} is no type that can be asked for: {', '.join(TYPES)}")
    address = address_from_text(name)
    if address is not None:
        return question_of(reverse_from_address(address), PTR)
    return question_of(name_from_user(name), number)


def _question(key: bytes) -> Question:
    return Question(key[:-4], name_from_wire(key[:-4]), int.from_bytes(key[-4:-2], "big"), IN)
