"""Inputs that once broke a rule, each with what it was: replayed by the tests, never removed."""

from __future__ import annotations

from typing import Final, NamedTuple


class Found(NamedTuple):
    """``data`` is for the target named; ``what`` went wrong before it was mended."""

    id: str
    target: str
    data: bytes
    what: str


FOUND: Final = (
    Found("tag-over-32-bits", "packet", bytes.fromhex("d5b0cb98eb5177eb7e58891a24835810bf60"),
          "a field number that protobuf refuses was skipped"),
)  # fmt: skip
