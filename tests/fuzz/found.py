"""Inputs that once broke a rule: replayed by the tests, never removed."""

from __future__ import annotations

from typing import Final, NamedTuple


class Found(NamedTuple):
    """``data`` is an input of ``target``; ``what`` says what went wrong before the fix."""

    id: str
    target: str
    data: bytes
    what: str


FOUND: Final = (
    Found("tag-over-32-bits", "packet", bytes.fromhex("d5b0cb98eb5177eb7e58891a24835810bf60"),
          "a field number that protobuf refuses was skipped"),
)  # fmt: skip
