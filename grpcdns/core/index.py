"""The cluster, arranged so that a question finds its objects.

How it works: objects stay packed in a Store; beside it stand a few maps from what a name or an
address says to the keys of objects. An object is unpacked when an answer is made from it, which
the memo makes rare. ``apply`` takes one Change and returns the *tags* whose answers may differ
from now on; the memo drops what carries them.

Tags: ``"ns/name"`` for the names of a Service or ServiceImport, ``"ns/"`` for a Namespace (and so
everything below it), an address as 4 or 16 octets for reverse names and pods.

Beware: Changes of different kinds come in any order. Nothing here may depend on a slice coming
after its Service, or a Namespace before both (F20).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import Final, TypeVar, cast

from grpcdns.core.names import address_from_text
from grpcdns.core.objects import (
    Change,
    EndpointSlice,
    Kind,
    Object,
    Pod,
    Service,
    ServiceImport,
    unpack,
)
from grpcdns.core.policy import Policy
from grpcdns.core.store import Store

Tag = str | bytes
K = TypeVar("K")


class Serial(IntEnum):
    """The zones' serials: CoreDNS's plugins keep one for each of these."""

    CLUSTER = 0
    EXTERNAL = 1
    MULTICLUSTER = 2


def needed_kinds(policy: Policy) -> frozenset[Kind]:
    """The kinds that must be listed before a negative answer can be given."""
    kinds = {Kind.NAMESPACE, Kind.SERVICE}
    if policy.endpoints:
        kinds.add(Kind.ENDPOINT_SLICE)
    if policy.pods == "verified":
        kinds.add(Kind.POD)
    if policy.multicluster:
        kinds.add(Kind.SERVICE_IMPORT)
    return frozenset(kinds)


class KeyMap(dict[K, str | tuple[str, ...]]):
    """A map to one key or several, in order: one key is kept bare, as nearly all are."""

    def add(self, entry: K, key: str) -> None:
        old = self.get(entry)
        if old is None:
            self[entry] = key
        elif key not in self.find(entry):
            self[entry] = tuple(sorted((*self.find(entry), key)))

    def discard(self, entry: K, key: str) -> None:
        rest = tuple(other for other in self.find(entry) if other != key)
        if not rest:
            self.pop(entry, None)
        else:
            self[entry] = rest[0] if len(rest) == 1 else rest

    def find(self, entry: K) -> tuple[str, ...]:
        found = self.get(entry, ())
        return (found,) if isinstance(found, str) else found


class Index:
    """What is known of a cluster. ``serials``: unix seconds of the last change to be seen."""

    def __init__(self, policy: Policy) -> None:
        self.store = Store()
        self.serials: list[int] = [0, 0, 0]
        self._slices: KeyMap[str] = KeyMap()
        self._imported_slices: KeyMap[str] = KeyMap()
        self._service_addresses: KeyMap[bytes] = KeyMap()
        self._external_addresses: KeyMap[bytes] = KeyMap()
        self._endpoint_addresses: KeyMap[bytes] = KeyMap()
        self._pods: KeyMap[str] = KeyMap()
        self.set_policy(policy)

    def set_policy(self, policy: Policy) -> None:
        """Take another policy; what the index holds does not depend on it."""
        self._policy = policy
        self._needed = needed_kinds(policy)

    @property
    def synced(self) -> bool:
        """Whether every kind the policy needs has been listed."""
        return self._needed <= self.store.listed

    # -- what answers are made from

    def has_namespace(self, namespace: str) -> bool:
        return f"/{namespace}" in self.store.bodies[Kind.NAMESPACE]

    def service(self, key: str) -> Service | None:
        return cast("Service | None", self._object(Kind.SERVICE, key))

    def service_import(self, key: str) -> ServiceImport | None:
        return cast("ServiceImport | None", self._object(Kind.SERVICE_IMPORT, key))

    def slices(self, service_key: str) -> Iterator[EndpointSlice]:
        """The slices labelled with a Service."""
        return self._slices_at(self._slices.find(service_key))

    def imported_slices(self, import_key: str) -> Iterator[EndpointSlice]:
        """The slices labelled with a ServiceImport."""
        return self._slices_at(self._imported_slices.find(import_key))

    def services_at(self, address: bytes) -> Iterator[Service]:
        """The Services with this cluster IP: one, but for the moment in which it changes hands."""
        return self._services(self._service_addresses.find(address))

    def services_at_external(self, address: bytes) -> Iterator[Service]:
        """The Services with this external IP or load balancer address."""
        return self._services(self._external_addresses.find(address))

    def slices_at(self, address: bytes) -> Iterator[EndpointSlice]:
        """The slices with a ready endpoint at this address."""
        return self._slices_at(self._endpoint_addresses.find(address))

    def pods_at(self, address: str) -> Iterator[Pod]:
        """The Pods whose status.podIP is this very text."""
        for key in self._pods.find(address):
            yield cast("Pod", self._object(Kind.POD, key))

    def _object(self, kind: Kind, key: str) -> Object | None:
        body = self.store.bodies[kind].get(key)
        return None if body is None else unpack(kind, body)

    def _services(self, keys: Iterable[str]) -> Iterator[Service]:
        for key in keys:
            yield cast("Service", self._object(Kind.SERVICE, key))

    def _slices_at(self, keys: Iterable[str]) -> Iterator[EndpointSlice]:
        for key in keys:
            yield cast("EndpointSlice", self._object(Kind.ENDPOINT_SLICE, key))

    # -- taking Changes

    def apply(self, change: Change) -> set[Tag]:
        """Take a Change; returns the tags of the answers it may change, none if it was known."""
        bodies = self.store.bodies[change.kind]
        known = bodies.get(change.key)
        if known == change.body:
            return set()
        old = None if known is None else unpack(change.kind, known)
        new = None if change.body is None else unpack(change.kind, change.body)
        if change.body is None:
            del bodies[change.key]
        else:
            bodies[change.key] = change.body
        tags: set[Tag] = set()
        _TAKE[change.kind](self, change, old, new, tags)
        return tags

    def replace(
        self, kind: Kind, objects: Iterable[tuple[str, bytes]], at: int
    ) -> Iterator[set[Tag]]:
        """Take a complete list of a kind, one Change a step: what did not change is not touched.

        The kind counts as listed when the iterator is exhausted.
        """
        gone = set(self.store.bodies[kind])
        for key, body in objects:
            gone.discard(key)
            yield self.apply(Change(kind, key, body, at))
        for key in sorted(gone):
            yield self.apply(Change(kind, key, None, at))
        self.store.listed.add(kind)

    def _bump(self, serial: Serial, at: int) -> None:
        self.serials[serial] = max(self.serials[serial], at)

    def _take_namespace(
        self, change: Change, _old: Object | None, _new: Object | None, tags: set[Tag]
    ) -> None:
        tags.add(f"{change.key[1:]}/")
        for serial in Serial:
            self._bump(serial, change.at)

    def _take_service(
        self, change: Change, old: Object | None, new: Object | None, tags: set[Tag]
    ) -> None:
        before, after = cast("Service | None", old), cast("Service | None", new)
        tags.add(change.key)
        self._move(
            self._service_addresses,
            change.key,
            _cluster_addresses(before),
            _cluster_addresses(after),
            tags,
        )
        self._move(
            self._external_addresses,
            change.key,
            _external_addresses(before),
            _external_addresses(after),
            tags,
        )
        if _inside(before) != _inside(after):
            self._bump(Serial.CLUSTER, change.at)
        if _outside(before) != _outside(after):
            self._bump(Serial.EXTERNAL, change.at)

    def _take_slice(
        self, change: Change, old: Object | None, new: Object | None, tags: set[Tag]
    ) -> None:
        before, after = cast("EndpointSlice | None", old), cast("EndpointSlice | None", new)
        if _shown(before) == _shown(after):
            return
        for keys, attribute in (
            (self._slices, "service"),
            (self._imported_slices, "imported_service"),
        ):
            for slice_, move in ((before, keys.discard), (after, keys.add)):
                if slice_ is not None and getattr(slice_, attribute):
                    service_key = f"{slice_.namespace}/{getattr(slice_, attribute)}"
                    tags.add(service_key)
                    move(service_key, change.key)
        old_addresses, new_addresses = _ready_addresses(before), _ready_addresses(after)
        self._move(self._endpoint_addresses, change.key, old_addresses, new_addresses, tags)
        # A hostname may have changed where the address did not: its PTR has.
        tags |= old_addresses | new_addresses
        self._bump(Serial.CLUSTER, change.at)
        if any(slice_ is not None and slice_.imported_service for slice_ in (before, after)):
            self._bump(Serial.MULTICLUSTER, change.at)
        self._bump(Serial.EXTERNAL, change.at)

    def _take_pod(
        self, change: Change, old: Object | None, new: Object | None, tags: set[Tag]
    ) -> None:
        for pod, move in (
            (cast("Pod | None", old), self._pods.discard),
            (cast("Pod | None", new), self._pods.add),
        ):
            if pod is not None and pod.ip:
                move(pod.ip, change.key)
                tags.add(f"{pod.namespace}/:{pod.ip}")
                self._bump(Serial.CLUSTER, change.at)

    def _take_import(
        self, change: Change, _old: Object | None, _new: Object | None, tags: set[Tag]
    ) -> None:
        tags.add(change.key)
        self._bump(Serial.CLUSTER, change.at)
        self._bump(Serial.MULTICLUSTER, change.at)

    @staticmethod
    def _move(
        keys: KeyMap[bytes], key: str, before: set[bytes], after: set[bytes], tags: set[Tag]
    ) -> None:
        for address in before - after:
            keys.discard(address, key)
        for address in after - before:
            keys.add(address, key)
        tags |= before ^ after


_TAKE: Final = {
    Kind.NAMESPACE: Index._take_namespace,
    Kind.SERVICE: Index._take_service,
    Kind.ENDPOINT_SLICE: Index._take_slice,
    Kind.POD: Index._take_pod,
    Kind.SERVICE_IMPORT: Index._take_import,
}


def pod_tag(namespace: str, address: str) -> str:
    """The tag of the answers about a Pod's address."""
    return f"{namespace}/:{address}"


def _packed(texts: Iterable[str]) -> set[bytes]:
    return {packed for text in texts if (packed := address_from_text(text)) is not None}


def _cluster_addresses(service: Service | None) -> set[bytes]:
    return set() if service is None else _packed(service.cluster_ips)


def _external_addresses(service: Service | None) -> set[bytes]:
    return set() if service is None else _packed(service.external_ips)


def _inside(service: Service | None) -> object:
    """What the cluster's zones show of a Service."""
    return service and (service.type, service.cluster_ips, service.external_name, service.ports)


def _outside(service: Service | None) -> object:
    """What external zones show of a Service: nothing while it has no external address."""
    return service and service.external_ips and (service.external_ips, service.ports)


def _ready_addresses(slice_: EndpointSlice | None) -> set[bytes]:
    if slice_ is None or slice_.address_type == "FQDN":
        return set()
    return _packed(
        text for endpoint in slice_.endpoints if endpoint.ready for text in endpoint.addresses
    )


def _shown(slice_: EndpointSlice | None) -> object:
    """What answers show of a slice: endpoints that are not ready are not seen."""
    if slice_ is None:
        return None
    ready = [endpoint for endpoint in slice_.endpoints if endpoint.ready]
    return (
        slice_.service,
        slice_.imported_service,
        slice_.cluster,
        slice_.address_type,
        slice_.ports,
        ready,
    )
