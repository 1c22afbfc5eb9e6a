"""What ``grpcdns compare --live`` has heard, and what a switch would change of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from grpcdns.cli.comparer import DELIBERATE, DIFFERENT, SAME, Settings
from grpcdns.cli.documents import Compared, CompareLive, LiveChange
from grpcdns.cli.outcomes import counts, first_of, show_counts
from grpcdns.cli.output import Output, plural
from grpcdns.core.inspect.differences import DIFFERENCES

_SHOWN: Final = 5
"""Names that are shown for each kind of change."""


@dataclass
class Counts:
    """Lines that were read, and those of them that are no question, one outside the zones, one of
    our own, or one that there was no room for."""

    lines: int = 0
    rubbish: int = 0
    outside: int = 0
    own: int = 0
    left_out: int = 0


@dataclass
class Heard:
    """A question: how often it was logged, its last outcome, if it was asked, and when it was
    (`time.monotonic`). ``busy``: it is being compared. ``own``: the IDs of the queries for it, and
    when they were sent."""

    queries: int = 1
    outcome: Compared | None = None
    asked: float = -math.inf
    busy: bool = False
    own: dict[int, float] = field(default_factory=dict)

    def is_own(self, number: int | None) -> bool:
        """Whether a query that was logged is one of ours. Without its ID it is, once for each of
        them. A large answer is asked for twice under one ID: over UDP and over TCP."""
        if number is not None:
            return number in self.own
        if self.own:
            self.own.popitem()
            return True
        return False


def document(read: Counts, heard: Iterable[Heard], settings: Settings, took: float) -> CompareLive:
    every = list(heard)
    asked = [one for one in every if one.outcome is not None]
    outcomes = [one.outcome for one in asked if one.outcome is not None]
    return CompareLive(
        dns=f"{settings.host}#{settings.port}",
        grpcdns=settings.server,
        seconds=round(took, 3),
        lines=read.lines,
        rubbish=read.rubbish,
        outside=read.outside,
        own=read.own,
        left_out=read.left_out,
        queries=sum(one.queries for one in every),
        questions=len(asked),
        not_asked=len(every) - len(asked),
        **counts(outcomes),
        changes=_changes(asked),
        differences=[one for one in outcomes if one.outcome != SAME],
    )


def _changes(asked: Iterable[Heard]) -> list[LiveChange]:
    """By kind; what clients ask most often first."""
    by_kind: dict[str, list[Heard]] = {}
    for one in asked:
        if one.outcome is not None and one.outcome.outcome in (DIFFERENT, DELIBERATE):
            by_kind.setdefault(_kind(one.outcome), []).append(one)
    changes = []
    for kind, those in by_kind.items():
        those.sort(key=lambda one: -one.queries)
        changes.append(
            LiveChange(
                kind=kind,
                deliberate=kind in DIFFERENCES,
                questions=len(those),
                queries=sum(one.queries for one in those),
                names=[f"{one.outcome.name} {one.outcome.qtype}" for one in those if one.outcome],
            )
        )
    return sorted(changes, key=lambda one: (one.deliberate, -one.queries, one.kind))


def _kind(one: Compared) -> str:
    """The id of a deliberate difference; else the rcodes, or whose records there are more of."""
    if one.difference:
        return one.difference
    if one.dns_rcode != one.grpcdns_rcode:
        return f"{one.dns_rcode} -> {one.grpcdns_rcode}"
    if not one.only_grpcdns:
        return "fewer records"
    return "other records" if one.only_dns else "more records"


def show(out: Output, said: CompareLive) -> None:
    out.line(f"{said.dns} (DNS) and {said.grpcdns} (grpcdns), {said.seconds:.1f} s:")
    out.line(
        f"{plural(said.lines, 'line')}: {said.queries:,} queries in the zones, {said.outside:,} "
        f"outside them, {said.own:,} of this comparison, {said.rubbish:,} without a question",
        *((f", {said.left_out:,} left out", "red") if said.left_out else ()),
    )
    show_counts(out, said, *((", ", f"{said.not_asked:,} not asked") if said.not_asked else ()))
    if not said.changes:
        out.line(("A switch would change no answer that was asked for.", "green"))
        return
    out.line(("A switch would change:", "bold"))
    out.rows(
        [
            (
                (one.kind, "cyan" if one.deliberate else "bold red"),
                f"{plural(one.questions, 'question')}, asked {plural(one.queries, 'time')}",
                _names(one),
            )
            for one in said.changes
        ]
    )


def _names(one: LiveChange) -> str:
    names = first_of(one.names, _SHOWN)
    return f"{DIFFERENCES[one.kind].title}: {names}" if one.deliberate else names
