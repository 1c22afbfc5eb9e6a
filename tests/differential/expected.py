"""Which differences the tests accept: those of the product's table, `core.inspect.differences`,
that questions about a cluster find by themselves. Any other fails the test that finds it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grpcdns.config.options import Config
from grpcdns.core.inspect.differences import DIFFERENCES, Said, Seen
from grpcdns.core.inspect.facts import Facts
from tests.conformance.reply import Reply

EXPECTED: Final = ("D1", "D2", "D3", "D4", "D6", "D8", "D9", "D10", "D13", "D16", "D17", "D21")
"""The others have rows or tests of their own, and no question of a run may find them."""


def explain(
    seen: Seen, plugin: Reply | None, ours: Reply, among: Iterable[str] = EXPECTED
) -> str | None:
    """The id of the intended difference between two replies; None for an unintended one."""
    for id_ in among:
        if DIFFERENCES[id_].explains(seen):
            # Of letters alone: flags are the same.
            only_letters = plugin is not None and plugin.folded() == ours.folded()
            return id_ if id_ != "D17" or only_letters else None
    return None


def seen_of(
    config: Config,
    facts: Facts,
    question: tuple[str, str],
    plugin: Reply | None,
    ours: Reply,
    size: int = 0,
) -> Seen:
    """``size``: of our reply, in octets."""
    theirs = None if plugin is None else Said(plugin.rcode, *plugin.sections)
    return Seen(config.policy(), facts, *question, theirs, Said(ours.rcode, *ours.sections, size))
