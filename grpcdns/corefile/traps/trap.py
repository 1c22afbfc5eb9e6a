"""The values of the check: a trap, a finding, and the server block that a trap looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from grpcdns.corefile.syntax import Directive, Server

ERROR: Final = "error"
WARNING: Final = "warning"
NOTE: Final = "note"
LEVELS: Final = (ERROR, WARNING, NOTE)
"""Error: CoreDNS does not start, or names are not answered. Warning: answers are wrong, or it fails
later. Note: worth knowing."""

Hits = Iterable[tuple[int, str]]
"""Line numbers, and what is wrong in each line."""


class Block(NamedTuple):
    """A server block with ``grpc`` in it; ``asked``: the zones whose queries can reach ``grpc``."""

    server: Server
    grpc: Directive
    asked: tuple[str, ...]


class Trap(NamedTuple):
    """``find`` takes a `Block`, or the whole Corefile, depending on the table the trap is in."""

    name: str
    level: str
    why: str
    mend: str
    find: Callable[[Any], Hits]


class Finding(NamedTuple):
    """A trap in a Corefile: ``line`` counts from 1, ``what`` a sentence without a full stop."""

    trap: Trap
    line: int
    what: str


def named(zones: Iterable[str]) -> str:
    """The first three zones as text, without their last dots."""
    shown = [zone.rstrip(".") or zone for zone in zones]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")
