"""The part of a page that a tool writes: what is between two comments, each on a line."""

from __future__ import annotations

import re


def part(text: str, begin: str, end: str) -> str:
    """What is there now. Exits when the page has no such comments."""
    return _split(text, begin, end)[1]


def with_part(text: str, begin: str, end: str, new: str) -> str:
    """The page with the lines of ``new`` there. Exits when it has no such comments."""
    before, _, after = _split(text, begin, end)
    return f"{before}{new}\n{after}"


def _split(text: str, begin: str, end: str) -> tuple[str, str, str]:
    marks = f"(.*{re.escape(begin)}\n)(.*)({re.escape(end)}.*)"
    found = re.fullmatch(marks, text, re.DOTALL)
    if found is None:
        raise SystemExit(f"the page has no {begin} ... {end}")
    return found[1], found[2], found[3]
