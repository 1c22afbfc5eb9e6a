"""Results: one `Sample` for each server, case and round, and their medians."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

from bench import bootstrap
from bench.bootstrap import Estimate


@dataclass(frozen=True)
class Sample:
    """The ``values`` of one ``server`` in one round; ``case`` is the other variable, as text."""

    server: str
    case: str
    round: int
    values: Mapping[str, float]


class Spread(NamedTuple):
    """Median, minimum and maximum of the rounds."""

    median: float
    low: float
    high: float

    def text(self, digits: int = 0) -> str:
        if self.low == self.high:
            return f"{self.median:,.{digits}f}"
        return f"{self.median:,.{digits}f} ({self.low:,.{digits}f}-{self.high:,.{digits}f})"


@dataclass
class Results:
    """All samples of one measurement, in order."""

    name: str
    samples: list[Sample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, server: str, case: object, number: int, **values: float) -> None:
        self.samples.append(Sample(server, str(case), number, values))

    def find(self, server: str, case: object = "") -> list[Sample]:
        return [one for one in self.samples if one.server == server and one.case == str(case)]

    def servers(self) -> list[str]:
        return list(dict.fromkeys(one.server for one in self.samples))

    def cases(self) -> list[str]:
        return list(dict.fromkeys(one.case for one in self.samples))

    def spread(self, server: str, case: object, value: str) -> Spread | None:
        found = [one.values[value] for one in self.find(server, case) if value in one.values]
        return spread(found) if found else None

    def ratio(self, value: str, over: tuple[str, object], under: tuple[str, object]) -> Estimate:
        """The median, over the rounds, of one set-up's value divided by another's.

        Rounds are neighbours in time, so what slows the machine down slows both.
        """
        return bootstrap.median(self._ratios(value, over, under))

    def ratio_of(self, over: str, under: str, cell: tuple[str, object]) -> Estimate:
        """The median, over the rounds, of one value divided by another of the same set-up."""
        found = (one.values for one in self.find(*cell))
        return bootstrap.median([one[over] / one[under] for one in found if over in one])

    def quantile_ratio(
        self, value: str, over: tuple[str, object], under: tuple[str, object], q: float
    ) -> Estimate:
        """A quantile of all rounds' samples divided by that of another set-up.

        A round can have several samples of each; whole rounds are drawn for the interval.
        """
        rounds = [
            pair
            for pair in zip(self._by_round(value, over), self._by_round(value, under), strict=True)
            if all(pair)
        ]

        def figure(drawn: Sequence[tuple[list[float], list[float]]]) -> float:
            tops, bottoms = zip(*drawn, strict=True)
            return bootstrap.quantile(list(chain(*tops)), q) / bootstrap.quantile(
                list(chain(*bottoms)), q
            )

        return bootstrap.estimate(rounds, figure)

    def quantile(self, value: str, cell: tuple[str, object], q: float) -> Estimate:
        """A quantile of all rounds' samples."""
        rounds = [one for one in self._by_round(value, cell) if one]
        return bootstrap.estimate(rounds, lambda drawn: bootstrap.quantile([*chain(*drawn)], q))

    def _by_round(self, value: str, cell: tuple[str, object]) -> list[list[float]]:
        last = max((one.round for one in self.samples), default=-1)
        found: list[list[float]] = [[] for _ in range(last + 1)]
        for one in self.find(*cell):
            if value in one.values:
                found[one.round].append(one.values[value])
        return found

    def _ratios(
        self, value: str, over: tuple[str, object], under: tuple[str, object]
    ) -> list[float]:
        tops = {one.round: one.values.get(value) for one in self.find(*over)}
        found = []
        for one in self.find(*under):
            top, bottom = tops.get(one.round), one.values.get(value)
            if top is not None and bottom:
                found.append(top / bottom)
        return found

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "notes": self.notes,
            "samples": [
                {"server": s.server, "case": s.case, "round": s.round, **s.values}
                for s in self.samples
            ],
        }

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Results:
        results = cls(raw["name"], notes=list(raw["notes"]))
        for one in raw["samples"]:
            values = {k: v for k, v in one.items() if k not in ("server", "case", "round")}
            results.samples.append(Sample(one["server"], one["case"], one["round"], values))
        return results


def spread(values: Iterable[float]) -> Spread:
    found = sorted(values)
    return Spread(statistics.median(found), found[0], found[-1])


def rounds(count: int) -> Iterator[tuple[int, bool]]:
    """The number of each round, and whether its servers are measured in reverse order."""
    for number in range(count):
        yield number, number % 2 == 1
