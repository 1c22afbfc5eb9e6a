"""A Service that has lost its last ready endpoint goes on with the last ones, for a while.

    take(kind, entries, now, at)      what the API says, to what is to be answered
    tick(now)                         the same when time has passed

Held are the endpoints that were ready within the last `WINDOW` seconds before none was left: a
failure takes them one by one. An endpoint that is ``terminating`` is not held: its Pod is being
deleted, as when a Service is scaled to zero. The hold ends

- when an endpoint of the Service is ready again;
- when the Service is deleted, or every held endpoint is terminating;
- after ``seconds``.

Beware: an endpoint that is gone without having been seen as terminating is held, too. Whether its
Pod was deleted or the slice is wrong cannot be told from the slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, cast

import msgspec

from grpcdns.core.cluster.endpoints import is_terminating
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Held, Kind, pack, unpack
from grpcdns.core.cluster.store import Entries
from grpcdns.core.holding.losses import Key, Taken, owners_of, ready_count

WINDOW: Final = 10.0
"""Seconds before the last endpoint went, within which others went with it."""
BY: Final = "hold-empty"
Addresses = tuple[str, ...]
_SLICE: Final = Kind.ENDPOINT_SLICE


class _Faded(NamedTuple):
    """An endpoint as it was when it was ready, its slice then, and when it no longer was."""

    endpoint: Endpoint
    slice_: EndpointSlice
    key: str
    at: float


class _Hold(NamedTuple):
    """Since when (unix seconds), until when (steady seconds), and which slices differ."""

    since: int
    until: float
    slices: set[str]


class EmptyHold:
    """``seconds``: how long a Service is held at most. ``below``: what was last given out of here
    for an object, packed, or None."""

    def __init__(self, seconds: float, below: Callable[[Kind, str], bytes | None]) -> None:
        self.seconds = seconds
        self._below = below
        self._truth: dict[str, bytes | None] = {}
        """What the API says of the slices of which something else is given out."""
        self._ready: Counter[Key] = Counter()
        self._faded: dict[Key, dict[Addresses, _Faded]] = {}
        self._ending: dict[Key, dict[Addresses, str]] = {}
        """Endpoints that are terminating, each with the slice that says so: it may have moved from
        another one, which loses it later."""
        self._holds: dict[Key, _Hold] = {}
        self._since: dict[Key, int] = {}
        """What the snapshot says was held, and since when."""

    @property
    def held_services(self) -> int:
        """How many Services are answered with endpoints that are no longer ready."""
        return len(self._holds)

    def restore(self, bodies: Iterable[bytes]) -> None:
        """The slices of a snapshot."""
        for body in bodies:
            held = _slice(body).held
            for owner in owners_of(body):
                self._ready[owner] += ready_count(body)
                if held is not None and held.by == BY:
                    self._since[owner] = held.since

    def take(self, kind: Kind, entries: Entries, now: float, at: int) -> Taken:
        """What the API says, to what is to be answered. All entries come at once: a list, or an
        event."""
        if kind is _SLICE:
            return self._take_slices(entries, now, at)
        given = list(entries)
        taken: Taken = {kind: given}
        if kind in (Kind.SERVICE, Kind.SERVICE_IMPORT):
            for key, after in given:
                if after is None and (kind, key) in self._holds:
                    self._faded.pop((kind, key), None)
                    self._end((kind, key), taken)
        return taken

    def tick(self, now: float) -> Taken:
        """To be called every second or so."""
        taken: Taken = {}
        for owner in [owner for owner, hold in self._holds.items() if hold.until <= now]:
            self._faded.pop(owner, None)
            self._end(owner, taken)
        for owner in [owner for owner in self._faded if owner not in self._holds]:
            self._forget(owner, now)
        return taken

    def _take_slices(self, entries: Entries, now: float, at: int) -> Taken:
        taken: Taken = {_SLICE: []}
        had: dict[Key, int] = {}
        changed: dict[str, bytes | None] = {}
        for key, after in entries:
            before = self._truth.get(key, b"")
            if before == b"":
                before = self._below(_SLICE, key)
            if before == after:
                continue
            changed[key] = self._truth[key] = after
            for owner in sorted(owners_of(before) | owners_of(after)):
                had.setdefault(owner, self._ready[owner])
                self._compare(owner, key, before, after, now)
        for owner, count in had.items():
            self._decide(owner, count, now, at, taken, changed)
        held = {key for hold in self._holds.values() for key in hold.slices}
        for key, after in changed.items():
            if key not in held:
                self._truth.pop(key, None)
                taken[_SLICE].append((key, after))
        return taken

    def _compare(
        self, owner: Key, key: str, before: bytes | None, after: bytes | None, now: float
    ) -> None:
        """Count an owner's ready endpoints, and note which are no longer ready."""
        faded = self._faded.get(owner, {})
        old = _slice(before) if before is not None and owner in owners_of(before) else None
        new = _slice(after) if after is not None and owner in owners_of(after) else None
        self._see_ending(owner, key, new)
        ending = self._ending.get(owner, {})
        there = {} if new is None else {one.addresses: one for one in new.endpoints}
        if old is not None and before is not None and old.address_type != "FQDN":
            self._ready[owner] -= ready_count(before)
            for one in old.endpoints:
                found = there.get(one.addresses)
                kept = one.addresses in ending or (found is not None and found.ready)
                if one.ready and not is_terminating(one) and not kept:
                    faded[one.addresses] = _Faded(one, old, key, now)
        if new is not None and after is not None:
            self._ready[owner] += ready_count(after)
            for one in new.endpoints:
                if one.ready or is_terminating(one):
                    faded.pop(one.addresses, None)
        if not self._ready[owner]:
            del self._ready[owner]
        if faded:
            self._faded[owner] = faded
        else:
            self._faded.pop(owner, None)

    def _see_ending(self, owner: Key, key: str, slice_: EndpointSlice | None) -> None:
        """Note which endpoints of an owner are terminating by this slice."""
        ending = self._ending.pop(owner, {})
        for addresses in [name for name, of in ending.items() if of == key]:
            del ending[addresses]
        for one in () if slice_ is None else slice_.endpoints:
            if is_terminating(one):
                ending[one.addresses] = key
        if ending:
            self._ending[owner] = ending

    def _decide(
        self,
        owner: Key,
        had: int,
        now: float,
        at: int,
        taken: Taken,
        changed: dict[str, bytes | None],
    ) -> None:
        """Begin, go on with or end the hold of an owner that had so many ready addresses."""
        hold = self._holds.get(owner)
        if self._ready[owner]:
            self._since.pop(owner, None)
            if hold is not None:
                self._end(owner, taken, changed)
            return
        if hold is None:
            self._forget(owner, now)
            since = self._since.pop(owner, at)
            left = self.seconds - max(0, at - since)
            there = self._below(*owner) is not None
            if not had or not there or left <= 0 or owner not in self._faded:
                return
            hold = self._holds[owner] = _Hold(since, now + left, set())
        self._show(owner, hold, taken, changed)

    def _show(
        self, owner: Key, hold: _Hold, taken: Taken, changed: dict[str, bytes | None]
    ) -> None:
        """Give out the held endpoints, each in the slice that it was in."""
        by_slice: dict[str, list[_Faded]] = {}
        for faded in self._faded.get(owner, {}).values():
            by_slice.setdefault(faded.key, []).append(faded)
        if not by_slice:
            self._end(owner, taken, changed)
            return
        for key in hold.slices - by_slice.keys():
            changed.setdefault(key, self._truth.get(key))
        hold.slices.clear()
        for key, endpoints in by_slice.items():
            hold.slices.add(key)
            before = self._below(_SLICE, key)
            self._truth.setdefault(key, before)
            points = tuple(one.endpoint for one in endpoints)
            mark = Held(BY, hold.since)
            body = pack(msgspec.structs.replace(endpoints[0].slice_, endpoints=points, held=mark))
            if body != before:
                taken.setdefault(_SLICE, []).append((key, body))

    def _end(
        self, owner: Key, taken: Taken, changed: dict[str, bytes | None] | None = None
    ) -> None:
        """Give out what the API says; what is in ``changed`` is given out by the caller."""
        for key in sorted(self._holds.pop(owner).slices):
            truth = self._truth.pop(key, None)
            if changed is not None:
                changed.setdefault(key, truth)
            else:
                taken.setdefault(_SLICE, []).append((key, truth))

    def _forget(self, owner: Key, now: float) -> None:
        """Forget endpoints that were no longer ready before the window."""
        faded = self._faded.get(owner, {})
        for addresses in [name for name, one in faded.items() if one.at <= now - WINDOW]:
            del faded[addresses]
        if not faded:
            self._faded.pop(owner, None)


def _slice(body: bytes) -> EndpointSlice:
    return cast("EndpointSlice", unpack(_SLICE, body))
