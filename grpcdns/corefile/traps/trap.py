"""The values of the check: a trap, a finding, and the server block that a trap looks at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from grpcdns.corefile.arguments import Refusal
from grpcdns.corefile.syntax import Directive, Parsed, Server

ERROR: Final = "error"
WARNING: Final = "warning"
NOTE: Final = "note"
LEVELS: Final = (ERROR, WARNING, NOTE)
"""Error: CoreDNS does not start, or names are not answered. Warning: answers are wrong, or it fails
later. Note: worth knowing."""

Hits = Iterable[tuple[int, str]]
"""Line numbers, and what is wrong in each line."""


class Backend(NamedTuple):
    """What is known of the grpcdns behind a Corefile. ``names``: of its cluster, 0 when they were
    not counted. ``adaptive``: whether it is known to have ``--ttl-mode adaptive``."""

    names: int = 0
    adaptive: bool = False


class Block(NamedTuple):
    """A server block with ``grpc`` in it.

    ``asked``: the zones whose queries can reach ``grpc``. ``refused``: why CoreDNS does not start
    with the block.
    """

    server: Server
    grpc: Directive
    asked: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()
    backend: Backend = Backend()


class Corefile(NamedTuple):
    """``served``: the zones that grpcdns answers for; () when they are not known. ``refused``: why
    CoreDNS does not start."""

    parsed: Parsed
    blocks: tuple[Block, ...]
    served: tuple[str, ...]
    refused: tuple[Refusal, ...] = ()

    @property
    def asked(self) -> set[str]:
        return {zone for block in self.blocks for zone in block.asked}


class Trap(NamedTuple):
    """``find`` takes a `Block` or a `Corefile`, depending on the table that the trap is in."""

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


def refused(name: str) -> Callable[[Block | Corefile], Hits]:
    """Finds the refusals of one kind: the name of a trap."""

    def find(part: Block | Corefile) -> Hits:
        return [(one.line, one.what) for one in part.refused if one.trap == name]

    return find
