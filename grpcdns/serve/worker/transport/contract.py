"""What a transport of ``DnsService/Query`` is: one small interface, two servers behind it.

`lane` is the fast one, on grpcio's own completion queue; `threads` does the same over grpcio's
public API. Both ask a `Servicer`, which sees only DNS messages, and serve health and reflection
on the same addresses.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, Protocol

from grpcdns.config.options import UserError

QUERY: Final = "/coredns.dns.DnsService/Query"
SERVICE: Final = "coredns.dns.DnsService"
NOT_NOW: Final = b"cannot answer now: ask another"
"""The details of an UNAVAILABLE: not synced, draining, or shedding load."""
NO_MESSAGE: Final = b"Query takes exactly one DnsPacket"

BUCKETS: Final = tuple(0.000025 * 2**power for power in range(18))
"""Upper bounds of the duration histogram in seconds: 25 us to 3.3 s (CoreDNS: 250 us to 8 s)."""


class AddressError(UserError):
    """An address that cannot be bound now."""


class Stats:
    """A transport's counters. Its threads write them, any thread may read them."""

    __slots__ = ("broken", "buckets", "open", "seconds", "shed", "unavailable")

    def __init__(self) -> None:
        self.unavailable = 0
        """Calls ended with UNAVAILABLE because the Servicer returned None."""
        self.shed = 0
        """Calls ended with UNAVAILABLE unread, because of overload."""
        self.broken = 0
        """Calls that ended before their message came: cancelled, expired, too long."""
        self.open = 0
        """Calls that wait for a `Later` now."""
        self.seconds = 0.0
        """Of every call that was read and got a reply or UNAVAILABLE; ``buckets`` counts them."""
        self.buckets = [0] * (len(BUCKETS) + 1)

    def took(self, seconds: float) -> None:
        self.seconds += seconds
        self.buckets[bisect_left(BUCKETS, seconds)] += 1


class Pressure:
    """How long calls wait before they are served, measured by a probe that waits among them.

    The probe is our own query through the serving path (`probe`). While one has been in flight for
    longer than ``bound`` seconds, everything that came before it has waited as long: new calls are
    shed until it is answered.
    """

    __slots__ = ("bound", "packet", "sent")

    def __init__(self, bound: float = 0.25) -> None:
        self.bound = bound
        self.packet = b""
        """The probe's DnsPacket."""
        self.sent = 0.0
        """When the probe in flight was sent (``time.perf_counter``); 0.0: none is in flight."""

    def high(self, now: float) -> bool:
        sent = self.sent
        return sent != 0.0 and now - sent > self.bound


class Transport(Protocol):
    """A server that has not been started yet."""

    name: str
    stats: Stats

    def start(self) -> None:
        """Bind every address and serve. Raises `AddressError` for one that cannot be bound."""

    def stop(self, grace: float) -> None:
        """Refuse new calls, finish those in flight for up to ``grace`` seconds, then return."""

    def sweep(self, limit: float) -> int:
        """Cancel the calls whose message has not come within ``limit`` seconds; returns how
        many."""


HEARD: Final = 0.01
"""Seconds for callers to notice that the server stops, before the held answers are sent."""
_QUIET: Final = 0.01
_QUIET_LIMIT: Final = 0.3


def quiet(count: Callable[[], int]) -> None:
    """Wait until ``count`` no longer grows, `_QUIET_LIMIT` seconds at most."""
    deadline = time.monotonic() + _QUIET_LIMIT
    before, now = -1, count()
    while now != before and time.monotonic() < deadline:
        time.sleep(_QUIET)
        before, now = now, count()
