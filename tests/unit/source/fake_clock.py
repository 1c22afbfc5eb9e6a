"""A clock for `grpcdns.source.clock.Clock` that never waits."""

from __future__ import annotations

from collections.abc import Callable


class FakeClock:
    """A clock that only moves when advanced; a sleep advances it and is recorded. `chance` is its
    `random`."""

    def __init__(self, chance: float = 0.0) -> None:
        self.chance = chance
        self.sleeps: list[float] = []
        self.stopped = False
        self.on_sleep: Callable[[], object] = lambda: None
        self._now = 1000.0

    def now(self) -> float:
        return self._now

    def random(self) -> float:
        return self.chance

    def sleep(self, seconds: float) -> bool:
        self.sleeps.append(round(seconds, 3))
        self._now += seconds
        self.on_sleep()
        return not self.stopped

    def advance(self, seconds: float) -> None:
        self._now += seconds
