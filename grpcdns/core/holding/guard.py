"""The guard: when too much is lost at once, the old answers are held.

    take(kind, entries, now, at)      what the API says, to what the Store is to take
    tick(now, at)                     the same when time has passed
    release(at)                       let go

A *loss* is an object that went, or a slice that has fewer ready addresses than before. Losses are
followed at once. Those of the last `WINDOW` seconds are remembered with what was there before; when
they are more than ``percent`` of the Namespaces, of the Services (those that have lost their last
ready endpoint included) or of the ready endpoints, all of them are taken back and the guard
*holds*: losses are withheld, and everything else is followed. It ends

- at once when nothing is lost any more of what there was too much: it came back, or was explained;
- when no share has been above ``percent`` for `WINDOW` seconds;
- after ``longest`` seconds, or when it is released.

Losses in a Namespace that is terminating are *explained*, and so are those in a Namespace that is
gone, unless too many Namespaces are: they are neither counted nor withheld.

Beware: a first list, and a list after a restart, are compared with what the Store was given from
the snapshot. Nothing ends the guard before ``live``: until then nobody knows what is lost.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from grpcdns.core.cluster.objects import Held, Kind, Object, pack, unpack
from grpcdns.core.cluster.store import Entries, Store
from grpcdns.core.holding.losses import (
    GONE,
    Group,
    Key,
    Loss,
    Measure,
    Owner,
    Taken,
    is_less,
    older_than,
    owners_of,
    ready_count,
)

WINDOW: Final = 10.0
"""Seconds within which losses count as one."""
FEW: Final = 5
"""Fewer losses than these are followed, whatever their share: a cluster may be small."""
_EXPIRE_EVERY: Final = 0.2
BY: Final = "guard"


class Guard:
    """``percent``: the share that may be lost at once; ``longest``: seconds after which it ends.

    ``store`` is read, never written. ``since``: unix seconds since which it holds, 0 if it does
    not; ``why``: what was lost then, or "". ``live``: every kind has been listed by the API.
    """

    def __init__(self, store: Store, percent: float, longest: float) -> None:
        self.percent = percent
        self.longest = longest
        self.since = 0
        self.why = ""
        self.live = False
        self._store = store
        self._began = 0.0
        self._truth: dict[Key, bytes | None] = {}
        """What the API says where it is not what the Store has, or is to have."""
        self._present: Counter[Kind] = Counter()
        self._ready: Counter[Key] = Counter()
        self._all_ready = 0
        self._ending: set[str] = set()
        self._announced: set[str] = set()
        """Namespaces found to be terminating whose own entry is still to come."""
        self._gone: dict[str, Loss] = {}
        """Namespaces that are gone and were not terminating."""
        self._groups: dict[str, Group] = {}
        self._lost: Counter[Measure | str] = Counter()
        self._over: dict[Measure, float | None] = {}
        """The measures that hold: since when each has not been above ``percent``, None if it is."""
        self._unsettled: dict[Key, None] = {}
        self._spent: set[Key] = set()
        """Objects of the snapshot that a guard held which has ended: their end is no loss."""
        self._expired = 0.0

    # -- what the feed calls

    def restore(self, since: int, why: str, now: float, at: int) -> None:
        """The Store has been filled from a snapshot, in which the guard held ``since`` (0: not)."""
        for kind, bodies in self._store.bodies.items():
            self._present[kind] = len(bodies)
        for body in self._store.bodies[Kind.ENDPOINT_SLICE].values():
            self._add_ready(body, 1)
        if since and at - since < self.longest:
            self.since, self.why, self._began = since, why, now - max(0, at - since)
            self._over = dict.fromkeys(Measure)
        else:
            self._spend()

    def take(self, kind: Kind, entries: Entries, now: float, at: int) -> Taken:
        """What the API says, to what the Store is to take. A list is decided on as a whole if all
        its entries come at once."""
        self._expire(now)
        for key, after in entries:
            if kind is Kind.NAMESPACE and after is not None:
                self._see_namespace(key[1:])
            before = self.truth(kind, key)
            if before != after:
                self._truth[kind, key] = after
                self._unsettled[kind, key] = None
                self._note(kind, key, before, after, now)
        self._judge(now, at)
        return self._settle(at)

    def end_namespace(self, name: str, now: float, at: int) -> Taken:
        """A Namespace is terminating: its owner has deleted it. To be called before `take` with its
        entry, every time: an entry without it is of a new Namespace of that name."""
        self._announced.add(name)
        if name in self._ending:
            return {}
        self._ending.add(name)
        self._regroup(name)
        self._judge(now, at)
        return self._settle(at)

    def tick(self, now: float, at: int) -> Taken:
        """To be called every second or so."""
        self._expire(now)
        if self.since and now - self._began >= self.longest:
            return self.release(at)
        self._judge(now, at)
        return self._settle(at)

    def release(self, at: int) -> Taken:
        """Follow all that was withheld."""
        self._end()
        if not self.live:
            self._spend()
        return self._settle(at)

    @property
    def withheld(self) -> Counter[Kind]:
        """How many losses are withheld, by the kind of object."""
        return Counter(kind for kind, _ in self._truth)

    @property
    def held_services(self) -> int:
        """How many Services are answered although they are gone or have no ready endpoint."""
        return self._lost[Measure.SERVICES] if self.since else 0

    def truth(self, kind: Kind, key: str) -> bytes | None:
        """What the API says of an object."""
        found = self._truth.get((kind, key), b"")
        return self._store.get(kind, key) if found == b"" else found

    # -- what is lost

    def _note(
        self, kind: Kind, key: str, before: bytes | None, after: bytes | None, now: float
    ) -> None:
        if (kind, key) in self._spent:
            self._spent.discard((kind, key))
            before = None
        self._present[kind] += (after is not None) - (before is not None)
        if kind is Kind.NAMESPACE:
            self._note_namespace(key[1:], before, after, now)
            return
        name = key.partition("/")[0]
        group = self._groups.get(name) or Group(self._is_explained(name))
        if kind is Kind.ENDPOINT_SLICE:
            self._note_slice(group, before, after, now)
        loss = group.losses.get((kind, key))
        best = before if loss is None else loss.before
        if best is None or not is_less(kind, best, after):
            group.losses.pop((kind, key), None)
        elif loss is None:
            group.losses[kind, key] = Loss(best, now)
        if kind in (Kind.SERVICE, Kind.SERVICE_IMPORT):
            owner = group.owners.get((kind, key))
            if owner is None and (kind, key) in group.losses:
                owner = self._owner(group, (kind, key), self._ready[kind, key], now)
            if owner is not None:
                owner.gone = (kind, key) in group.losses
                self._count(group, (kind, key), owner)
        if group.losses or group.owners:
            self._groups[name] = group

    def _see_namespace(self, name: str) -> None:
        if name in self._announced:
            self._announced.discard(name)
        elif name in self._ending:
            self._ending.discard(name)
            self._regroup(name)

    def _note_namespace(
        self, name: str, before: bytes | None, after: bytes | None, now: float
    ) -> None:
        if after is not None:
            self._gone.pop(name, None)
        elif before is not None and name not in self._ending:
            self._gone.setdefault(name, Loss(before, now))
        if after is None:
            self._ending.discard(name)
            self._announced.discard(name)
        self._regroup(name)

    def _note_slice(
        self, group: Group, before: bytes | None, after: bytes | None, now: float
    ) -> None:
        had = {owner: self._ready[owner] for owner in owners_of(before) | owners_of(after)}
        self._add_ready(before, -1)
        self._add_ready(after, 1)
        for owner, peak in had.items():
            record = group.owners.get(owner)
            if record is None and peak and self._ready[owner] != peak:
                record = self._owner(group, owner, peak, now)
            if record is not None:
                self._count(group, owner, record)

    def _add_ready(self, body: bytes | None, sign: int) -> None:
        if body is None:
            return
        count = ready_count(body) * sign
        for owner in owners_of(body):
            self._ready[owner] += count
            self._all_ready += count
            if not self._ready[owner]:
                del self._ready[owner]

    def _spend(self) -> None:
        """What the Store has of a guard that has ended counts as not there."""
        for kind, bodies in self._store.bodies.items():
            for key, body in bodies.items():
                # Unpacked only if the mark can be in it.
                held = unpack(kind, body).held if BY.encode() in body else None
                if held is None or held.by != BY or (kind, key) in self._truth:
                    continue
                self._spent.add((kind, key))
                self._present[kind] -= 1
                if kind is Kind.ENDPOINT_SLICE:
                    self._add_ready(body, -1)

    @staticmethod
    def _owner(group: Group, owner: Key, peak: int, now: float) -> Owner:
        record = group.owners[owner] = Owner(now, peak)
        return record

    def _count(self, group: Group, owner: Key, record: Owner) -> None:
        ready = self._ready.get(owner, 0)
        emptied = record.peak > 0 and not ready and self.truth(*owner) is not None
        lost: Counter[Measure | str] = Counter()
        lost[Measure.SERVICES] = int(record.gone or emptied)
        lost[Measure.ENDPOINTS] = max(0, record.peak - ready)
        lost[GONE] = int(record.gone)
        self._recount(group, record, lost)

    def _recount(self, group: Group, record: Owner, lost: Counter[Measure | str]) -> None:
        """What an owner has lost is now ``lost``."""
        for measure in (*Measure, GONE):
            change = lost[measure] - record.lost[measure]
            group.lost[measure] += change
            if not group.explained:
                self._lost[measure] += change
        record.lost = lost

    def _expire(self, now: float) -> None:
        """Forget losses that are older than the window, while none is withheld."""
        if self.since or now - self._expired < _EXPIRE_EVERY:
            return
        self._expired, since = now, now - WINDOW
        for name in [name for name, loss in self._gone.items() if loss.at <= since]:
            del self._gone[name]
            self._regroup(name)
        for name, group in list(self._groups.items()):
            for key in older_than(group.losses, since):
                del group.losses[key]
            for key in older_than(group.owners, since):
                self._recount(group, group.owners.pop(key), Counter())
            if not group.losses and not group.owners:
                del self._groups[name]

    # -- what is explained

    def _is_explained(self, name: str) -> bool:
        if name in self._ending:
            return True
        return (
            self.truth(Kind.NAMESPACE, f"/{name}") is None
            and Kind.NAMESPACE in self._store.listed
            and not (name in self._gone and Measure.NAMESPACES in self._over)
        )

    def _regroup(self, name: str) -> None:
        """Whether a Namespace's losses are explained may have changed."""
        self._unsettled[Kind.NAMESPACE, f"/{name}"] = None
        group = self._groups.get(name)
        explained = self._is_explained(name)
        if group is None or group.explained == explained:
            return
        for measure, count in group.lost.items():
            self._lost[measure] += -count if explained else count
        group.explained = explained
        self._unsettled.update(dict.fromkeys(group.losses))

    # -- the decision

    def _judge(self, now: float, at: int) -> None:
        before = dict(self._over)
        self._lost[Measure.NAMESPACES] = sum(name not in self._ending for name in self._gone)
        # Namespaces first: they decide which of the others count.
        for measure in Measure:
            if self._exceeds(measure):
                self._over[measure] = None
            elif self.live and measure in self._over:
                calm = self._over[measure]
                if not self._lost[measure] or (calm is not None and now - calm >= WINDOW):
                    del self._over[measure]
                elif calm is None:
                    self._over[measure] = now
            if measure is Measure.NAMESPACES and (measure in before) != (measure in self._over):
                for name in self._gone:
                    self._regroup(name)
        if self._over and not self.since:
            self.since, self._began = at, now
            self.why = "; ".join(map(self._share, self._over))
            self._unsettle_all()
        elif self.since and not self._over:
            self._end()

    def _total(self, measure: Measure) -> int:
        """How many there would be without the losses."""
        if measure is Measure.NAMESPACES:
            return self._present[Kind.NAMESPACE] + self._lost[measure]
        if measure is Measure.ENDPOINTS:
            return self._all_ready + self._lost[measure]
        there = self._present[Kind.SERVICE] + self._present[Kind.SERVICE_IMPORT]
        return there + self._lost[GONE]

    def _exceeds(self, measure: Measure) -> bool:
        lost = self._lost[measure]
        return lost >= FEW and lost * 100 > self.percent * self._total(measure)

    def _share(self, measure: Measure) -> str:
        lost, total = self._lost[measure], self._total(measure)
        return f"{lost} of {total} {measure.value} ({lost * 100 // max(total, 1)} %)"

    def _end(self) -> None:
        self._unsettle_all()
        self.since, self.why = 0, ""
        self._over.clear()
        self._gone.clear()
        self._groups.clear()
        self._lost.clear()

    def _unsettle_all(self) -> None:
        self._unsettled.update(((Kind.NAMESPACE, f"/{name}"), None) for name in self._gone)
        for group in self._groups.values():
            self._unsettled.update(dict.fromkeys(group.losses))

    # -- what the Store is to have

    def _settle(self, at: int) -> Taken:
        taken: Taken = {}
        for kind, key in self._unsettled:
            truth = self.truth(kind, key)
            loss = self._withheld_loss(kind, key)
            if loss is None:
                shown = truth
                self._truth.pop((kind, key), None)
            else:
                shown = _held(kind, loss.before, self.since or at)
                self._truth[kind, key] = truth
            if shown != self._store.get(kind, key):
                taken.setdefault(kind, []).append((key, shown))
        self._unsettled.clear()
        return taken

    def _withheld_loss(self, kind: Kind, key: str) -> Loss | None:
        if not self.since:
            return None
        if kind is Kind.NAMESPACE:
            return self._gone.get(key[1:]) if Measure.NAMESPACES in self._over else None
        group = self._groups.get(key.partition("/")[0])
        return None if group is None or group.explained else group.losses.get((kind, key))


def _held(kind: Kind, body: bytes, since: int) -> bytes:
    """The object with the mark that it is held; one that has a mark keeps it."""
    obj: Object = unpack(kind, body)
    if obj.held is not None:
        return body
    return pack(msgspec.structs.replace(obj, held=Held(BY, since)))
