"""List, then watch, for ever: one kind, one thread.

Three layers, each with one concern:

    Watch.run          for ever: backs off after a failure, then starts over
      _list_and_watch  list (a streaming list where the API has one), then watch until 410
        _follow        one stream, until it ends

retry.py decides what to do after each failure. The position (the last version, and whether the API
can still use it) is passed from layer to layer and kept nowhere else. A list replaces what the sink
has, and the sink makes a diff of it: an unchanged object is not touched.

Beware: ``versions`` is what we believe the API holds; the consistency check reads it from another
thread. A negative version is of an object that is known and not served.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from grpcdns.source.api import retry
from grpcdns.source.api.client import (
    METADATA,
    ApiError,
    Client,
    Connection,
    Params,
    Stopped,
    Stream,
    Unreachable,
)
from grpcdns.source.api.decode import Decoder, Event, Item, ListReader, Page, Unreadable, number
from grpcdns.source.api.envelope import ApiList, ApiListMeta
from grpcdns.source.api.journal import Journal
from grpcdns.source.api.listing import Listing
from grpcdns.source.api.progress import Progress
from grpcdns.source.api.retry import Backoff, Next
from grpcdns.source.clock import Clock
from grpcdns.source.kinds import WATCHED, Fields
from grpcdns.source.sink import Sink

FAILURES: Final = (ApiError, Unreachable)
_list: Final = msgspec.json.Decoder(ApiList)


class Resource(NamedTuple):
    """What is watched: its path, and its selectors as parameters. ``others`` are the paths of other
    versions, to be tried if the API does not serve this one."""

    path: str
    selectors: Params
    others: tuple[str, ...] = ()

    def in_other_version(self) -> Resource:
        """The same in the next version; this one is the last to be tried again."""
        path, *others = (*self.others, self.path)
        return Resource(path, self.selectors, tuple(others))

    def metadata(self, connection: Connection, params: Params) -> ApiList:
        """A page of the list, with no more than the names and versions of the objects. Raises
        ApiError, Unreachable, Stopped."""
        body = connection.get(self.path, {**self.selectors, **params}, METADATA)
        try:
            return _list.decode(body)
        except msgspec.DecodeError as error:
            raise ApiError(500, "Unreadable", str(error)) from error


class Position(NamedTuple):
    """The last version seen; ``lost`` if the API can no longer use it."""

    version: str = ""
    lost: bool = False


class _Useless(Exception):
    """Neither this stream nor a new one helps; ``lost``: the last version does not, either."""

    def __init__(self, reason: str, *, lost: bool = False) -> None:
        super().__init__(reason)
        self.lost = lost


class _Relist(Exception):
    """A relist is due. Carries the position and the reason."""

    def __init__(self, position: Position, reason: str) -> None:
        super().__init__(reason)
        self.position = position


class Watch:
    """One kind. ``run`` takes a thread; ``relist``, ``repair`` and ``use`` may be called from any.

    ``streaming``: relists are streaming lists where the API has them; ``streaming_first``: the
    first list is one, too. A plain list is twice as fast, and nothing is served before the first.
    """

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
        self._progress = self._new_progress()
        self._streaming = streaming
        self._streaming_first = streaming_first
        self._given_by: Decoder | None = None
        self._paged = False
        self._wanted = ""
        self._broken = ""
        self.synced = False
        self.tried = threading.Event()
        """Set once the first list is done, or has failed."""

    def run(self) -> None:
        """Until the client is stopped."""
        position = Position()
        try:
            while True:
                position, error = self._once(position)
                self._pause(error)
        except Stopped:
            pass
        finally:
            self._connection.close()

    def relist(self, reason: str) -> None:
        """Ends the watch and relists, at the latest version."""
        self._wanted = reason
        self._connection.interrupt()

    def repair(self, wrong: str) -> None:
        """Relists because events were lost."""
        self._broken = wrong
        self.relist(f"events were lost: {wrong}")

    def use(self, decoder: Decoder) -> None:
        """Relists with another decoder."""
        self._decoder = decoder
        self.relist("the options now need other fields")

    @property
    def fields(self) -> Fields:
        """The optional fields that are kept."""
        return self._decoder.fields

    def _once(self, position: Position) -> tuple[Position, Unreachable | None]:
        """One round, until it is time to back off and relist; returns the position reached, and the
        error if nothing answered."""
        try:
            self._list_and_watch(position)
        except _Relist as end:
            self._journal.relist(self.kind, str(end))
            return end.position, None
        except FAILURES as error:
            self._journal.failed(self.kind, error)
            if isinstance(error, Unreachable):
                return position, error
            if not self.synced and retry.has_none(error, WATCHED[self.kind]):
                self._sink.replace(self.kind, ())
        except Stopped:
            raise
        except Exception as error:
            self._journal.broken(self.kind, error)  # a bug of ours must not end the watch
            self._connection.close()
            self._given_by = None
        finally:
            self.tried.set()
        return position, None

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
        """Opens a stream at a position, retrying until the API allows it or a relist is due."""
        away = False
        while True:
            began = self._clock.now()
            try:
                if away:
                    self._check_version(position)
                    away = False
                stream = self._connection.stream(self.resource.path, self._watch_params(position))
            except FAILURES as error:
                self._journal.failed(self.kind, error)
                if not away and retry.after_watch(error) is not Next.WATCH:
                    raise _Relist(position, str(error)) from error
                away = away or isinstance(error, Unreachable)
                self._pause(error)
                continue
            self._journal.reached(self.kind)
            return self._events(stream, began)

    def _check_version(self, position: Position) -> None:
        """After an outage: the cluster may have been restored from a backup meanwhile. A watch at a
        version of before says nothing of that: the API sends it no event up to that version."""
        page = self.resource.metadata(self._connection, {"limit": "1"})
        self._check_order(position, (page.metadata or ApiListMeta()).resource_version or "")

    def _check_order(self, position: Position, version: str) -> None:
        if version and retry.went_back(position.version, version):
            raise _Relist(
                Position(position.version, lost=True),
                f"versions run backwards, from {position.version} to {version}",
            )

    def _follow(self, position: Position, events: Iterator[Event]) -> Position:
        """Follows one stream until it ends; returns where the next one starts."""
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
        self._check_order(position, event.version)
        if event.item is not None:
            self._apply(event.type, event.item)
        self._sink.heard(self.kind)
        return Position(event.version) if event.version else position

    def _apply(self, type_: str, item: Item) -> None:
        """Passes one event to the sink."""
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
            if item.deleted:
                self._sink.terminating(self.kind, key)
            self._sink.upsert(self.kind, key, body, item.triggered)

    def _events(
        self, stream: Stream, began: float, listing: Listing | None = None
    ) -> Iterator[Event]:
        """The events of a stream, until it ends. Raises ApiError for an ERROR event, _Useless if a
        new stream would not help.

        ``began``: when it was requested, as a proxy may hold back the head until the first event.
        ``listing``: where the initial events go; None for a plain watch.
        """
        seen, initial = False, listing is not None
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
        if stream.ended == "closed":
            self._sink.heard(self.kind)
        # A streaming list asks for a timeout that is longer than the read timeout.
        expected = initial and stream.ended == "silent"
        self._journal.rewatch(self.kind, "closed" if expected else stream.ended)

    def _check_wanted(self) -> None:
        """Called before a stream is read and after it: while a stream is being opened, ``relist``
        has nothing to interrupt yet."""
        if self._wanted:
            raise _Useless(self._wanted, lost=True)

    def _read(self, line: bytes, listing: Listing | None) -> Event | None:
        """One line; None for a line that is logged and ignored.

        An object that cannot be read is no longer served: its last good state would be wrong, and
        missing after the next list.
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

    def _new_progress(self) -> Progress:
        path, selectors, _ = self.resource
        return Progress(path, selectors, self._decoder, self._client, self._journal, self._clock)

    def _stream_list(self, position: Position) -> tuple[Position, Iterator[Event] | None]:
        """A list as a watch with initial events (KEP-3157): each object is packed as it comes.

        Returns no stream if the API does not offer this and a plain list is due.
        """
        while True:
            began = self._clock.now()
            self._wanted = ""
            self._progress.begin()
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
            self._pause(None)  # it ended before the initial events did: start over

    def _collect(self, events: Iterator[Event], listing: Listing) -> str:
        """Reads the initial events; returns their version, "" if the stream ended before them."""
        for event in events:
            self._sink.heard(self.kind)
            if event.initial_end:
                return event.version
            if event.item is not None:
                if event.type == "DELETED":
                    listing.remove(event.item.key)
                else:
                    listing.add(event.item)
            if not self.synced:
                self._progress.update(len(listing.versions), ask=False)
        return ""

    def _list(self, position: Position) -> Position:
        """A plain list: all pages, then one ``replace``."""
        began = self._clock.now()
        self._wanted = ""
        self._progress.begin()
        try:
            listing, version = self._pages_in_any_version(position)
        except ApiError as error:
            if retry.after_list(error) is not Next.LIST_LATEST:
                raise
            listing, version = self._pages("", Position(lost=True))
        self._replace(listing, began, "list")
        return Position(version)

    def _pages_in_any_version(self, position: Position) -> tuple[Listing, str]:
        """The complete list in the first version that the API serves. All versions of a kind have
        the same objects, at the same resourceVersion."""
        for _ in self.resource.others:
            try:
                return self._pages(retry.list_version(*position), position)
            except ApiError as error:
                if error.status != 404:
                    raise
            self.resource = self.resource.in_other_version()
            self._progress = self._new_progress()
            self._progress.begin()
        return self._pages(retry.list_version(*position), position)

    def _pages(self, at: str, position: Position) -> tuple[Listing, str]:
        """The complete list at a version; returns the version that the API gave it."""
        listing = self._new_listing(position)
        limit = retry.list_limit(at, self._paged)
        token = ""
        while True:
            try:
                page = self._page(at, limit, token, listing)
            except ApiError as error:
                if not token or not retry.is_expired(error):
                    raise
                listing, limit, token = self._new_listing(position), 0, ""  # now without pages
                continue
            self._sink.heard(self.kind)
            if not page.token:
                return listing, page.version
            token = page.token
            self._paged = self._paged or at == "0"

    def _page(self, at: str, limit: int, token: str, listing: Listing) -> Page:
        """Reads one page into ``listing``."""
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
                if not self.synced:
                    self._progress.update(len(listing.versions))
            for item in reader.finish():
                listing.add(item)
        except Unreadable as error:
            raise ApiError(500, "Unreadable", str(error)) from error
        for bad in reader.unreadable:
            self._journal.skipped(self.kind, bad.key, str(bad))
            listing.skip(bad)
        self._progress.end_page(len(listing.versions), reader.page.remaining)
        return reader.page

    def _new_listing(self, position: Position) -> Listing:
        """An empty one. An object of its known version is not read again, unless other fields are
        needed, events were lost or versions ran backwards."""
        trusted = self._given_by is self._decoder and not self._broken and not position.lost
        return Listing(self.versions, self._decoder, trusted=trusted)

    def _replace(self, listing: Listing, began: float, how: str) -> None:
        """Passes a complete list to the sink. Known keys stay the same str objects, which the
        sink's store shares."""
        for key in listing.deleted:
            self._sink.terminating(self.kind, key)
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

    # Both.

    def _watch_params(self, position: Position, *, initial: bool = False) -> Params:
        params = dict(self.resource.selectors)
        params["watch"] = "true"
        params["allowWatchBookmarks"] = "true"
        params["timeoutSeconds"] = str(retry.watch_timeout(self._clock.random(), initial=initial))
        if initial:
            params["sendInitialEvents"] = "true"
            params["resourceVersionMatch"] = "NotOlderThan"
            params["resourceVersion"] = "" if position.lost else position.version
        else:
            params["resourceVersion"] = position.version
        return params

    def _pause(self, error: Exception | None) -> None:
        """Backs off, for longer if the API asks for it."""
        delay = self._backoff.next(self._clock.now(), self._clock.random(), error)
        if isinstance(error, ApiError) and error.retry_after:
            delay = max(delay, error.retry_after)
        if not self._clock.sleep(delay):
            raise Stopped
