"""Elements of HTML and SVG. Text is escaped unless it is `Markup` already.

    h("td", name, class_="name")     <td class="name">...</td>

Beware: what `Markup` is made of here is all that is not escaped. Nothing else may call it.
"""

from __future__ import annotations

import html
import time
from collections.abc import Iterable
from typing import Final, Self

_VOID: Final = frozenset({"br", "hr", "input", "link", "meta"})


class Markup(str):
    """Text that is markup."""

    __slots__ = ()

    def __new__(cls, text: str = "") -> Self:
        return super().__new__(cls, text)


Child = str | int | None | Iterable["Child"]
"""What an element may hold: text, markup, None for nothing, or several."""


def h(tag: str, *children: Child, **attributes: str | int | float | bool | None) -> Markup:
    """An element. ``class_`` and ``for_`` stand for class and for, ``aria_label`` for aria-label;
    True gives an attribute without a value, None and False none."""
    words = [tag]
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        attribute = key.rstrip("_").replace("_", "-")
        words.append(attribute if value is True else f'{attribute}="{_escaped(str(value))}"')
    opened = f"<{' '.join(words)}>"
    return Markup(opened if tag in _VOID else f"{opened}{_joined(children)}</{tag}>")


def document(*children: Child) -> str:
    return "<!doctype html>\n" + h("html", *children, lang="en")


def name(text: str) -> Markup:
    """A name from outside: it cannot change the order of what stands beside it."""
    return h("bdi", text, class_="name", dir="ltr")


def visible(text: str) -> str:
    """The text with what cannot be seen, or changes how others are seen, written as an escape:
    control characters, marks for the direction of writing, lone surrogates."""
    return "".join(one if one.isprintable() else f"\\u{{{ord(one):04x}}}" for one in text)


def ago(seconds: float) -> str:
    """How long ago: ``3 s``, ``5 min``, ``2.5 h``, ``4 d``."""
    if seconds < 100:
        return f"{max(0.0, seconds):.0f} s"
    if seconds < 6000:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86400:.0f} d"


def clock(at: float) -> Markup:
    """A time of day in UTC, with the date for machines."""
    both = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
    return h("time", both[11:19], datetime=both)


def duration(seconds: float | None) -> str:
    """``0.4 ms``, ``12 ms``, ``1.5 s``; "-" for None."""
    if seconds is None:
        return "-"
    if seconds < 1:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.01 else f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def _joined(children: Child) -> str:
    if children is None:
        return ""
    if isinstance(children, Markup):
        return children
    if isinstance(children, str | int):
        return _escaped(str(children))
    return "".join(map(_joined, children))


def _escaped(text: str) -> str:
    return html.escape(visible(text), quote=True)
