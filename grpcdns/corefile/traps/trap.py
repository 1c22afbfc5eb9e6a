"""The values of the check: a trap, where it was found, and the server block it looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from grpcdns.corefile.syntax import Directive, Server

ERROR: Final = "error"
WARNING: Final = "warning"
NOTE: Final = "note"
LEVELS: Final = (ERROR, WARNING, NOTE)
"""It does not start or does not answer; it answers wrongly or breaks later; worth knowing."""

Found = Iterable[tuple[int, str]]
"""Lines, and what is wrong in each."""


class Block(NamedTuple):
    """A server block with ``grpc`` in it; ``asked``: the zones whose names get that far at most."""

    server: Server
    grpc: Directive
    asked: tuple[str, ...]


class Trap(NamedTuple):
    """``find`` takes what the trap's table says: a `Block`, or all of them."""

    name: str
    level: str
    why: str
    mend: str
    find: Callable[[Any], Found]


class Finding(NamedTuple):
    trap: Trap
    line: int
    what: str
