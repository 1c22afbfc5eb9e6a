"""How the outcomes of comparisons are counted and shown, with ``--live`` and without."""

from __future__ import annotations

from collections.abc import Sequence

from grpcdns.cli.comparer import DELIBERATE, DIFFERENT, FAILED, SAME
from grpcdns.cli.documents import Compare, Compared, CompareLive
from grpcdns.cli.output import Cell, Output, plural
from grpcdns.core.inspect.differences import DIFFERENCES


def counts(compared: Sequence[Compared]) -> dict[str, int]:
    """How many had each outcome, by the names of the documents' fields."""
    return {
        outcome: sum(one.outcome == outcome for one in compared)
        for outcome in (SAME, DELIBERATE, DIFFERENT, FAILED)
    }


def exit_code(said: Compare | CompareLive, *, strict: bool) -> int:
    """2: a question without answer; 1: a difference that counts, with ``strict`` any."""
    if said.failed:
        return 2
    return 1 if said.different or (strict and said.deliberate) else 0


def first_of(names: Sequence[str], most: int) -> str:
    """The first ``most``, and how many follow."""
    rest = f", {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{rest}"


def show_counts(out: Output, said: Compare | CompareLive, *more: Cell) -> None:
    """The questions, by outcome, and ``more``, in one line."""
    out.line(
        f"{plural(said.questions, 'question')}: ",
        (f"{said.same:,} same", "green"),
        *((", ", f"{said.deliberate:,} deliberately different") if said.deliberate else ()),
        ", ",
        (f"{said.different:,} different", "bold red" if said.different else ""),
        ", ",
        (f"{said.failed:,} without answer", "bold red" if said.failed else ""),
        *more,
    )


def show_one(out: Output, one: Compared) -> None:
    """One outcome; `SAME` after another one."""
    about = (f"{one.name} {one.qtype}", "bold")
    if one.outcome == SAME:
        out.line(about, ": the same again")
    elif one.outcome == FAILED:
        out.line(about, ": ", (one.error, "red"))
    else:
        _show_difference(out, one)


def _show_difference(out: Output, one: Compared) -> None:
    rcode = one.dns_rcode if one.dns_rcode == one.grpcdns_rcode else ""
    id_ = one.difference
    title = f" ({id_}, {DIFFERENCES[id_].title})" if id_ else ""
    said = (f": {rcode}" if rcode else "") + title
    out.line((f"{one.name} {one.qtype}", "bold"), said)
    if not rcode:
        out.line(("- DNS      ", "red"), one.dns_rcode or one.error, indent=2)
        out.line(("+ grpcdns  ", "green"), one.grpcdns_rcode, indent=2)
    for record in one.only_dns:
        out.line(("- DNS      ", "red"), record, indent=2)
    for record in one.only_grpcdns:
        out.line(("+ grpcdns  ", "green"), record, indent=2)
