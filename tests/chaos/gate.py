"""A proxy between grpcdns and the API that speaks HTTP, so that it can refuse, slow, end, silence
or thin out what goes through. In a thread of its own; faults are set from any other.

    gone            no connection is accepted, none stays
    delay           seconds before each request and each part of a reply
    refuse          status of every new request (429, 500), or of new watches alone (410)
    cut()           ends every connection
    expire()        ends every watch with the ERROR event of a version that is too old
    silence()       passes nothing more on the connections of now, and closes none
    skip            a pattern: the next event that matches is lost
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Self

from harness.cluster import Cluster
from harness.ports import free_address

_REASONS: Final = {410: "Expired", 429: "TooManyRequests"}


class Gate:
    """``with Gate(cluster) as gate: ... gate.address``."""

    def __init__(self, cluster: Cluster) -> None:
        self.address = free_address()
        self.delay = 0.0
        self.refuse = 0
        self.refuse_watches = 0
        self.skip: re.Pattern[bytes] | None = None
        self.watches = 0
        """Requests so far."""
        self._target = cluster.address
        self._serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._serving.load_cert_chain(
            cluster.folder / "kube-apiserver.crt", cluster.folder / "kube-apiserver.key"
        )
        self._trusting = ssl.create_default_context(cafile=str(cluster.ca))
        self._links: set[_Link] = set()
        self._loop = asyncio.new_event_loop()
        self._server: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def open(self) -> None:
        self._run(self._open)

    def close(self) -> None:
        """The API is gone: connections are refused."""
        self._run(self._close)

    def cut(self, *, watches: bool = False) -> None:
        """Ends all connections, or those with a watch."""
        self._each(lambda link: link.watching or not watches, lambda link: link.abort())

    def expire(self) -> None:
        self._each(lambda link: link.watching, lambda link: link.expire())

    def watching(self) -> int:
        """How many connections have a watch."""
        return sum(link.watching for link in set(self._links))

    def silence(self) -> int:
        """Returns how many of the connections have a watch."""
        watches = 0

        def hold(link: _Link) -> None:
            nonlocal watches
            watches += link.watching
            link.held = True

        self._each(lambda _: True, hold)
        return watches

    def heal(self) -> None:
        """No fault for new requests, and none of the silenced connections."""
        self.delay, self.refuse, self.refuse_watches, self.skip = 0.0, 0, 0, None
        self._each(lambda link: link.held, lambda link: link.abort())
        self.open()

    def _each(self, which: Callable[[_Link], bool], do: Callable[[_Link], None]) -> None:
        async def all_of_them() -> None:
            for link in [one for one in self._links if which(one)]:
                do(link)

        self._run(all_of_them)

    def _run(self, what: Callable[[], Awaitable[None]]) -> None:
        async def awaited() -> None:
            await what()

        asyncio.run_coroutine_threadsafe(awaited(), self._loop).result(10)

    async def _open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, self.address.host, self.address.port, ssl=self._serving
            )

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for link in list(self._links):
            link.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(self, reader, writer)
        self._links.add(link)
        try:
            await link.run(lambda: asyncio.open_connection(*self._target, ssl=self._trusting))
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            self._links.discard(link)
            link.abort()


class _Link:
    """One connection of a client, and its own to the API."""

    def __init__(
        self, gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._gate, self._reader, self._writer = gate, reader, writer
        self._upstream: asyncio.StreamWriter | None = None
        self._back: asyncio.Task[None] | None = None
        self._chunks = _Chunks()
        self.watching = False
        self.held = False

    async def run(self, connect: Callable[[], Awaitable[Any]]) -> None:
        while True:
            head = await self._reader.readuntil(b"\r\n\r\n")
            watch = b"watch=true" in head.split(b"\r\n", 1)[0]
            self._gate.watches += watch
            status = self._gate.refuse or (self._gate.refuse_watches if watch else 0)
            if self._gate.delay:
                await asyncio.sleep(self._gate.delay)
            if self.held:
                continue
            if status:
                self._writer.write(_refusal(status))
                continue
            if self._upstream is None:
                reader, self._upstream = await connect()
                self._back = asyncio.ensure_future(self._pass_back(reader))
            self.watching, self._chunks = watch, _Chunks()
            self._upstream.write(head)

    async def _pass_back(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65536):
                if self._gate.delay:
                    await asyncio.sleep(self._gate.delay)
                if self.held:
                    continue
                if self.watching:
                    data = b"".join(self._thinned(data))
                self._writer.write(data)
                await self._writer.drain()
        except (OSError, ssl.SSLError):
            pass
        if not self.held:
            self.abort()

    def _thinned(self, data: bytes) -> Iterator[bytes]:
        for chunk in self._chunks.feed(data):
            pattern = self._gate.skip
            if pattern is not None and pattern.search(chunk):
                self._gate.skip = None
            else:
                yield chunk

    def expire(self) -> None:
        """As the API does: an ERROR event, then the end of the stream."""
        event = json.dumps({"type": "ERROR", "object": _status(410)}).encode() + b"\n"
        self._writer.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event))
        self.watching, self.held = False, True
        asyncio.get_running_loop().call_later(0.5, self.abort)

    def abort(self) -> None:
        if self._back is not None:
            self._back.cancel()
        for writer in (self._writer, self._upstream):
            if writer is not None and writer.transport is not None:
                writer.transport.abort()


class _Chunks:
    """Cuts a chunked reply: its head, then whole chunks, each with its frame. Any other reply, such
    as a refusal, is passed on as it comes."""

    def __init__(self) -> None:
        self._left = b""
        self._in_body = False
        self._chunked = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        self._left += data
        if not self._in_body:
            end = self._left.find(b"\r\n\r\n")
            if end < 0:
                return
            self._in_body = True
            head = self._take(end + 4)
            self._chunked = b"transfer-encoding: chunked" in head.lower()
            yield head
        if not self._chunked:
            yield self._take(len(self._left))
            return
        while (end := self._left.find(b"\r\n")) >= 0:
            size = end + 2 + int(self._left[:end], 16) + 2
            if len(self._left) < size:
                return
            yield self._take(size)

    def _take(self, size: int) -> bytes:
        taken, self._left = self._left[:size], self._left[size:]
        return taken


def _refusal(status: int) -> bytes:
    body = json.dumps(_status(status)).encode()
    head = f"HTTP/1.1 {status} Refused\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _status(code: int) -> dict[str, Any]:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"{code} by the gate",
        "reason": _REASONS.get(code, "InternalError"),
        "code": code,
    }
