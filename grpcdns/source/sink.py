"""What a source gives its objects to.

A source knows nothing of stores, links and workers: it says what is, and what changed. The feed
implements this; tests do with a few lines.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from grpcdns.core.cluster.objects import Kind

Packed = tuple[str, bytes | None, float]
"""An object of a list: its key, its packed body, when it was triggered (0: unknown). A body of None
stands for the object as it was last given: a list made anew is mostly that."""


class Sink(Protocol):
    """Called from several threads at once (one for each kind), never twice at once for a kind."""

    def replace(self, kind: Kind, objects: Collection[Packed]) -> int:
        """The complete list of a kind, in memory already; returns how many changes it made.

        From here on the kind is synced. The keys are distinct.
        """

    def upsert(self, kind: Kind, key: str, body: bytes, triggered: float = 0.0) -> None:
        """One object came or changed; it may well be known just so."""

    def delete(self, kind: Kind, key: str) -> None:
        """One object went; it may well be unknown."""

    def heard(self, kind: Kind) -> None:
        """The source has heard from where this kind comes from: a list, an event, a bookmark."""

    def note(self, what: str, kind: Kind | None = None, **fields: object) -> None:
        """Something happened that is worth a metric: see NOTES. It is logged already."""


NOTES = {
    "list": "a complete list was taken; objects, changes, seconds, how (list, stream)",
    "relist": "a list had to be made anew; reason",
    "skipped": "one object could not be read and is left out; key, error",
    "rewatch": "a watch ended without a word (silent) or in the middle (dropped); how",
    "odd": "a watch sent what has no business there; error",
    "repaired": "the consistency check found differences and mended them; changes, wrong",
    "checked": "the consistency check ran; requests",
    "api_lost": "the API cannot be reached, or does not answer; error",
    "api_back": "the API answers again; seconds it was away",
    "forbidden": "the API refuses this kind; error",
    "absent": "the API does not serve this kind (a missing CRD)",
    "manifest_error": "a file cannot be read, its last good state is kept; path, error",
}
"""What ``note`` is called with, and with which fields."""
