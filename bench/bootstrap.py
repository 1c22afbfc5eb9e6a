"""How sure a figure is: a 95 % interval by the bootstrap.

Efron, "Bootstrap Methods: Another Look at the Jackknife" (1979), with the percentile interval: the
rounds are drawn again, with replacement, and the figure is computed from each draw. The draws are
seeded, so that the same samples give the same interval.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

T = TypeVar("T")

DRAWS: Final = 1000
_TAIL: Final = 0.025
_SEED: Final = 20


class Estimate(NamedTuple):
    """A figure with the bounds of its 95 % interval, all nan if nothing was measured, and from how
    many rounds it is."""

    value: float
    low: float
    high: float
    rounds: int = 0

    def text(self, digits: int = 2) -> str:
        if math.isnan(self.value):
            return "-"
        low, value, high = (f"{one:,.{digits}f}" for one in (self.low, self.value, self.high))
        return f"{value} [{low}, {high}]"


NOTHING: Final = Estimate(math.nan, math.nan, math.nan)


def estimate(samples: Sequence[T], figure: Callable[[Sequence[T]], float]) -> Estimate:
    """``figure`` of ``samples``, one for each round, and its interval."""
    if not samples:
        return NOTHING
    draw = random.Random(_SEED)
    drawn = sorted(figure(draw.choices(samples, k=len(samples))) for _ in range(DRAWS))
    low, high = drawn[int(_TAIL * DRAWS)], drawn[int((1 - _TAIL) * DRAWS) - 1]
    return Estimate(figure(samples), low, high, len(samples))


def median(samples: Sequence[float]) -> Estimate:
    return estimate(samples, statistics.median)


def quantile(samples: Sequence[float], q: float) -> float:
    """The sample at or above which ``1 - q`` of them are; the greatest for ``q`` = 1."""
    found = sorted(samples)
    return found[min(int(q * len(found)), len(found) - 1)]
