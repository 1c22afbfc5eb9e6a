"""Requests to the API, counted: what CoreDNS has as ``coredns_kubernetes_rest_client_*``.

A request lasts from its first octet, or from the connection that it opens, until the head of the
answer: a watch and a long list go on after it. What it waits for before is the limits'
(``throttle.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, Literal

from grpcdns.histogram import Histogram, Sample

Verb = Literal["list", "watch"]

PREFIX: Final = "kubernetes_rest_client_"
BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds: those of CoreDNS."""
NO_ANSWER: Final = "<error>"
"""The code of a request without an answer, as in Kubernetes' own clients."""


class Requests:
    """Counts; all methods are thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[tuple[Verb, str], int] = {}
        self._took: dict[Verb, Histogram] = {}
        self._waited: dict[Verb, Histogram] = {}

    def took(self, verb: Verb, code: str, seconds: float) -> None:
        """A request was answered with an HTTP status, or with `NO_ANSWER`."""
        with self._lock:
            self._counts[verb, code] = self._counts.get((verb, code), 0) + 1
            self._took.setdefault(verb, Histogram(BOUNDS)).observe(seconds)

    def waited(self, verb: Verb, seconds: float) -> None:
        """A request has waited for the limits."""
        with self._lock:
            self._waited.setdefault(verb, Histogram(BOUNDS)).observe(seconds)

    def samples(self) -> list[Sample]:
        with self._lock:
            return [*self._samples()]

    def _samples(self) -> Iterator[Sample]:
        for (verb, code), count in self._counts.items():
            yield f"{PREFIX}requests_total", f'verb="{verb}",code="{code}"', count
        for family, kept in (
            ("request_duration_seconds", self._took),
            ("rate_limiter_duration_seconds", self._waited),
        ):
            for verb, histogram in kept.items():
                yield from histogram.samples(PREFIX + family, f'verb="{verb}"')
