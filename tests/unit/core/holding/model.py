"""A second guard, for tests: it keeps a list of what happened and counts all of it again each time.

Written from the description at the top of guard.py, not from its code: no counter is kept.
"""

from __future__ import annotations

from typing import cast

import msgspec

from grpcdns.core.cluster.objects import (
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Service,
    key_of,
    pack,
    unpack,
)
from grpcdns.core.cluster.store import Store
from grpcdns.core.holding.guard import FEW, WINDOW, Guard
from grpcdns.core.holding.losses import Taken

Key = tuple[Kind, str]
KINDS = (Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE)


class Model:
    """``truth`` is what the API says, ``shown`` what is to be answered, without marks."""

    def __init__(self, percent: float, longest: float) -> None:
        self.percent, self.longest = percent, longest
        self.truth: dict[Key, Object] = {}
        self.ending: set[str] = set()
        self.announced: set[str] = set()
        self.began: float | None = None
        # When each loss began and what was there; the ready addresses of a Service before its own.
        self.losses: dict[Key, tuple[float, Object]] = {}
        self.peaks: dict[str, tuple[float, int]] = {}
        self.over: dict[str, float | None] = {}

    def ready(self, service: str) -> int:
        found = 0
        for (kind, _), obj in self.truth.items():
            if kind is Kind.ENDPOINT_SLICE:
                slice_ = cast("EndpointSlice", obj)
                if f"{slice_.namespace}/{slice_.service}" == service:
                    found += addresses(slice_)
        return found

    def change(self, kind: Kind, changes: list[tuple[str, Object | None]], now: float) -> None:
        self.forget(now)
        for key, after in changes:
            if kind is Kind.NAMESPACE and after is not None:
                if key[1:] not in self.announced:
                    self.ending.discard(key[1:])
                self.announced.discard(key[1:])
            before = self.truth.get((kind, key))
            if before == after:
                continue
            owner = ""
            if kind is Kind.ENDPOINT_SLICE:
                one = cast("EndpointSlice", before or after)
                owner = f"{one.namespace}/{one.service}"
            elif kind is Kind.SERVICE:
                owner = key
            had = self.ready(owner)
            if after is None:
                self.truth.pop((kind, key))
            else:
                self.truth[kind, key] = after
            best = self.losses.get((kind, key), (now, before))[1]
            terminated = kind is Kind.NAMESPACE and key[1:] in self.ending
            if best is None or terminated or not less(best, after):
                self.losses.pop((kind, key), None)
            else:
                self.losses.setdefault((kind, key), (now, best))
            if kind is Kind.NAMESPACE and after is None:
                self.ending.discard(key[1:])
                self.announced.discard(key[1:])
            if (had and self.ready(owner) != had) or (kind is Kind.SERVICE and after is None):
                self.peaks.setdefault(owner, (now, had))
        self.judge(now)

    def terminate(self, name: str, now: float) -> None:
        self.ending.add(name)
        self.announced.add(name)
        self.judge(now)

    def tick(self, now: float) -> None:
        self.forget(now)
        if self.began is not None and now - self.began >= self.longest:
            self.end()
        self.judge(now)

    def forget(self, now: float) -> None:
        if self.began is None:
            since = now - WINDOW
            self.losses = {key: loss for key, loss in self.losses.items() if loss[0] > since}
            self.peaks = {key: peak for key, peak in self.peaks.items() if peak[0] > since}

    def end(self) -> None:
        self.began = None
        self.losses.clear()
        self.peaks.clear()
        self.over.clear()

    def explained(self, namespace: str) -> bool:
        if namespace in self.ending:
            return True
        lost = (Kind.NAMESPACE, f"/{namespace}") in self.losses
        there = (Kind.NAMESPACE, f"/{namespace}") in self.truth
        return not there and not (lost and "namespaces" in self.over)

    def shares(self) -> dict[str, tuple[int, int]]:
        """Lost, and of how many."""
        lost_names = [
            key for kind, key in self.losses if kind is Kind.NAMESPACE
            if key[1:] not in self.ending
        ]  # fmt: skip
        names = sum(kind is Kind.NAMESPACE for kind, _ in self.truth)
        yes = {
            owner: peak for owner, (_, peak) in self.peaks.items()
            if not self.explained(owner.partition("/")[0])
        }  # fmt: skip
        gone = {owner for owner in yes if (Kind.SERVICE, owner) in self.losses}
        emptied = {
            owner for owner, peak in yes.items()
            if peak and not self.ready(owner) and (Kind.SERVICE, owner) in self.truth
        }  # fmt: skip
        services = sum(kind is Kind.SERVICE for kind, _ in self.truth)
        endpoints = sum(max(0, peak - self.ready(owner)) for owner, peak in yes.items())
        ready = sum(
            addresses(cast("EndpointSlice", obj))
            for (kind, _), obj in self.truth.items()
            if kind is Kind.ENDPOINT_SLICE
        )
        return {
            "namespaces": (len(lost_names), names + len(lost_names)),
            "services": (len(gone | emptied), services + len(gone)),
            "endpoints": (endpoints, ready + endpoints),
        }

    def judge(self, now: float) -> None:
        for what in ("namespaces", "services", "endpoints"):
            lost, total = self.shares()[what]
            if lost >= FEW and lost * 100 > self.percent * total:
                self.over[what] = None
            elif what in self.over:
                calm = self.over[what]
                if not lost or (calm is not None and now - calm >= WINDOW):
                    del self.over[what]
                elif calm is None:
                    self.over[what] = now
        if self.over and self.began is None:
            self.began = now
        elif self.began is not None and not self.over:
            self.end()

    @property
    def shown(self) -> dict[Key, Object]:
        shown = dict(self.truth)
        if self.began is not None:
            for (kind, key), (_, before) in self.losses.items():
                namespace = key.partition("/")[0]
                if kind is Kind.NAMESPACE:
                    withheld = "namespaces" in self.over
                else:
                    withheld = not self.explained(namespace)
                if withheld:
                    shown[kind, key] = before
        return shown


class Guarded:
    """A guard with the Store of a feed; the same calls as the model's."""

    def __init__(self, percent: float, longest: float = 3600.0) -> None:
        self.store = Store()
        self.store.listed.update(KINDS)
        self.guard = Guard(self.store, percent, longest)
        self.guard.live = True

    def change(self, kind: Kind, changes: list[tuple[str, Object | None]], now: float) -> None:
        entries = [(key, None if obj is None else pack(obj)) for key, obj in changes]
        self._take(self.guard.take(kind, entries, now, int(now)))

    def terminate(self, name: str, now: float) -> None:
        self._take(self.guard.end_namespace(name, now, int(now)))

    def tick(self, now: float) -> None:
        self._take(self.guard.tick(now, int(now)))

    def release(self, now: float) -> None:
        self._take(self.guard.release(int(now)))

    def _take(self, taken: Taken) -> None:
        for kind, entries in taken.items():
            self.store.update(kind, entries)

    @property
    def shown(self) -> dict[Key, Object]:
        """Without the marks that say what is held."""
        return {key: unmarked(obj) for key, obj in self.objects.items()}

    @property
    def objects(self) -> dict[Key, Object]:
        return {
            (kind, key): unpack(kind, body)
            for kind, bodies in self.store.bodies.items()
            for key, body in bodies.items()
        }

    @property
    def marked(self) -> set[Key]:
        return {key for key, obj in self.objects.items() if obj.held is not None}


def unmarked(obj: Object) -> Object:
    return msgspec.structs.replace(obj, held=None)


def addresses(slice_: EndpointSlice) -> int:
    return sum(len(one.addresses) for one in slice_.endpoints if one.ready)


def less(before: Object, after: Object | None) -> bool:
    if after is None:
        return True
    if isinstance(before, EndpointSlice) and isinstance(after, EndpointSlice):
        return addresses(after) < addresses(before)
    return False


def entry(obj: Namespace | Service | EndpointSlice) -> tuple[str, Object | None]:
    return key_of(obj), obj
