"""Counts of questions and differences over a whole run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

from grpcdns.config.options import Config
from grpcdns.core.inspect.facts import Facts
from tests.conformance.reply import Reply
from tests.differential.expected import explain, seen_of

TALLY: Final[Counter[str]] = Counter()
"""Questions by test ("asked, ..."), intended differences by id."""


def compare(
    where: str,
    config: Config,
    facts: Facts,
    asked: Iterable[tuple[str, str]],
    plugin: Iterable[Reply | None],
    ours: Iterable[Reply | None],
) -> None:
    """Fails with every difference that is not intended; counts the rest."""
    wrong: list[str] = []
    for (qname, qtype), theirs, mine in zip(asked, plugin, ours, strict=True):
        TALLY[f"asked, {where}"] += 1
        if mine is None:
            wrong.append(f"{qname} {qtype}: no reply from grpcdns")
            continue
        if any(len(part) != len(set(part)) for part in mine.sections):
            wrong.append(f"{qname} {qtype}: a record twice: {_text(mine)}")
        if theirs is not None and theirs.comparable() == mine.comparable():
            continue
        key = explain(seen_of(config, facts, (qname, qtype), theirs, mine), theirs, mine)
        TALLY[key or "unexpected"] += 1
        if key is None:
            wrong.append(f"{qname} {qtype}\n  plugin: {_text(theirs)}\n  ours:   {_text(mine)}")
    assert not wrong, f"{len(wrong)} differences:\n" + "\n".join(wrong[:20])


def _text(reply: Reply | None) -> str:
    return "no reply" if reply is None else f"{reply.rcode} {sorted(reply.flags)} {reply.sections}"


def lines() -> list[str]:
    """The counts as text, empty when nothing was asked."""
    asked = {name[7:]: count for name, count in TALLY.items() if name.startswith("asked, ")}
    if not asked:
        return []
    known = {name: count for name, count in sorted(TALLY.items()) if name.startswith("D")}
    return [
        f"differential: {sum(asked.values())} questions to CoreDNS's plugins and to grpcdns: "
        + ", ".join(f"{count} {name}" for name, count in sorted(asked.items())),
        f"differential: {TALLY['unexpected']} unexpected differences; "
        f"{sum(known.values())} intended: "
        + ", ".join(f"{name} {count}" for name, count in known.items()),
    ]
