"""Tables that are readable on a narrow screen, too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, NamedTuple, TypeVar

from grpcdns.serve.feed.page.markup import Child, Markup, h

T = TypeVar("T")


class Column(NamedTuple, Generic[T]):
    """A column: its heading, and what a row's cell holds. ``short``: it does not wrap."""

    title: str
    cell: Callable[[T], Child]
    short: bool = False


def table(caption: str, columns: Sequence[Column[T]], rows: Iterable[T]) -> Markup:
    """On a narrow screen each row is a block and each cell has its heading before it (style.css);
    the roles keep it a table for a screen reader."""
    return h(
        "table",
        h("caption", caption, class_="unseen"),
        h(
            "thead",
            h(
                "tr",
                [h("th", one.title, scope="col", role="columnheader") for one in columns],
                role="row",
            ),
            role="rowgroup",
        ),
        h(
            "tbody",
            [
                h(
                    "tr",
                    [
                        h(
                            "td",
                            h("div", one.cell(row)),
                            role="cell",
                            data_title=one.title,
                            class_="short" if one.short else None,
                        )
                        for one in columns
                    ],
                    role="row",
                )
                for row in rows
            ],
            role="rowgroup",
        ),
        role="table",
    )
