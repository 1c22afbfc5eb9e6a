"""The names asked most, and those asked in vain, of all workers together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, TypedDict

from grpcdns.core.dns.names import name_from_wire, name_to_text
from grpcdns.core.dns.wire import NOERROR, TYPE_NAMES
from grpcdns.core.sketch import OUTCOMES, merged
from grpcdns.serve import link
from grpcdns.serve.status import AskedName, Names, VainName

SHOWN: Final = 20
"""Names of each outcome."""


class _Asked(TypedDict):
    name: str
    type: str
    outcome: str
    count: int


def names_of(reports: Mapping[str, link.Report]) -> Names:
    """``asked``: those that got an answer. ``vain``: the others, by outcome and count."""
    found = [AskedName(**one) for one in _top(reports.values(), NOERROR, SHOWN)]
    vain = [
        VainName(**one, reason="", suggestion="")
        for outcome in OUTCOMES
        if outcome != NOERROR
        for one in _top(reports.values(), outcome, SHOWN)
    ]
    errors = dict.fromkeys(OUTCOMES.values(), 0)
    for report in reports.values():
        for top in report.names:
            errors[OUTCOMES[top.outcome]] += top.error
    return Names(
        since=min((report.since for report in reports.values()), default=0.0),
        asked=tuple(found),
        vain=tuple(sorted(vain, key=lambda one: -one.count)),
        errors=errors,
    )


def _top(reports: Iterable[link.Report], outcome: int, most: int) -> list[_Asked]:
    """The questions with an outcome that were asked most, most first."""
    lists = [top.counts for one in reports for top in one.names if top.outcome == outcome]
    return [
        _Asked(
            name=name_to_text(name_from_wire(key[:-4])),
            type=TYPE_NAMES.get(int.from_bytes(key[-4:-2], "big"), "other"),
            outcome=OUTCOMES[outcome],
            count=count,
        )
        for key, count in merged(lists, most)
    ]
