"""Whether answers to one question can have been given in this order. Each answer fits some states,
given as vectors: which state of each object it depends on, numbered from the first to the last.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from typing import Final

from tests.chaos.history import Interval

Vectors = list[tuple[int, ...]]
MOST: Final = 4_000
"""Pairs of states that are compared to raise a floor; where there are more, it stays as it is."""


class Order:
    """At one connection to a worker: the earliest states that explain the answers so far."""

    __slots__ = ("_least", "_vectors")

    def __init__(self) -> None:
        self._least: Vectors = []
        self._vectors: Vectors | None = None

    def follows(self, vectors: Vectors, _: Interval) -> bool:
        """Whether an answer that fits these states can come after those before. If not, the order
        begins again with it."""
        if vectors is self._vectors:
            return True  # the same answer, and nothing has changed
        self._vectors = vectors
        if not self._least:
            self._least = _minimal(vectors)
            return True
        later = [one for one in vectors if any(_is_later(one, least) for least in self._least)]
        self._least = _minimal(later or vectors)
        return bool(later)


class Floor:
    """For a client of CoreDNS, which asks one worker and then the other: the earliest states that
    both have, since one has shown them a while ago.

    ``settled``: when what was shown at an instant is known to both. What was shown before one of
    ``failovers``, which are sorted and do not meet, says nothing of what comes after.
    """

    __slots__ = ("_failovers", "_least", "_period", "_settled", "_shown", "_vectors")

    def __init__(self, settled: Callable[[float], float], failovers: list[Interval]) -> None:
        self._settled, self._failovers = settled, failovers
        self._period = 0
        self._least: Vectors = []
        self._vectors: Vectors | None = None
        self._shown: deque[tuple[float, Vectors]] = deque()

    def follows(self, vectors: Vectors, at: Interval) -> bool:
        """As `Order.follows`."""
        period = bisect_left(self._failovers, (at[1], float("inf")))
        if period and at[0] <= self._failovers[period - 1][1]:
            return True
        if period != self._period:
            self._period = period
            self._begin_again()
        while self._shown and self._shown[0][0] < at[0]:
            self._raise_to(self._shown.popleft()[1])
        if vectors is self._vectors:
            return True  # the same answer, and nothing has changed
        self._vectors = vectors
        fits = not self._least or any(
            _is_later(one, least) for one in vectors for least in self._least
        )
        if not fits:
            self._begin_again()
        self._shown.append((self._settled(at[1]), vectors))
        return fits

    def _begin_again(self) -> None:
        self._least, self._vectors = [], None
        self._shown.clear()

    def _raise_to(self, vectors: Vectors) -> None:
        if max(1, len(self._least)) * len(vectors) > MOST:
            return
        if not self._least:
            self._least = _minimal(vectors)
        elif all(any(_is_later(least, one) for one in vectors) for least in self._least):
            return  # it is as high already
        else:
            both = {tuple(map(max, least, one)) for least in self._least for one in vectors}
            self._least = _minimal(list(both))
        self._vectors = None


def _is_later(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Or the same."""
    return all(a >= b for a, b in zip(one, other, strict=True))


def _minimal(vectors: Vectors) -> Vectors:
    if len(vectors) == 1:
        return vectors
    least: Vectors = []
    for one in sorted(vectors, key=sum):
        if not any(_is_later(one, kept) for kept in least):
            least.append(one)
    return least
