"""The names asked most, and those asked in vain, of all workers together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from grpcdns.core.dns.names import name_from_wire, name_to_text
from grpcdns.core.dns.wire import NOERROR, TYPE_NAMES
from grpcdns.core.inspect.vain import Why
from grpcdns.core.sketch import NODATA, OUTCOMES, merged
from grpcdns.serve import link
from grpcdns.serve.status import AskedName, Names, VainName

SHOWN: Final = 20
"""Names of each outcome."""
_LOOKED_AT: Final = 60
"""Names of each outcome that are looked at, to find `SHOWN` that have no records at all."""


class _Question(NamedTuple):
    key: bytes
    outcome: int
    times: int


def names_of(
    reports: Mapping[str, link.Report], whys: Callable[[list[bytes]], Mapping[bytes, Why]]
) -> Names:
    """``asked``: those that got an answer. ``vain``: the others, most first, without those that
    have records of another type, or by now. ``whys`` says why questions have no records."""
    vain = [
        one
        for outcome in OUTCOMES
        if outcome != NOERROR
        for one in _top(reports.values(), outcome, _LOOKED_AT)
    ]
    found = whys([one.key for one in vain])
    errors = dict.fromkeys(OUTCOMES.values(), 0)
    for report in reports.values():
        for top in report.names:
            errors[OUTCOMES[top.outcome]] += top.error
    return Names(
        since=min((report.since for report in reports.values()), default=0.0),
        asked=tuple(AskedName(**_fields(one)) for one in _top(reports.values(), NOERROR, SHOWN)),
        vain=tuple(_in_vain(vain, found)),
        errors=errors,
    )


def _in_vain(vain: list[_Question], whys: Mapping[bytes, Why]) -> Iterator[VainName]:
    """The first `SHOWN` of each outcome."""
    shown = dict.fromkeys(OUTCOMES, 0)
    for one in sorted(vain, key=lambda one: (-one.times, one.key)):
        why = whys.get(one.key)
        if why is not None and why.other_type and one.outcome == NODATA:
            continue
        if shown[one.outcome] < SHOWN:
            shown[one.outcome] += 1
            reason = "" if why is None else why.reason or "it has records by now"
            suggestion = "" if why is None else why.suggestion
            yield VainName(**_fields(one), reason=reason, suggestion=suggestion)


def _top(reports: Iterable[link.Report], outcome: int, most: int) -> list[_Question]:
    """The questions with an outcome that were asked most, most first."""
    lists = [top.counts for one in reports for top in one.names if top.outcome == outcome]
    return [_Question(key, outcome, count) for key, count in merged(lists, most)]


def _fields(one: _Question) -> dict[str, Any]:
    """The fields of an `AskedName`."""
    return {
        "name": name_to_text(name_from_wire(one.key[:-4])),
        "type": TYPE_NAMES.get(int.from_bytes(one.key[-4:-2], "big"), "other"),
        "outcome": OUTCOMES[one.outcome],
        "count": one.times,
    }
