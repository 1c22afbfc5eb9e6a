"""Logs how far the first list of a kind has come, if it takes long.

A list in pages tells with each page how many objects are left. One without pages, which is what the
API sends from its cache, does not: then the API is asked, once, in a thread. It never counts
objects that a selector matches. A streaming list does not tell, and nobody is asked.
"""

from __future__ import annotations

import threading
from typing import Final

from grpcdns.source.api.client import ApiError, Client, Params, Stopped, Unreachable
from grpcdns.source.api.decode import Decoder, ListReader, Unreadable
from grpcdns.source.api.journal import Journal
from grpcdns.source.clock import Clock

EVERY: Final = 5.0
"""Seconds between two lines."""


class Progress:
    """``path`` and ``selectors``: what is listed."""

    def __init__(
        self,
        path: str,
        selectors: Params,
        decoder: Decoder,
        client: Client,
        journal: Journal,
        clock: Clock,
    ) -> None:
        self._path = path
        self._selectors = selectors
        self._decoder = decoder
        self._client = client
        self._journal = journal
        self._clock = clock
        self._due = 0.0
        self._total = 0
        self._asked = False

    def begin(self) -> None:
        """The list is requested."""
        self._due = self._clock.now() + EVERY

    def update(self, objects: int, *, ask: bool = True) -> None:
        """So many have been read; called often. ``ask``: the API, if the total is not known."""
        now = self._clock.now()
        if now < self._due:
            return
        self._due = now + EVERY
        if ask and not self._total and not self._asked:
            self._asked = True
            counter = threading.Thread(target=self._count, name="count", daemon=True)
            counter.start()
            counter.join(1.0)  # the first line is better with a total, if that comes soon
        self._journal.reading(self._decoder.kind, objects, self._total)

    def end_page(self, objects: int, remaining: int) -> None:
        """A page is complete, which says how many are left: 0 if it does not."""
        if remaining:
            self._total = objects + remaining

    def _count(self) -> None:
        connection = self._client.connect()
        reader = ListReader(self._decoder)
        try:
            body = connection.get(self._path, {**self._selectors, "limit": "1"})
            objects = len([*reader.feed(bytes(body)), *reader.finish()])
        except (ApiError, Unreachable, Unreadable, Stopped):
            return
        finally:
            connection.close()
        if reader.page.remaining:
            self._total = objects + len(reader.unreadable) + reader.page.remaining
