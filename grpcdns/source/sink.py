"""What a source gives its objects to.

A source knows nothing of stores, links and workers: it reports objects and their changes. The feed
implements a Sink; a command that reads a cluster once, and tests, do so in a few lines.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, Protocol

from grpcdns.core.cluster.objects import Kind

Packed = tuple[str, bytes | None, float]
"""An object of a list: its key, its packed body, when its change was triggered (unix seconds, 0:
unknown). The body is None for an object that is the same as last given, as most are in a relist."""

Note = Literal[
    "list",
    "relist",
    "rewatch",
    "skipped",
    "odd",
    "checked",
    "repaired",
    "api_lost",
    "api_back",
    "forbidden",
    "absent",
    "manifest_error",
]


class Sink(Protocol):
    """Called from several threads at once (one for each kind), never twice at once for a kind."""

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        """The complete list of a kind; returns how many changes it made.

        The kind is synced from here on. The keys are distinct.
        """

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:
        """One object was added or changed; the sink may already have it in this very form."""

    def delete(self, kind: Kind, key: str) -> None:
        """One object was deleted; the sink may not know it."""

    def terminating(self, kind: Kind, key: str) -> None:
        """One object is still there, but its owner has deleted it. Called before each `upsert` of
        it, and before a `replace` that has its body."""

    def heard(self, kind: Kind) -> None:
        """The API is alive for this kind: a list, an event, a bookmark, a watch's end in order."""

    def note(self, what: Note, kind: Kind | None = None, **fields: object) -> None:
        """Something happened that is worth a metric; it is logged already.

        | what | meaning | fields |
        |---|---|---|
        | list | a complete list was read | objects, changes, seconds, how: list, stream, files |
        | relist | the watch cannot go on | reason |
        | rewatch | a watch ended, not in order | how: silent, dropped |
        | skipped | one object cannot be read and is not served | key, error |
        | odd | a watch sent something that is no event of its kind | error |
        | checked | the consistency check ran | requests |
        | repaired | the consistency check found differences, now repaired | changes, wrong |
        | api_lost | the API is unreachable, or answers 429 or 5xx | error |
        | api_back | the API answers again | seconds: how long it was lost |
        | forbidden | the API refuses this kind | error |
        | absent | the API does not serve this kind (a missing CRD) | error |
        | manifest_error | a file cannot be read; its last good state is kept | path, error |
        """
