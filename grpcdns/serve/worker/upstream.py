"""Records of names outside the zones, asked of the DNS server in front, for ExternalName Services.

An asyncio loop in a thread of its own, which begins with the first such query, as does the import
of dnspython: most clusters never need either. UDP, and TCP when the answer does not fit; ID and
port are random and the answer's ID, question and source are checked (dnspython does). Of an answer
only the chain that begins at the name asked for is taken. Whatever fails is None: the bare
CNAME is given then.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import Record
from grpcdns.core.handler import Deferred
from grpcdns.serve.worker.later import Later

if TYPE_CHECKING:
    import dns.message

_log = logging.getLogger(__name__)

TIMEOUT: Final = 2.0
"""Seconds in all; CoreDNS gives its caller 5."""
IN_FLIGHT: Final = 256
"""Look-ups under way; further ones fail at once."""
MAX_CHAIN: Final = 11
MAX_RECORDS: Final = 100
_PAYLOAD: Final = 1232

_Asked = tuple[Name, int]
_Found = list[Record] | None


class Upstream:
    """``address`` is IP:PORT, or "" for none."""

    def __init__(self, address: str) -> None:
        self._address = _parse(address)
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._under_way: dict[_Asked, asyncio.Task[_Found]] = {}
        self._counts = {"answered": 0, "failed": 0, "refused": 0}

    def use(self, address: str) -> None:
        """Ask this server from now on."""
        self._address = _parse(address)

    def complete(self, deferred: Deferred) -> Later | bytes:
        """The reply, when the look-ups it needs have come back."""
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
        yield "upstream_lookups_in_flight", "", len(self._under_way)

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
        """The look-up, shared with whoever asks the same; None when there are too many."""
        task = self._under_way.get(asked)
        if task is None:
            if len(self._under_way) >= IN_FLIGHT:
                self._counts["refused"] += 1
                return None
            task = asyncio.get_running_loop().create_task(self._ask(asked))
            self._under_way[asked] = task
            task.add_done_callback(lambda _: self._under_way.pop(asked, None))
        return task

    async def _ask(self, asked: _Asked) -> _Found:
        import dns.asyncquery
        import dns.exception
        import dns.message
        import dns.name
        import dns.rdatatype

        if self._address is None:
            return None
        host, port = self._address
        target, qtype = asked
        name = dns.name.Name((*(label.encode("latin-1") for label in target), b""))
        kind = dns.rdatatype.RdataType.make(qtype)
        query = dns.message.make_query(name, kind, use_edns=0, payload=_PAYLOAD)
        try:
            async with asyncio.timeout(TIMEOUT):
                message, _ = await dns.asyncquery.udp_with_fallback(
                    query, host, port=port, ignore_unexpected=True, ignore_errors=True
                )
        except (OSError, TimeoutError, dns.exception.DNSException):
            self._counts["failed"] += 1
            return None
        self._counts["answered"] += 1
        return list(_chain(message, target, qtype))


def _chain(message: dns.message.Message, target: Name, qtype: int) -> Iterator[Record]:
    """The records of the answer that lead from the target to the type asked for, in order."""
    by_name: dict[Name, list[Any]] = {}
    for rrset in message.answer:
        by_name.setdefault(_name(rrset.name), []).append(rrset)
    left = MAX_RECORDS
    for _ in range(MAX_CHAIN):
        aliases = []
        for rrset in by_name.pop(target, ()):
            if rrset.rdtype not in (qtype, _CNAME):
                continue
            for rdata in list(rrset)[:left]:
                left -= 1
                yield _record(target, rrset.rdtype, rrset.ttl, rdata)
                if rrset.rdtype == _CNAME:
                    aliases.append(_name(rdata.target))
        if len(aliases) != 1:
            return
        target = aliases[0]


_CNAME: Final = 5


def _record(name: Name, rtype: int, ttl: int, rdata: Any) -> Record:
    content: bytes | Name = _name(rdata.target) if rtype == _CNAME else rdata.to_wire()
    return Record(name, int(rtype), ttl, (content,))


def _name(name: Any) -> Name:
    return tuple(label.lower().decode("latin-1") for label in name.labels if label)


def _parse(address: str) -> tuple[str, int] | None:
    if not address:
        return None
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
