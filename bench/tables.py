"""Markdown tables of `Results`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bench.samples import Results


def table_of(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def figure(results: Results, server: str, case: object, value: str, *, digits: int = 0) -> str:
    """The median, with minimum and maximum when they differ; "-" when nothing was measured."""
    found = results.spread(server, case, value)
    return "-" if found is None else found.text(digits)
