"""Finds the lines of a Corefile that will not work with ``grpc``, and says why.

    for finding in check_corefile(text): ...

A trap is a row of a table: its id, its level, the reason, what to do, and the function that finds
it. tests/system/corefile confirms each row on a real CoreDNS. The tables are in traps.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from grpcdns.corefile.start import refusals, refusals_of
from grpcdns.corefile.syntax import Parsed, SyntaxProblem, parse_corefile
from grpcdns.corefile.traps import cache_lines, grpc_lines, refused, same_block, whole_file
from grpcdns.corefile.traps.trap import ERROR, LEVELS, Backend, Block, Corefile, Finding, Trap
from grpcdns.corefile.zones import asked_zones

SYNTAX: Final = Trap(
    "syntax",
    ERROR,
    "CoreDNS does not start with a Corefile that it cannot parse.",
    "Correct the line.",
    lambda _: (),
)

TRAPS: Final = (*grpc_lines.TRAPS, *same_block.TRAPS, *cache_lines.TRAPS)
"""Rows that look at one server block with ``grpc`` in it."""

WHOLE: Final = (*refused.TRAPS, *whole_file.TRAPS)
"""Rows that look at all server blocks."""

UNKNOWN: Final = Backend()


def check_corefile(
    text: str,
    served: Iterable[str] = (),
    environment: Mapping[str, str] | None = None,
    backend: Backend = UNKNOWN,
) -> list[Finding]:
    """All findings, in the order of their lines.

    ``served``: the zones that grpcdns answers for, absolute, as in ``--zones``; when empty, the
    Corefile is not compared with them. ``environment``: CoreDNS's variables, when they are known.
    ``backend``: what is known of the grpcdns behind it.
    """
    try:
        parsed = parse_corefile(text, environment)
    except SyntaxProblem as problem:
        return [Finding(SYNTAX, problem.line, problem.message)]
    findings = [*_check(parsed, tuple(served), backend)]
    return sorted(findings, key=lambda one: (one.line, LEVELS.index(one.trap.level), one.trap.name))


def _check(parsed: Parsed, served: tuple[str, ...], backend: Backend) -> Iterator[Finding]:
    blocks = [
        Block(server, grpc, asked_zones(server, grpc), tuple(refusals_of(server)), backend)
        for server in parsed.servers
        for grpc in server.all("grpc")[:1]
    ]
    for block in blocks:
        for trap in TRAPS:
            for line, what in trap.find(block):
                yield Finding(trap, line, what)
    corefile = Corefile(parsed, tuple(blocks), served, tuple(refusals(parsed)))
    for row in WHOLE:
        for line, what in row.find(corefile):
            yield Finding(row, line, what)
