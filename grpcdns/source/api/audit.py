"""The consistency check: finds events that a watch has missed, and has them repaired by a relist.

A watch that loses events gives no sign: its version moves on, and the names it lost stay wrong for
ever. So the API is asked at intervals what it holds:

    every minute       how many objects: a list of one object, which says how many remain. Finds
                       lost creations and deletions. The API gives no count with a selector.
    every ten minutes  which objects at which version: metadata only, in pages of 500. Finds lost
                       changes too. 13 MB where the full list of 10,000 slices is 34 MB.

A difference is checked again a little later, as the watch may only be behind. What has not moved by
then was lost.

The price: the version of each object, a dict of str (shared with the store) to int, measured at
96 bytes an object, 2 MB for 10,000 Services and their slices. A sum of hashes would be smaller but
could not name what is wrong; comparing whole objects needs no memory but three times the traffic.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from grpcdns.source.api.client import ApiError, Client, Connection, Stopped, Unreachable
from grpcdns.source.api.decode import number
from grpcdns.source.api.envelope import ApiListMeta
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.retry import PAGE_SIZE
from grpcdns.source.api.watch import Watch
from grpcdns.source.clock import Clock
from grpcdns.source.kinds import ApiAny, ApiMeta

COUNT_EVERY: Final = 49.0
COMPARE_EVERY: Final = 540.0
"""Seconds, at most; jitter takes away up to half. With what comes on top (`GRACE`, and for the
second the wait for the next count) they are a minute and ten."""

GRACE: Final = 10.0
"""Seconds a watch may lag behind the API before it counts as having lost something."""

NAMED: Final = 5


class Difference(NamedTuple):
    """Keys: ``missing`` from ours, ``stale`` in ours, ``extra`` in ours."""

    missing: frozenset[str] = frozenset()
    stale: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.missing or self.stale or self.extra)

    def __str__(self) -> str:
        parts = []
        for name, keys in self._asdict().items():
            if keys:
                named = ", ".join(sorted(keys)[:NAMED])
                more = f" and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
                parts.append(f"{len(keys)} {name} ({named}{more})")
        return "; ".join(parts)


def compare(ours: Mapping[str, int], theirs: Mapping[str, int]) -> Difference:
    """Versions by key, ours as a watch keeps them. An object that we hold at a later version is no
    difference: the watch has changed it since the API made the list."""
    return Difference(
        frozenset(theirs.keys() - ours.keys()),
        frozenset(k for k, version in theirs.items() if k in ours and abs(ours[k]) < version),
        frozenset(ours.keys() - theirs.keys()),
    )


def still_wrong(found: Difference, before: Mapping[str, int], now: Mapping[str, int]) -> Difference:
    """The part of a difference that the watch has not changed since."""
    return Difference(
        frozenset(key for key in found.missing if key not in now),
        frozenset(key for key in found.stale if now.get(key) == before[key]),
        frozenset(key for key in found.extra if now.get(key) == before[key]),
    )


class Audit:
    """Checks all kinds, one after the other, in one thread."""

    def __init__(
        self, watches: Sequence[Watch], client: Client, journal: Journal, clock: Clock
    ) -> None:
        self._watches = watches
        self._connection: Connection = client.connect()
        self._journal = journal
        self._clock = clock

    def run(self) -> None:
        """Until the client is stopped."""
        due = self._clock.now() + self._jittered(COMPARE_EVERY)
        try:
            while self._clock.sleep(self._jittered(COUNT_EVERY)):
                whole = self._clock.now() >= due
                if whole:
                    due = self._clock.now() + self._jittered(COMPARE_EVERY)
                for watch in self._watches:
                    self.check(watch, whole=whole)
        except Stopped:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """Closes the connection; not while ``run`` does."""
        self._connection.close()

    def check(self, watch: Watch, *, whole: bool) -> None:
        """Counts the objects of one kind; compares them if the count is wrong, or if ``whole``."""
        if not watch.synced:
            return
        try:
            if not whole and self._count_is_right(watch):
                return
            self._compare(watch)
        except (ApiError, Unreachable):
            pass  # the watch meets the same error and reports it
        except msgspec.DecodeError:
            pass  # an object that cannot be read, which the watch has reported

    def _count_is_right(self, watch: Watch) -> bool:
        if watch.resource.selectors:
            return True
        page = watch.resource.metadata(self._connection, {"limit": "1"})
        self._journal.checked(watch.kind, 1)
        remaining = (page.metadata or ApiListMeta()).remaining_item_count or 0
        return len(page.items or ()) + remaining == len(watch.versions)

    def _compare(self, watch: Watch) -> None:
        before = watch.versions.copy()
        theirs = dict(self._versions(watch))
        found = compare(before, theirs)
        if not found:
            return
        if not self._clock.sleep(GRACE):
            raise Stopped
        lost = still_wrong(found, before, watch.versions.copy())
        if lost:
            watch.repair(str(lost))

    def _versions(self, watch: Watch) -> Iterator[tuple[str, int]]:
        """The key and version of every object in the API."""
        token, requests = "", 0
        while True:
            params = {"limit": str(PAGE_SIZE)}
            if token:
                params["continue"] = token
            page = watch.resource.metadata(self._connection, params)
            requests += 1
            for raw in page.items or ():
                meta = _object.decode(raw).metadata or ApiMeta()
                yield (
                    f"{meta.namespace or ''}/{meta.name or ''}",
                    number(meta.resource_version or ""),
                )
            token = (page.metadata or ApiListMeta()).continue_ or ""
            if not token:
                self._journal.checked(watch.kind, requests)
                return

    def _jittered(self, seconds: float) -> float:
        return seconds * (1.0 - self._clock.random() / 2.0)


_object: Final = msgspec.json.Decoder(ApiAny)
