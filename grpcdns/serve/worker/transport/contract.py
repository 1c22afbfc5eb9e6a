"""What carries ``DnsService/Query``: one small interface, two servers behind it.

`lane` is the fast one, on grpcio's own completion queue; `threads` is the same over grpcio's
public API. Both take a `Servicer`, which sees DNS messages only, and serve health and reflection
on the same addresses.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, Protocol

QUERY: Final = "/coredns.dns.DnsService/Query"
SERVICE: Final = "coredns.dns.DnsService"
NOT_NOW: Final = b"cannot answer now: ask another"
"""The details of an UNAVAILABLE: not synced, draining, or shedding load."""
NO_MESSAGE: Final = b"Query takes exactly one DnsPacket"

BUCKETS: Final = tuple(0.000025 * 2**power for power in range(18))
"""Upper bounds of the duration histogram, 25 us to 3.3 s; a CoreDNS has 250 us to 8 s."""


class Stats:
    """What a transport counts, as plain numbers. Written by its threads, read by anyone."""

    __slots__ = ("broken", "buckets", "calls", "open", "seconds", "shed", "unavailable")

    def __init__(self) -> None:
        self.calls = 0
        """Calls that were answered, one way or another."""
        self.unavailable = 0
        """Of these, ended with UNAVAILABLE because the answer was None."""
        self.shed = 0
        """Ended with UNAVAILABLE unread, because too much was waiting."""
        self.broken = 0
        """Calls that ended before their message was there: cancelled, expired, too long."""
        self.open = 0
        """Calls that wait for a reply from elsewhere."""
        self.seconds = 0.0
        self.buckets = [0] * (len(BUCKETS) + 1)

    def took(self, seconds: float) -> None:
        self.calls += 1
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


class Pressure:
    """How long calls wait before they are seen, told by a probe that waits among them.

    The probe is a query of our own that goes through the serving path (`probe`). While one has
    been under way for longer than ``bound`` seconds, everything that came before it has waited as
    long: new calls are shed until it is through.
    """

    __slots__ = ("bound", "sent")

    def __init__(self, bound: float = 0.25) -> None:
        self.bound = bound
        self.sent = 0.0
        """When the probe under way was sent (``time.perf_counter``), 0.0 when none is."""

    def high(self, now: float) -> bool:
        sent = self.sent
        return sent != 0.0 and now - sent > self.bound


class Transport(Protocol):
    """A server that has not been started yet."""

    name: str
    stats: Stats

    def start(self) -> None:
        """Bind every address and serve. Raises `UserError` for an address that cannot be had."""

    def stop(self, grace: float) -> None:
        """Refuse new calls, finish those under way for up to ``grace`` seconds, then return."""

    def sweep(self, limit: float) -> int:
        """Cancel calls whose message has not come within ``limit`` seconds; how many."""


HEARD: Final = 0.01
"""Seconds in which callers hear that the server stops, before they get the answers held back."""
_QUIET: Final = 0.01
_QUIET_LIMIT: Final = 0.3


def quiet(count: Callable[[], int]) -> None:
    """Wait until nothing more comes, as ``count`` shows, for a moment; but not for long."""
    deadline = time.monotonic() + _QUIET_LIMIT
    seen = -1
    while seen != (seen := count()) and time.monotonic() < deadline:
        time.sleep(_QUIET)
