"""List, then watch, for ever: one kind of object, one thread.

Three layers, each knowing only its own concern (the way kopf does it):

    Watch.run          for ever: what failed is tried again after a back-off
      _list_and_watch  list (a streaming list where the API has one), then watch until 410
        _follow        one stream, until it ends

What to do after each failure is decided in retry.py; the position (the last version, and whether
it is still of use) is handed from layer to layer and kept nowhere else. A list replaces, and the
sink makes a diff of that: what did not change is not touched.

Beware: ``versions`` is what the API is believed to hold, read by check.py from another thread.
Where a version is negative, the object is known and not served.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

from grpcdns.source.api import retry
from grpcdns.source.api.client import (
    ApiError,
    Client,
    Connection,
    Params,
    Stopped,
    Stream,
    Unreachable,
)
from grpcdns.source.api.decode import Decoder, Event, Item, ListReader, Page, Unreadable, number
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.listing import Listing
from grpcdns.source.api.retry import Backoff, Next
from grpcdns.source.clock import Clock
from grpcdns.source.kinds import Fields
from grpcdns.source.sink import Sink

FAILURES: Final = (ApiError, Unreachable)


class Resource(NamedTuple):
    """What is watched: its path, and the selectors as parameters."""

    path: str
    selectors: Params


class Position(NamedTuple):
    """How far we are: the last version seen; ``lost`` when the API can do nothing with it."""

    version: str = ""
    lost: bool = False


class _Useless(Exception):
    """A stream is of no use any more, nor is another one; ``lost``: nor is the last version."""

    def __init__(self, reason: str, *, lost: bool = False) -> None:
        super().__init__(reason)
        self.lost = lost


class _Relist(Exception):
    """What to do is LIST. Carries where we are, and why."""

    def __init__(self, position: Position, reason: str) -> None:
        super().__init__(reason)
        self.position = position


class Watch:
    """One kind. ``run`` in a thread of its own; ``relist`` from any."""

    def __init__(
        self,
        resource: Resource,
        decoder: Decoder,
        client: Client,
        sink: Sink,
        journal: Journal,
        clock: Clock,
        *,
        streaming: bool = True,
        streaming_first: bool = False,
    ) -> None:
        self.kind = decoder.kind
        self.resource = resource
        self.versions: dict[str, int] = {}
        self._decoder = decoder
        self._client = client
        self._connection: Connection = client.connect()
        self._sink = sink
        self._journal = journal
        self._clock = clock
        self._backoff = Backoff()
        self._streaming = streaming
        self._streaming_first = streaming_first
        self._given_by: Decoder | None = None
        self._paged = False
        self._wanted = ""
        self._broken = ""
        self.synced = False
        self.tried = threading.Event()
        """Set when the first list is taken, or has failed."""

    def run(self) -> None:
        """Until the client is stopped."""
        position = Position()
        try:
            while True:
                position = self._once(position)
                self._pause(None)
        except Stopped:
            pass
        finally:
            self._connection.close()

    def relist(self, reason: str) -> None:
        """Lists the latest state as soon as may be; from any thread."""
        self._wanted = reason
        self._connection.interrupt()

    def repair(self, wrong: str) -> None:
        """Lists the latest state, because events have been lost; from any thread."""
        self._broken = wrong
        self.relist(f"events were lost: {wrong}")

    def use(self, decoder: Decoder) -> None:
        """From now on, read objects with this; from any thread."""
        self._decoder = decoder
        self.relist("the options need other fields")

    @property
    def fields(self) -> Fields:
        """What is read of the objects."""
        return self._decoder.fields

    def _once(self, position: Position) -> Position:
        """One round; returns where it got to, when it is time to back off and list again."""
        try:
            self._list_and_watch(position)
        except _Relist as end:
            self._journal.relist(self.kind, str(end))
            return end.position
        except FAILURES as error:
            self._journal.failed(self.kind, error)
            if isinstance(error, ApiError) and error.status == 404 and not self.synced:
                self._sink.replace(self.kind, ())  # a kind that is not served has no objects
        except Stopped:
            raise
        except Exception as error:
            self._journal.broken(self.kind, error)  # a fault of ours must not end the watch
            self._connection.close()
            self._given_by = None
        finally:
            self.tried.set()
        return position

    def _list_and_watch(self, position: Position) -> None:
        """Ends with an exception: _Relist, ApiError, Unreachable, Stopped."""
        stream: Iterator[Event] | None = None
        if self._streaming and (self.synced or self._streaming_first):
            position, stream = self._stream_list(position)
        if stream is None:
            position = self._list(position)
        while True:
            if stream is None:
                stream = self._open(position)
            position = self._follow(position, stream)
            stream = None

    # Watching.

    def _open(self, position: Position) -> Iterator[Event]:
        """A stream from a position on, opened with as many tries as it takes."""
        while True:
            began = self._clock.now()
            try:
                stream = self._connection.stream(self.resource.path, self._watch_params(position))
            except FAILURES as error:
                self._journal.failed(self.kind, error)
                if retry.after_watch(error) is not Next.WATCH:
                    raise _Relist(position, str(error)) from error
                self._pause(error)
                continue
            self._journal.reached(self.kind)
            return self._events(stream, began)

    def _follow(self, position: Position, events: Iterator[Event]) -> Position:
        """One stream, until it ends; where the next one goes on from."""
        try:
            for event in events:
                position = self._take(position, event)
        except ApiError as error:
            if retry.after_watch(error) is not Next.WATCH:
                raise _Relist(position, str(error)) from error
            self._pause(error)
        except _Useless as end:
            raise _Relist(Position(position.version, end.lost), str(end)) from end
        return position

    def _take(self, position: Position, event: Event) -> Position:
        if event.version and retry.went_back(position.version, event.version):
            raise _Relist(
                Position(position.version, lost=True),
                f"versions run backwards, from {position.version} to {event.version}",
            )
        if event.item is not None:
            self._apply(event.type, event.item)
        self._sink.heard(self.kind)
        return Position(event.version) if event.version else position

    def _apply(self, type_: str, item: Item) -> None:
        """One event to the sink."""
        key, body = item.key, item.body
        if type_ == "DELETED":
            self.versions.pop(key, None)
            self._sink.delete(self.kind, key)
        elif item.terminating:
            known = self.versions.get(key, -1) > 0
            self.versions[key] = number(item.version) * (1 if known else -1)
        elif body is None:
            self.versions[key] = -number(item.version)
            self._sink.delete(self.kind, key)
        else:
            self.versions[key] = number(item.version)
            self._sink.upsert(self.kind, key, body, item.triggered)

    def _events(
        self, stream: Stream, began: float, listing: Listing | None = None
    ) -> Iterator[Event]:
        """The events of a stream, until it ends. Raises ApiError for the API's own ERROR, _Useless
        where there is no point in a next stream. ``began`` is before it was asked for: a proxy may
        hold back its head until the first event. ``listing`` is what initial events are for."""
        seen = False
        try:
            self._check_wanted()
            for line in stream:
                event = self._read(line, listing)
                if event is None:
                    continue
                if event.status is not None:
                    raise ApiError(*event.status)
                seen = True
                listing = None if event.initial_end else listing
                yield event
        finally:
            stream.close()
        self._check_wanted()
        if not seen and self._clock.now() - began < retry.SHORT_WATCH:
            raise _Useless("the watch ended at once, without an event")
        self._journal.rewatch(self.kind, stream.ended)

    def _check_wanted(self) -> None:
        """Before a stream is read and after it: ``relist`` may come while it is being opened, when
        there is nothing to interrupt yet."""
        if self._wanted:
            raise _Useless(self._wanted, lost=True)

    def _read(self, line: bytes, listing: Listing | None) -> Event | None:
        """One line; None for what only deserves a line in the log (rf-20, rf-21).

        An object that cannot be read is not served: its last good state would be a lie, and one
        that a fresh list does not tell.
        """
        try:
            if listing is not None:
                event = listing.decoder.event(line, listing.given)
            else:
                event = self._decoder.event(line)
        except Unreadable as bad:
            if not bad.key:
                self._journal.odd(self.kind, str(bad))
                return None
            self._journal.skipped(self.kind, bad.key, str(bad))
            return Event("MODIFIED", bad.version, Item(bad.key, bad.version, None))
        if event.item is None and event.status is None and event.type != "BOOKMARK":
            self._journal.odd(self.kind, f"an event of unknown type {event.type!r}")
            return None
        return event

    # Listing.

    def _stream_list(self, position: Position) -> tuple[Position, Iterator[Event] | None]:
        """A list as a watch with initial events (KEP-3157): each object is packed as it comes.

        Returns no stream where the API does not offer that, and a plain list is due.
        """
        while True:
            began = self._clock.now()
            self._wanted = ""
            try:
                params = self._watch_params(position, initial=True)
                listing = self._new_listing(position)
                stream = self._connection.stream(self.resource.path, params)
                events = self._events(stream, began, listing)
                version = self._collect(events, listing)
            except _Useless:
                return position, None
            except FAILURES as error:
                follows = retry.after_list(error)
                if follows is Next.LIST_LATEST and not position.lost:
                    position = Position(position.version, lost=True)
                elif follows is Next.WATCH:
                    self._journal.failed(self.kind, error)
                    self._pause(error)
                else:
                    return position, None
                continue
            if version:
                self._replace(listing, began, "stream")
                return Position(version), events
            self._pause(None)  # it ended too early: all over again (rf-31)

    def _collect(self, events: Iterator[Event], listing: Listing) -> str:
        """The initial events of a stream; the version they end at, "" where it ended first."""
        for event in events:
            self._sink.heard(self.kind)
            if event.initial_end:
                return event.version
            if event.item is not None:
                if event.type == "DELETED":
                    listing.remove(event.item.key)
                else:
                    listing.add(event.item)
        return ""

    def _list(self, position: Position) -> Position:
        """A plain list: all pages, then one replace."""
        began = self._clock.now()
        self._wanted = ""
        try:
            listing, version = self._pages(retry.list_version(*position), position)
        except ApiError as error:
            if retry.after_list(error) is not Next.LIST_LATEST:
                raise
            listing, version = self._pages("", Position(lost=True))
        self._replace(listing, began, "list")
        return Position(version)

    def _pages(self, at: str, position: Position) -> tuple[Listing, str]:
        """The complete list at a version, and the version it is of."""
        listing = self._new_listing(position)
        limit = retry.list_limit(at, self._paged)
        token = ""
        while True:
            try:
                page = self._page(at, limit, token, listing)
            except ApiError as error:
                if not token or not retry.is_expired(error):
                    raise
                listing, limit, token = self._new_listing(position), 0, ""  # rf-04: all at once
                continue
            self._sink.heard(self.kind)
            if not page.token:
                return listing, page.version
            token = page.token
            self._paged = self._paged or at == "0"

    def _page(self, at: str, limit: int, token: str, listing: Listing) -> Page:
        """One page, into the list in the making."""
        params = dict(self.resource.selectors)
        if limit:
            params["limit"] = str(limit)
        if token:
            params["continue"] = token
        else:
            params["resourceVersion"] = at
        reader = ListReader(listing.decoder, listing.given)
        try:
            for data in self._connection.read(self.resource.path, params):
                for item in reader.feed(data):
                    listing.add(item)
            for item in reader.finish():
                listing.add(item)
        except Unreadable as error:
            raise ApiError(500, "Unreadable", str(error)) from error
        for bad in reader.unreadable:
            self._journal.skipped(self.kind, bad.key, str(bad))
            listing.pass_over(bad)
        return reader.page

    def _new_listing(self, position: Position) -> Listing:
        """An empty one. An object of a version that is known is not read again, unless there is
        reason to doubt: other fields are wanted, events were lost, versions ran backwards."""
        trusted = self._given_by is self._decoder and not self._broken and not position.lost
        return Listing(self.versions, self._decoder, trusted=trusted)

    def _replace(self, listing: Listing, began: float, how: str) -> None:
        """A complete list to the sink. Keys known before stay the same str objects, which the
        sink's store shares."""
        changes = self._sink.replace(self.kind, listing)
        self._given_by = listing.decoder
        for key in self.versions.keys() - listing.versions.keys():
            del self.versions[key]
        self.versions.update(listing.versions)
        self.synced = True
        self.tried.set()
        seconds = self._clock.now() - began
        self._journal.listed(self.kind, len(listing), changes, seconds, how)
        if self._broken:
            self._journal.repaired(self.kind, changes, self._broken)
            self._broken = ""

    # Between the two.

    def _watch_params(self, position: Position, *, initial: bool = False) -> Params:
        params = dict(self.resource.selectors)
        params["watch"] = "true"
        params["allowWatchBookmarks"] = "true"
        params["timeoutSeconds"] = str(retry.watch_timeout(self._clock.random()))
        if initial:
            params["sendInitialEvents"] = "true"
            params["resourceVersionMatch"] = "NotOlderThan"
            params["resourceVersion"] = "" if position.lost else position.version
        else:
            params["resourceVersion"] = position.version
        return params

    def _pause(self, error: Exception | None) -> None:
        """Backs off; longer where the API asks for it."""
        delay = self._backoff.next(self._clock.now(), self._clock.random())
        if isinstance(error, ApiError) and error.retry_after:
            delay = max(delay, error.retry_after)
        if not self._clock.sleep(delay):
            raise Stopped
