"""What changed lately: the tags of the last minute's Changes, and when each has been quiet again.

A name that changed just now is likely to change again soon; one that has been quiet for a minute
is not. Changes of Services and Namespaces are kept apart from those of their endpoints, which a
cluster IP outlives.

Beware: nothing here looks at a clock. Times are seconds on the caller's own steady clock.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from grpcdns.core.cluster.objects import Kind

WINDOW: Final = 60.0
"""Seconds for which a change counts as recent."""
MOST: Final = 65_536
"""Tags remembered. A burst of more counts as a change of everything: 100 bytes each is enough."""
_OF_ENDPOINTS: Final = frozenset({Kind.ENDPOINT_SLICE, Kind.POD})


class Recent:
    """``note`` what changed, ask ``has``, and call ``expire`` often. ``most``: tags of either sort
    that are remembered; a burst of more counts as a change of everything."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        # Tag -> when it last changed, oldest first.
        self._objects: dict[str | bytes, float] = {}
        self._endpoints: dict[str | bytes, float] = {}
        self._everything: float | None = None
        """When a burst made everything count as changed; None: it does not."""

    def note(self, kind: Kind, tags: Iterable[str | bytes], now: float) -> None:
        """A Change of a kind touched these tags."""
        changed = self._endpoints if kind in _OF_ENDPOINTS else self._objects
        for tag in tags:
            changed.pop(tag, None)
            changed[tag] = now
        if len(changed) > self._most:
            changed.clear()
            self._everything = now

    def has(self, tags: Iterable[str | bytes], *, endpoints: bool) -> bool:
        """Whether one of the tags changed lately; with ``endpoints``, also by its endpoints."""
        if self._everything is not None:
            return True
        if not self._objects and not (endpoints and self._endpoints):
            return False
        return any(tag in self._objects or (endpoints and tag in self._endpoints) for tag in tags)

    def expire(self, now: float) -> list[str | bytes] | None:
        """The tags that have been quiet for long enough, no longer recent; None for all of them."""
        since = now - WINDOW
        quiet: list[str | bytes] = []
        for changed in (self._objects, self._endpoints):
            while changed:
                tag, at = next(iter(changed.items()))
                if at > since:
                    break
                del changed[tag]
                quiet.append(tag)
        if self._everything is not None and self._everything <= since:
            self._everything = None
            return None
        return quiet
