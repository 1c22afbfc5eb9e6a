"""The slices of each Service, and of a Service with many, which of them have an endpoint label.

The labels of all endpoints would be half of what an index takes, and only a Service with so many
slices that they cannot all be unpacked for an answer needs them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from grpcdns.core.cluster.multimap import MultiMap
from grpcdns.core.cluster.objects import EndpointSlice, Kind, unpack
from grpcdns.core.cluster.visible import endpoint_labels

_MANY: Final = 16


class Owners:
    """Keys of slices, by the key of their Service or ServiceImport. ``bodies`` are the packed
    slices, by their keys.

    If a Service has more slices than ``many``, those that cannot match are skipped before they are
    unpacked. Its labels go when half as many are left.
    """

    def __init__(self, bodies: Mapping[str, bytes]) -> None:
        self.many = _MANY
        self._bodies = bodies
        self._keys: MultiMap[str, str] = MultiMap()
        # "ns/service/label" -> slices, of endpoints whose label is not made from their address.
        self._labels: MultiMap[str, str] = MultiMap()
        self._labelled: set[str] = set()
        """The owners whose labels are there."""

    def find(self, owner: str) -> Sequence[str]:
        """The keys of an owner's slices, in order. Do not keep the result."""
        return self._keys.find(owner)

    def labelled(self, owner: str, label: str) -> Sequence[str]:
        """Those with an endpoint of this label, of an owner with more than `many` slices."""
        return self._labels.find(f"{owner}/{label}")

    def has(self, owner: str, key: str) -> bool:
        return self._keys.has(owner, key)

    def add(self, owner: str, key: str, slice_: EndpointSlice) -> None:
        """A slice came. Its packed form need not be there yet."""
        self._keys.add(owner, key)
        if owner in self._labelled:
            self._add_labels(owner, key, slice_)
            return
        keys = self._keys.find(owner)
        if len(keys) > self.many:
            self._labelled.add(owner)
            for one in keys:
                self._add_labels(owner, one, slice_ if one == key else self._slice(one))

    def discard(self, owner: str, key: str, slice_: EndpointSlice) -> None:
        """A slice went, or is another now: ``slice_`` is what it was."""
        self._keys.discard(owner, key)
        if owner not in self._labelled:
            return
        self._drop_labels(owner, key, slice_)
        keys = self._keys.find(owner)
        if len(keys) <= self.many // 2:
            self._labelled.discard(owner)
            for one in keys:
                self._drop_labels(owner, one, self._slice(one))

    def _add_labels(self, owner: str, key: str, slice_: EndpointSlice) -> None:
        for label in endpoint_labels(slice_):
            self._labels.add(f"{owner}/{label}", key)

    def _drop_labels(self, owner: str, key: str, slice_: EndpointSlice) -> None:
        for label in endpoint_labels(slice_):
            self._labels.discard(f"{owner}/{label}", key)

    def _slice(self, key: str) -> EndpointSlice:
        return cast("EndpointSlice", unpack(Kind.ENDPOINT_SLICE, self._bodies[key]))
