"""Which names are asked most, in fixed memory: by what becomes of them, the top of each.

`Sketch` is Space-Saving (Metwally, Agrawal, El Abbadi, "Efficient computation of frequent and top-k
elements in data streams", ICDT 2005) with the counters dropped in batches, as Anderson et al. do
("A high-performance algorithm for identifying frequent items in data streams", IMC 2017): a new key
begins at the largest count that was ever dropped, the *floor*. So a count is never too low, and too
high by the floor at most, which is at most the number of queries divided by `KEPT`.

A query that hits the memo is counted in its entry and comes here with all other hits of the entry
(`core.handler`): the sketch costs it nothing.

Beware: nothing here locks or looks at a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final, NamedTuple

from grpcdns.core.dns.wire import NOERROR, NXDOMAIN, REFUSED, SERVFAIL

KEPT: Final = 512
"""Keys that a batch leaves."""
MOST: Final = 3 * KEPT
"""Keys that are held, at most."""
SAMPLED: Final = 16
"""Of a flood of names outside the zones one query in so many is counted, as so many: such a query
is answered without the index, and costs little more than its count."""
NODATA: Final = -1
"""Stands for NOERROR without records."""
OUTCOMES: Final[Mapping[int, str]] = {
    NOERROR: "NOERROR",
    NODATA: "NODATA",
    NXDOMAIN: "NXDOMAIN",
    REFUSED: "REFUSED",
    SERVFAIL: "SERVFAIL",
}
"""What can become of a query, and its name. Queries with other rcodes have no name to count."""


Counts = list[tuple[bytes, int]]
"""Keys and their counts, the highest first."""


class Top(NamedTuple):
    """The keys asked most, with their counts, which may be too high by ``error``."""

    counts: Counts
    error: int


class Sketch:
    """The keys that came most often. ``kept``: how many a batch leaves; ``most``: how many are held
    at most."""

    __slots__ = ("_kept", "_most", "counts", "floor")

    def __init__(self, kept: int = KEPT, most: int = MOST) -> None:
        self._kept = kept
        self._most = most
        self.counts: dict[bytes, int] = {}
        self.floor = 0
        """The highest count that was dropped."""

    def add(self, key: bytes, count: int = 1) -> None:
        """The key came ``count`` times."""
        counts = self.counts
        if key in counts:
            counts[key] += count
            return
        if len(counts) >= self._most:
            self._drop()
            counts = self.counts
        counts[key] = self.floor + count

    def top(self, most: int) -> Counts:
        """The keys with the highest counts."""
        return sorted(self.counts.items(), key=_order)[:most]

    def __len__(self) -> int:
        return len(self.counts)

    def _drop(self) -> None:
        """Keep the highest counts; the highest that goes is the floor."""
        order = sorted(self.counts.items(), key=_count, reverse=True)
        self.floor = order[self._kept][1]
        self.counts = dict(order[: self._kept])


class AskedNames:
    """A sketch for each outcome, over a period and the one before it.

    Keys are the handler's: a name in lower case, type and class, as in a message. ``turn`` begins
    another period: what is shown is at most two periods old.
    """

    def __init__(self) -> None:
        self._now = _sketches()
        self._before = _sketches()
        self.flooded = False
        """Whether more names were REFUSED in this period than are held."""

    def add(self, key: bytes, outcome: int, count: int = 1) -> None:
        """A question had this outcome so many times. Others than `OUTCOMES` are not counted."""
        sketch = self._now.get(outcome)
        if sketch is None:
            return
        # As in `Sketch.add`, which would be one call more for each query.
        counts = sketch.counts
        if key in counts:
            counts[key] += count
        elif len(counts) < MOST:
            counts[key] = sketch.floor + count
        else:
            sketch.add(key, count)

    def refuse(self, key: bytes) -> None:
        """A question was REFUSED. While `flooded`, it stands for `SAMPLED` of them."""
        sketch = self._now[REFUSED]
        sketch.add(key, SAMPLED if self.flooded else 1)
        self.flooded = sketch.floor > 0

    def turn(self) -> None:
        """Begin another period."""
        self._before, self._now = self._now, _sketches()
        self.flooded = False

    def top(self, outcome: int, most: int) -> Top:
        """The questions asked most in both periods."""
        both = self._now[outcome], self._before[outcome]
        counts = merged([sketch.top(KEPT) for sketch in both], most)
        return Top(counts, sum(sketch.floor for sketch in both))


def merged(lists: Iterable[Iterable[tuple[bytes, int]]], most: int) -> Counts:
    """The highest of several lists, the counts of a key added up."""
    found: dict[bytes, int] = {}
    for counts in lists:
        for key, count in counts:
            found[key] = found.get(key, 0) + count
    return sorted(found.items(), key=_order)[:most]


def _sketches() -> dict[int, Sketch]:
    return {outcome: Sketch() for outcome in OUTCOMES}


_count: Final = itemgetter(1)


def _order(pair: tuple[bytes, int]) -> tuple[int, bytes]:
    return -pair[1], pair[0]
