"""``grpcdns compare --live``: the questions that clients ask, from CoreDNS's ``log`` plugin.

    Reader thread --questions--> Mirror: what is waiting --one at a time, at --rate--> both servers

A question is asked once a second at most, however often it is logged, and waits once however often
it is logged meanwhile: what waits is bounded by the names that clients ask for. A difference is
asked again a second later before it counts. It ends with the last line, or with SIGINT.

The DNS server in use logs what is asked here, too: such a line is known by the query's ID, and asks
for nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from grpcdns.cli import grpc_client, listed, output
from grpcdns.cli.comparer import SAME, Ask, Comparer, Settings
from grpcdns.cli.documents import Compared
from grpcdns.cli.listed import Cluster
from grpcdns.cli.live_summary import Counts, Heard, document, show
from grpcdns.cli.log_lines import BadFormat, Logged, LogLines
from grpcdns.cli.outcomes import exit_code, show_one
from grpcdns.cli.output import TEXT, Output
from grpcdns.config.options import UserError
from grpcdns.core.dns.names import Name, longest_match
from grpcdns.core.dns.wire import Question

RATE: Final = "100"
"""Questions a second, unless --rate says otherwise: the servers have clients to serve."""
REST: Final = 1.0
"""Seconds in which a question is not asked again."""
_ECHO: Final = 60.0
"""Seconds after which a query sent from here is logged at the latest."""
_MOST: Final = 100_000
"""Questions that are kept: about 50 MB."""
_PIECE: Final = 1 << 16
_LONGEST: Final = 1 << 16
_AGAIN: Final = 2
"""How often a difference is asked again."""

Key = tuple[Name, int]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--live",
        action="store_true",
        help="compare the questions in the lines of CoreDNS's log plugin, read from stdin",
    )
    parser.add_argument(
        "--live-format",
        metavar="FORMAT",
        default="{common}",
        help="format of these lines, as in the Corefile [{common}]",
    )


def run(args: argparse.Namespace, settings: Settings) -> int:
    try:
        lines = LogLines(args.live_format)
    except BadFormat as error:
        raise UserError(f"--live-format: {error}") from error
    found = listed.read(listed.settings(args).config, 30.0, args.output)
    began = time.monotonic()
    mirror = asyncio.run(_mirror(args, Mirror(found, settings, _shower(args)), lines))
    said = document(mirror.counts, mirror.heard.values(), settings, time.monotonic() - began)
    output.emit(args, said, lambda out: show(out, said))
    return exit_code(said, strict=args.strict)


def _shower(args: argparse.Namespace) -> Callable[[Compared], None]:
    """Shows a difference as it comes; documents are for the end."""
    if args.output != TEXT:
        return lambda _: None
    out = Output()

    def shower(one: Compared) -> None:
        show_one(out, one)
        sys.stdout.flush()

    return shower


async def _mirror(args: argparse.Namespace, mirror: Mirror, lines: LogLines) -> Mirror:
    async with grpc_client.Asker(args, mirror.settings.server, mirror.settings.seconds) as asker:
        with _ended_by_signals(mirror.stop):
            reader = Reader(sys.stdin.fileno(), lines, mirror.counts, mirror.add, mirror.end)
            reader.start()
            await mirror.run(asker.ask)
    return mirror


@contextmanager
def _ended_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """The first one stops, the next one is as ever."""
    loop = asyncio.get_running_loop()
    signals = (signal.SIGINT, signal.SIGTERM)

    def remove() -> None:
        for one in signals:
            loop.remove_signal_handler(one)

    def stopped() -> None:
        remove()
        stop()

    for one in signals:
        loop.add_signal_handler(one, stopped)
    try:
        yield
    finally:
        remove()


class Reader(threading.Thread):
    """Reads lines to their end, as fast as they come: whoever writes them never waits."""

    def __init__(
        self,
        source: int,
        lines: LogLines,
        counts: Counts,
        found: Callable[[Sequence[Logged]], None],
        end: Callable[[], None],
    ) -> None:
        super().__init__(name="lines", daemon=True)
        self._source = source
        self._lines = lines
        self._counts = counts
        self._found = found
        self._end = end
        self._loop = asyncio.get_running_loop()

    def run(self) -> None:
        rest = b""
        while piece := self._read():
            *whole, rest = (rest + piece).split(b"\n")
            rest = rest[-_LONGEST:]  # the start of a line that is longer is rubbish
            self._tell(whole)
        self._tell([rest] if rest else [])
        self._call(self._end)

    def _read(self) -> bytes:
        try:
            return os.read(self._source, _PIECE)
        except OSError:
            return b""

    def _tell(self, lines: Sequence[bytes]) -> None:
        found = []
        for line in lines:
            logged = self._lines.read(line.decode("utf-8", "replace"))
            if logged is None:
                self._counts.rubbish += 1
            else:
                found.append(logged)
        self._counts.lines += len(lines)
        if found:
            self._call(self._found, found)

    def _call(self, what: Callable[..., None], *args: object) -> None:
        try:
            self._loop.call_soon_threadsafe(what, *args)
        except RuntimeError:  # the loop is closed: nobody waits for more
            pass


class Mirror:
    """What was logged, what waits to be asked, and what came of it. ``show`` gets each outcome that
    is another than before."""

    def __init__(
        self, cluster: Cluster, settings: Settings, show: Callable[[Compared], None]
    ) -> None:
        self.settings = settings
        self.counts = Counts()
        self.heard: dict[Key, Heard] = {}
        self._cluster = cluster
        self._served = {**cluster.zones.cluster, **cluster.zones.external}
        self._show = show
        self._waiting: dict[Key, Question] = {}
        self._more = asyncio.Event()
        self._ended = False
        self._stopped = asyncio.Event()
        self._free = asyncio.Semaphore(settings.parallel)
        self._last = 0.0
        self._sending = asyncio.Lock()

    def add(self, found: Sequence[Logged]) -> None:
        """They were logged."""
        for question, number in found:
            key = question.name, question.qtype
            if longest_match(question.name, self._served) is None:
                self.counts.outside += 1
            elif (heard := self.heard.get(key)) is not None:
                if heard.is_own(number):
                    self.counts.own += 1
                    continue
                heard.queries += 1
                self._waiting.setdefault(key, question)
            elif len(self.heard) < _MOST:
                self.heard[key] = Heard()
                self._waiting[key] = question
            else:
                self.counts.left_out += 1
        self._more.set()

    def end(self) -> None:
        """No more lines: what waits is still asked."""
        self._ended = True
        self._more.set()

    def stop(self) -> None:
        """What waits is not asked."""
        self._stopped.set()
        self._waiting.clear()
        self.end()

    async def run(self, ask: Ask) -> None:
        """Until all is asked."""
        comparer = Comparer(self.settings, ask, self._cluster, self._turn, self._sent)
        async with asyncio.TaskGroup() as group:
            while (question := await self._next()) is not None:
                await self._free.acquire()
                await self._turn()
                group.create_task(self._one(comparer, question))

    async def _next(self) -> Question | None:
        """The question that has waited longest and was not asked within the last second."""
        while True:
            now = time.monotonic()
            for key, question in self._waiting.items():
                heard = self.heard[key]
                if not heard.busy and now - heard.asked >= REST:
                    del self._waiting[key]
                    heard.busy = True
                    return question
            if self._ended and not self._waiting:
                return None
            self._more.clear()
            try:
                async with asyncio.timeout(REST / 10 if self._waiting else None):
                    await self._more.wait()
            except TimeoutError:
                pass

    async def _turn(self) -> None:
        """Wait for the next moment that the rate allows: so long after the last query was sent."""
        async with self._sending:
            loop = asyncio.get_running_loop()
            await asyncio.sleep(max(0.0, self._last + 1 / self.settings.rate - loop.time()))
            self._last = loop.time()

    def _sent(self, question: Question, query: bytes) -> None:
        now = time.monotonic()
        heard = self.heard[question.name, question.qtype]
        heard.asked, own = now, heard.own
        for number in [one for one, sent in own.items() if now - sent > _ECHO]:
            del own[number]
        own[int.from_bytes(query[:2])] = now

    async def _one(self, comparer: Comparer, question: Question) -> None:
        """Its first query has had its turn, and holds one of the places for queries in flight."""
        try:
            one = await comparer.one(question)
        finally:
            self._free.release()
        for _ in range(_AGAIN):
            if one.outcome == SAME or await self._stops_within(REST):
                break
            async with self._free:
                await self._turn()
                one = await comparer.one(question)
        heard = self.heard[question.name, question.qtype]
        heard.busy = False
        before, heard.outcome = heard.outcome, one
        if before != one and (before is not None or one.outcome != SAME):
            self._show(one)

    async def _stops_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except TimeoutError:
            return False
        return True
