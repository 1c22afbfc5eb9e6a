"""Records of names outside the zones, queried from the DNS server in front, for ExternalNames.

The look-ups run in one asyncio loop in a thread. The first look-up starts the thread and loads
dnslib: most clusters need neither. Each is one `exchange`. Of an answer only the chain that begins
at the name asked for is used. A look-up that fails is None, and the client gets the bare CNAME.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import CNAME, IN, Record
from grpcdns.core.handler import Deferred
from grpcdns.serve.worker.later import Later

if TYPE_CHECKING:
    from grpcdns.dnsclient.messages import Parsed

_log = logging.getLogger(__name__)

TIMEOUT: Final = 2.0
"""Seconds in all; CoreDNS gives its caller 5."""
IN_FLIGHT: Final = 256
"""Look-ups in flight; further ones fail at once."""
MAX_CHAIN: Final = 11
MAX_RECORDS: Final = 100

_Asked = tuple[Name, int]
_Found = list[Record] | None


class Upstream:
    """Look-ups at one server. ``address`` is IP:PORT, or "" for none."""

    def __init__(self, address: str) -> None:
        self._address = _parse(address)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._in_flight: dict[_Asked, asyncio.Task[_Found]] = {}
        self._counts = {"answered": 0, "failed": 0, "refused": 0}

    def use(self, address: str) -> None:
        """Query this server from now on."""
        self._address = _parse(address)

    def complete(self, deferred: Deferred) -> Later | bytes:
        """The reply, once its look-ups have ended."""
        if self._address is None:
            return deferred.complete([None] * len(deferred.lookups))
        later = Later()
        loop = self._running()
        loop.call_soon_threadsafe(lambda: loop.create_task(self._complete(deferred, later)))
        return later

    def stop(self) -> None:
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join()

    def samples(self) -> Iterator[tuple[str, str, float]]:
        for result, count in self._counts.items():
            yield "upstream_lookups_total", f'result="{result}"', count
        yield "upstream_lookups_in_flight", "", len(self._in_flight)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=self._run, args=(self._loop,), name="upstream", daemon=True
                )
                self._thread.start()
            return self._loop

    @staticmethod
    def _run(loop: asyncio.AbstractEventLoop) -> None:
        asyncio.set_event_loop(loop)
        try:
            loop.run_forever()
            left = asyncio.all_tasks(loop)
            for task in left:
                task.cancel()
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        finally:
            loop.close()

    async def _complete(self, deferred: Deferred, later: Later) -> None:
        found: list[_Found] = [None] * len(deferred.lookups)
        try:
            tasks = [self._find((lookup.target, lookup.qtype)) for lookup in deferred.lookups]
            for at, task in enumerate(tasks):
                if task is not None:
                    found[at] = await asyncio.shield(task)
        except Exception:
            _log.exception("an upstream look-up failed")
        finally:
            later.set(deferred.complete(found))

    def _find(self, asked: _Asked) -> asyncio.Task[_Found] | None:
        """The look-up, shared by all queries in flight for the same; None when too many are."""
        task = self._in_flight.get(asked)
        if task is None:
            if len(self._in_flight) >= IN_FLIGHT:
                self._counts["refused"] += 1
                return None
            task = asyncio.get_running_loop().create_task(self._ask(asked))
            self._in_flight[asked] = task
            task.add_done_callback(lambda _: self._in_flight.pop(asked, None))
        return task

    async def _ask(self, asked: _Asked) -> _Found:
        from grpcdns.dnsclient.exchange import NoReply, exchange
        from grpcdns.dnsclient.messages import make_query

        if self._address is None:
            return None
        host, port = self._address
        target, qtype = asked
        try:
            query = make_query(target, qtype, mix_case=True)
            message = await exchange(query, host, port, TIMEOUT)
        except NoReply:
            self._counts["failed"] += 1
            return None
        self._counts["answered"] += 1
        return list(_chain(message.answer, target, qtype))


def _chain(answer: list[Parsed], target: Name, qtype: int) -> Iterator[Record]:
    """The records that lead from the target to the type asked for, in order, each once."""
    by_name: dict[Name, dict[Record, None]] = {}
    for parsed in answer:
        if parsed.rtype in (qtype, CNAME) and parsed.rclass == IN:
            record = parsed.to_record()
            by_name.setdefault(record.name, {})[record] = None
    left = MAX_RECORDS
    for _ in range(MAX_CHAIN):
        aliases = []
        for record in list(by_name.pop(target, ()))[:left]:
            left -= 1
            yield record
            if record.rtype == CNAME and isinstance(record.rdata[0], tuple):
                aliases.append(record.rdata[0])
        if len(aliases) != 1:
            return
        target = aliases[0]


def _parse(address: str) -> tuple[str, int] | None:
    if not address:
        return None
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
