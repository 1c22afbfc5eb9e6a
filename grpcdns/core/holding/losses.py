"""What has been lost: of which object and Service, in which Namespace, and how much that is."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import takewhile
from typing import Final, NamedTuple, cast

from grpcdns.core.cluster.objects import EndpointSlice, Kind, unpack

Key = tuple[Kind, str]
"""An object: its kind and its key in it."""
Taken = dict[Kind, list[tuple[str, bytes | None]]]
"""Entries for the Store, by kind."""


class Measure(enum.Enum):
    """What a share is taken of."""

    NAMESPACES = "Namespaces are gone"
    SERVICES = "Services are gone or have lost their last ready endpoint"
    ENDPOINTS = "ready endpoints are gone"


GONE: Final = "Services that are gone"
"""Those of `Measure.SERVICES` that are not there any more: counted like a measure."""


class Loss(NamedTuple):
    """What was there before it was lost, packed, and when that was (steady seconds)."""

    before: bytes
    at: float


class Owner:
    """A Service or ServiceImport that has changed since ``at``; ``peak`` is how many ready
    addresses it had then: those that move from one slice to another are no loss."""

    __slots__ = ("at", "gone", "lost", "peak")

    def __init__(self, at: float, peak: int) -> None:
        self.at = at
        self.peak = peak
        self.gone = False
        self.lost: Counter[Measure | str] = Counter()


class Group:
    """What one Namespace has lost, oldest first. ``explained``: neither counted nor withheld."""

    __slots__ = ("explained", "losses", "lost", "owners")

    def __init__(self, explained: bool) -> None:
        self.explained = explained
        self.losses: dict[Key, Loss] = {}
        self.owners: dict[Key, Owner] = {}
        self.lost: Counter[Measure | str] = Counter()


def older_than(found: Mapping[Key, Loss | Owner], since: float) -> list[Key]:
    """The keys of those that are from before ``since``; they come oldest first."""
    return [key for key, _ in takewhile(lambda item: item[1].at <= since, found.items())]


def is_less(kind: Kind, before: bytes, after: bytes | None) -> bool:
    """Whether taking ``after`` in place of ``before`` would lose something."""
    if after is None:
        return True
    return kind is Kind.ENDPOINT_SLICE and ready_count(after) < ready_count(before)


def _slice(body: bytes) -> EndpointSlice:
    return cast("EndpointSlice", unpack(Kind.ENDPOINT_SLICE, body))


def ready_count(body: bytes) -> int:
    """How many ready addresses a slice has."""
    slice_ = _slice(body)
    if slice_.address_type == "FQDN":
        return 0
    return sum(len(endpoint.addresses) for endpoint in slice_.endpoints if endpoint.ready)


def owners_of(body: bytes | None) -> set[Key]:
    """The Service and the ServiceImport that a slice belongs to."""
    return set() if body is None else set(_labelled(_slice(body)))


def _labelled(slice_: EndpointSlice) -> Iterator[Key]:
    if slice_.service:
        yield Kind.SERVICE, f"{slice_.namespace}/{slice_.service}"
    if slice_.imported_service:
        yield Kind.SERVICE_IMPORT, f"{slice_.namespace}/{slice_.imported_service}"
