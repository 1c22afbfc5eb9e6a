"""The worker's end of the link: connects to the feed, applies its messages, reconnects.

Without a feed, answers go on from what is known. Lists and Changes are applied in small steps, and
the GIL is released after every few: a query waits for one step at most.
"""

from __future__ import annotations

import logging
import random
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from grpcdns.core.cluster.objects import Kind
from grpcdns.core.cluster.store import Entries
from grpcdns.serve import link, timeslice
from grpcdns.serve.worker.answerer import Answerer

_log = logging.getLogger(__name__)

_SLICE: Final = 0.0002
"""Seconds of work after which other threads may run."""
_STEP: Final = 16
_FIRST_STEP: Final = 256
"""Objects of a list in one step; and while there are no answers yet that could wait for it."""
_APPLIED: Final = 256
"""The latest messages with Changes whose time is remembered."""
_FIRST_DELAY: Final = 0.02
_MAX_DELAY: Final = 0.5

T = TypeVar("T")
Samples = Callable[[], Iterable[tuple[str, str, float]]]


class Receiver:
    """``changed`` is called after each message that may have changed the worker's health."""

    def __init__(
        self,
        path: str,
        name: str,
        answerer: Answerer,
        samples: Samples,
        changed: Callable[[], None],
    ) -> None:
        self._path = path
        self._name = name
        self._answerer = answerer
        self._samples = samples
        self._changed = changed
        self._lists: dict[Kind, _List] = {}
        self._applied: deque[tuple[int, float]] = deque(maxlen=_APPLIED)
        """The number of each of the latest Changes of this connection, and when it was applied."""
        self._listed = 0.0
        self._stopped = threading.Event()
        self._sock: socket.socket | None = None
        self._reading = threading.Thread(target=self._run, name="receiver", daemon=True)

    def start(self) -> None:
        self._reading.start()

    def stop(self) -> None:
        self._stopped.set()
        sock = self._sock
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._reading.join()

    def _run(self) -> None:
        timeslice.shorten()
        delay = _FIRST_DELAY
        while not self._stopped.is_set():
            try:
                if self._session():
                    delay = _FIRST_DELAY
            except Exception:
                _log.exception("a message of the feed could not be applied")
            if self._stopped.wait(delay * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter
                return
            delay = min(delay * 2, _MAX_DELAY)

    def _session(self) -> bool:
        """One connection, from its start to its end; returns whether the feed sent anything."""
        heard = False
        with socket.socket(socket.AF_UNIX) as sock:
            self._sock = sock
            self._lists.clear()
            self._applied.clear()
            self._listed = 0.0
            try:
                sock.connect(self._path)
                sock.sendall(link.to_frame(link.Hello(self._name, self._answerer.live)))
                for message in link.receive(sock, link.Reader()):
                    if not heard:
                        heard = True
                        _log.info("connected to the feed")
                    self._take(sock, message)
            except (OSError, link.LinkError) as error:
                if heard and not self._stopped.is_set():
                    _log.warning("connection to the feed lost (%s)%s", error, self._goes_on)
            else:
                if heard and not self._stopped.is_set():
                    _log.warning("the feed has disconnected%s", self._goes_on)
            finally:
                self._sock = None
        return heard

    @property
    def _goes_on(self) -> str:
        return ": answering from what is known" if self._answerer.synced else ""

    def _take(self, sock: socket.socket, message: link.Message) -> None:
        if isinstance(message, link.Changes):
            for change in _yielding(message.changes, self._answerer):
                self._answerer.apply(change)
            self._applied.append((message.number, time.time()))
        elif isinstance(message, link.Objects):
            self._lists[message.kind].add(message.entries)
        elif isinstance(message, link.Listing):
            self._lists[message.kind] = _List(self._answerer, message)
        elif isinstance(message, link.Listed):
            listing = self._lists.pop(message.kind)
            listing.finish()
            self._listed = time.time()
            self._changed()
        elif isinstance(message, link.State):
            self._answerer.set_state(message.saved if message.restored else 0.0)
            self._changed()
        elif isinstance(message, link.Ask):
            sock.sendall(link.to_frame(self._report(message)))
        else:
            raise link.LinkError(f"the feed does not send {type(message).__name__}")

    def _report(self, ask: link.Ask) -> link.Report:
        samples = tuple((name, labels, float(value)) for name, labels, value in self._samples())
        if not ask.names:
            return link.Report(ask.number, samples)
        since, names = self._answerer.names(ask.names)
        applied = tuple(self._applied)
        return link.Report(ask.number, samples, names, since, applied, self._listed)


class _List:
    """A list that is being received. Its objects are applied as they come; at the end, objects that
    were not in it are deleted."""

    def __init__(self, answerer: Answerer, listing: link.Listing) -> None:
        self._batches: deque[Entries] = deque()
        self._answerer = answerer
        self._step = _STEP if answerer.synced else _FIRST_STEP
        self._steps = answerer.replace(listing.kind, self._received(), listing.at)

    def add(self, entries: Entries) -> None:
        """Apply all of them now: a Change that comes after them is newer."""
        rest = iter(entries)
        while batch := tuple(islice(rest, self._step)):
            self._batches.append(batch)
        for _ in _yielding(range(len(self._batches)), self._answerer):
            next(self._steps)

    def finish(self) -> None:
        for _ in _yielding(self._steps, self._answerer):
            pass

    def _received(self) -> Iterator[Entries]:
        """The batches received and not applied yet. Only `finish` asks for more than there are,
        which ends the list."""
        while self._batches:
            yield self._batches.popleft()


def _yielding(items: Iterable[T], answerer: Answerer) -> Iterator[T]:
    """The items; once the worker is synced, other threads get to run in between."""
    synced, began = answerer.synced, time.perf_counter()
    for item in items:
        yield item
        if synced and time.perf_counter() - began > _SLICE:
            time.sleep(0)
            began = time.perf_counter()
