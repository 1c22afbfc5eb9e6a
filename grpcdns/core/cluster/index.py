"""The index: a cluster's objects, found by the parts of a name or by an address.

How it works: objects stay packed in a Store; a few maps lead from a name's parts or an address to
the keys of objects. An object is unpacked only when an answer is made from it, which the memo makes
rare. ``apply_all`` takes objects that came, changed or went, and returns the *tags* of the answers
that may be stale now; the memo drops the entries that carry them.

Tags: ``"ns/name"`` for the names of a Service or ServiceImport, ``"ns/"`` for a Namespace and so
for everything below it, ``"ns/:address"`` for the name of a Pod, and an address's 4 or 16 octets
for its reverse name.

Beware: Changes of different kinds come in any order. Nothing here may depend on a slice coming
after its Service, or on a Namespace coming before both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import IntEnum
from typing import Final, cast

from grpcdns.core.cluster.endpoints import NO_PORT, port_matches
from grpcdns.core.cluster.multimap import MultiMap
from grpcdns.core.cluster.objects import (
    DECODE,
    EndpointSlice,
    Held,
    Kind,
    Object,
    Pod,
    Service,
    ServiceCIDR,
    ServiceImport,
    bare_slice,
    ports_of,
    unpack,
)
from grpcdns.core.cluster.owners import Owners
from grpcdns.core.cluster.packed import add_ready
from grpcdns.core.cluster.reasons import Observer, Reason
from grpcdns.core.cluster.recent import Recent
from grpcdns.core.cluster.store import Entries, Store
from grpcdns.core.cluster.visible import (
    cluster_addresses,
    cluster_fields,
    external_addresses,
    external_fields,
    ready_addresses,
    slice_fields,
)
from grpcdns.core.dns.names import address_from_text, address_to_text

Tag = str | bytes

MAX_SLICES: Final = 2048
MAX_ENDPOINTS: Final = 8192
"""One answer is made from no more slices than MAX_SLICES, and from none after the one with which
there are MAX_ENDPOINTS: this bounds the time it takes. A message holds 4,093 addresses."""


class Serial(IntEnum):
    """Which of the three serials a zone has: CoreDNS's plugins keep one for each of these."""

    CLUSTER = 0
    EXTERNAL = 1
    MULTICLUSTER = 2


CLUSTER: Final = Serial.CLUSTER
# To look a member of an enumeration up takes longer than to use it.
_SERVICE: Final = Kind.SERVICE
_SLICE: Final = Kind.ENDPOINT_SLICE


class Index:
    """What is known of a cluster.

    ``needed``: the kinds that must be listed before an answer can be given; nothing that the index
    holds depends on it. ``serials``: unix seconds of the last visible change.
    """

    def __init__(self, needed: Collection[Kind]) -> None:
        self.needed = frozenset(needed)
        self._synced_for: frozenset[Kind] | None = None
        self.observer: Observer | None = None
        self.held_used = False
        """Whether an object that is held was looked up since somebody set this to False."""
        self.recent: Recent | None = None
        """What changed lately, where somebody keeps it."""
        self.store = Store()
        self._bodies = self.store.bodies
        self._namespaces = self._bodies[Kind.NAMESPACE]
        self._services = self._bodies[_SERVICE]
        self.serials: list[int] = [0, 0, 0]
        self._slices = Owners(self._bodies[_SLICE])
        self._imported_slices = Owners(self._bodies[_SLICE])
        self._service_addresses: MultiMap[bytes, str] = MultiMap()
        self._external_addresses: MultiMap[bytes, str] = MultiMap()
        self._endpoint_addresses: MultiMap[bytes, str] = MultiMap()
        self._pods: MultiMap[str, str] = MultiMap()
        self._held_namespaces: set[str] = set()

    @property
    def synced(self) -> bool:
        """Whether every needed kind has been listed."""
        if self._synced_for is self.needed:  # what is listed stays so
            return True
        if not self.needed <= self.store.listed:
            return False
        self._synced_for = self.needed
        return True

    # -- what answers are made from

    def has_namespace(self, namespace: str) -> bool:
        if self.observer is not None:
            return self._object(Kind.NAMESPACE, f"/{namespace}") is not None
        if namespace in self._held_namespaces:
            self.held_used = True
        return f"/{namespace}" in self._namespaces

    def service(self, key: str) -> Service | None:
        return cast("Service | None", self._object(_SERVICE, key))

    def packed_service(self, key: str) -> bytes | None:
        """The same as it is held; observers are not notified."""
        return self._services.get(key)

    def service_import(self, key: str) -> ServiceImport | None:
        return cast("ServiceImport | None", self._object(Kind.SERVICE_IMPORT, key))

    def slices(
        self, key: str, endpoint: str = "", port: str = "", protocol: str = ""
    ) -> list[EndpointSlice]:
        """The slices labelled with a Service that one answer is made from: at most MAX_SLICES, and
        none beyond MAX_ENDPOINTS.

        Where there are many, those that cannot have the endpoint label, port name or protocol
        (lower case, "" for any) are skipped without being unpacked.
        """
        return self._chosen(self._slices, key, endpoint, port, protocol)

    def ready_addresses_of(self, key: str) -> list[bytes]:
        """The addresses of the ready endpoints in `slices`, which observers are not notified of."""
        found: list[bytes] = []
        left = MAX_ENDPOINTS
        bodies = self._bodies[_SLICE]
        for count, slice_key in enumerate(self._slices.find(key)):
            if count == MAX_SLICES or left <= 0:
                break
            body = bodies[slice_key]
            texts: list[str] = []
            size = add_ready(body, texts)
            if size < 0:
                slice_ = bare_slice(body)
                size = len(slice_.endpoints)
                if slice_.held is not None:
                    self.held_used = True
                if slice_.address_type != "FQDN":
                    for endpoint in slice_.endpoints:
                        if endpoint.ready:
                            texts += endpoint.addresses
            left -= size
            for text in texts:
                packed = address_from_text(text)
                if packed is not None:
                    found.append(packed)
        return found

    def imported_slices(
        self, key: str, endpoint: str = "", port: str = "", protocol: str = ""
    ) -> list[EndpointSlice]:
        """The same for a ServiceImport."""
        return self._chosen(self._imported_slices, key, endpoint, port, protocol)

    def all_slices(self, key: str) -> Iterator[EndpointSlice]:
        """The slices labelled with a Service, however many there are."""
        return self._slices_of(key, self._slices.find(key))

    def all_imported_slices(self, key: str) -> Iterator[EndpointSlice]:
        """The same for a ServiceImport."""
        return self._slices_of(key, self._imported_slices.find(key))

    def services_at(self, address: bytes) -> Iterator[Service]:
        """The Services with this cluster IP: two only while it moves from one to another."""
        return self._services_of(address, self._service_addresses.find(address))

    def services_at_external(self, address: bytes) -> Iterator[Service]:
        """The Services with this external IP or load balancer address."""
        return self._services_of(address, self._external_addresses.find(address))

    def slices_at(self, address: bytes) -> list[EndpointSlice]:
        """The slices with a ready endpoint at this address."""
        return self._bounded(address, self._endpoint_addresses.find(address))

    def pods_at(self, address: str) -> Iterator[Pod]:
        """The Pods whose status.podIP is this text."""
        keys = self._pods.find(address)
        for key in keys:
            yield cast("Pod", self._object(Kind.POD, key))
        if not keys and self.observer is not None:
            self.observer.looked_up(Kind.POD, f"at {address}", None)

    @property
    def service_networks(self) -> tuple[str, ...]:
        """The networks of all ServiceCIDRs, each once."""
        return service_networks(self.store)

    def _object(self, kind: Kind, key: str) -> Object | None:
        body = self._bodies[kind].get(key)
        obj: Object | None = None
        if body is not None:
            obj = DECODE[kind](body)
            if obj.held is not None:
                self.held_used = True
        if self.observer is not None:
            self.observer.looked_up(kind, key, obj)
        return obj

    def _found_none(self, kind: Kind, sought: str | bytes) -> None:
        """Report that nothing belongs to a Service, by its key, or has an address."""
        if self.observer is not None:
            text = f"of {sought}" if isinstance(sought, str) else f"at {address_to_text(sought)}"
            self.observer.looked_up(kind, text, None)

    def _services_of(self, address: bytes, keys: Sequence[str]) -> Iterator[Service]:
        for key in keys:
            yield cast("Service", self._object(Kind.SERVICE, key))
        if not keys:
            self._found_none(Kind.SERVICE, address)

    def _slices_of(self, owner: str, keys: Sequence[str]) -> Iterator[EndpointSlice]:
        for key in keys:
            yield cast("EndpointSlice", self._object(Kind.ENDPOINT_SLICE, key))
        if not keys:
            self._found_none(Kind.ENDPOINT_SLICE, owner)

    def _chosen(
        self, owners: Owners, owner: str, endpoint: str, port: str, protocol: str
    ) -> list[EndpointSlice]:
        keys = owners.find(owner)
        if len(keys) <= owners.many:
            return self._bounded(owner, keys)
        if endpoint:
            keys = self._keys_of(owners, owner, endpoint)
            owner = f"{owner} with endpoint {endpoint}"
        return self._bounded(owner, keys, port, protocol)

    def _bounded(
        self, sought: str | bytes, keys: Sequence[str], port: str = "", protocol: str = ""
    ) -> list[EndpointSlice]:
        """The slices that one answer is made from. Those without the port are not unpacked."""
        found: list[EndpointSlice] = []
        observer = self.observer
        left = MAX_ENDPOINTS
        for count, key in enumerate(keys):
            if count == MAX_SLICES or left <= 0:
                if observer is not None:
                    observer.left_out(Reason.BOUND, f"EndpointSlice {key}")
                return found
            if (port or protocol) and not self._has_port(key, port, protocol):
                if observer is not None:
                    observer.left_out(Reason.OTHER_PORT, f"EndpointSlice {key}")
                continue
            slice_ = cast("EndpointSlice", self._object(_SLICE, key))
            found.append(slice_)
            left -= len(slice_.endpoints)
        if not keys:
            self._found_none(Kind.ENDPOINT_SLICE, sought)
        return found

    def _keys_of(self, owners: Owners, owner: str, endpoint: str) -> list[str]:
        """An owner's slices that have an endpoint of that label, and perhaps some more."""
        named = owners.labelled(owner, endpoint)
        address = address_from_text(endpoint.replace("-", ".")) or address_from_text(
            endpoint.replace("-", ":")
        )
        there = self._endpoint_addresses.find(address) if address else ()
        return [key for key in dict.fromkeys((*named, *there)) if owners.has(owner, key)]

    def _has_port(self, key: str, name: str, protocol: str) -> bool:
        ports = ports_of(self.store.bodies[Kind.ENDPOINT_SLICE][key])
        return any(port_matches(port, name, protocol) for port in ports or (NO_PORT,))

    # -- applying Changes

    def apply_all(self, kind: Kind, entries: Entries, at: int, tags: set[Tag]) -> int:
        """Take entries; adds the tags of what they touch. Returns how many made a difference."""
        take, count = _TAKE[kind], 0
        for key, before, after in self.store.take(kind, entries):
            old = None if before is None else unpack(kind, before)
            new = None if after is None else unpack(kind, after)
            take(self, key, old, new, at, tags)
            count += 1
        return count

    def _bump(self, serial: Serial, at: int) -> None:
        self.serials[serial] = max(self.serials[serial], at)

    def _take_namespace(
        self, key: str, _old: Object | None, new: Object | None, at: int, tags: set[Tag]
    ) -> None:
        tags.add(f"{key[1:]}/")
        self._held_namespaces.discard(key[1:])
        if new is not None and new.held is not None:
            self._held_namespaces.add(key[1:])
        for serial in Serial:
            self._bump(serial, at)

    def _take_service(
        self, key: str, old: Object | None, new: Object | None, at: int, tags: set[Tag]
    ) -> None:
        before, after = cast("Service | None", old), cast("Service | None", new)
        tags.add(key)
        for by_address, addresses in (
            (self._service_addresses, cluster_addresses),
            (self._external_addresses, external_addresses),
        ):
            old_addresses, new_addresses = addresses(before), addresses(after)
            self._move(by_address, key, old_addresses, new_addresses)
            tags |= old_addresses ^ new_addresses
            if _held(before) != _held(after):
                tags |= new_addresses
        if cluster_fields(before) != cluster_fields(after):
            self._bump(Serial.CLUSTER, at)
        if external_fields(before) != external_fields(after):
            self._bump(Serial.EXTERNAL, at)

    def _take_slice(
        self, key: str, old: Object | None, new: Object | None, at: int, tags: set[Tag]
    ) -> None:
        before, after = cast("EndpointSlice | None", old), cast("EndpointSlice | None", new)
        if before is not None and after is not None and slice_fields(before) == slice_fields(after):
            return
        if before is not None:
            for owner, owners in self._owners(before):
                tags.add(owner)
                owners.discard(owner, key, before)
        if after is not None:
            for owner, owners in self._owners(after):
                tags.add(owner)
                owners.add(owner, key, after)
        addresses = ready_addresses(before), ready_addresses(after)
        self._move(self._endpoint_addresses, key, *addresses)
        # A hostname may have changed while the address did not: then the PTR record has.
        tags.update(*addresses)
        self._bump(Serial.CLUSTER, at)
        if any(slice_ is not None and slice_.imported_service for slice_ in (before, after)):
            self._bump(Serial.MULTICLUSTER, at)
        self._bump(Serial.EXTERNAL, at)

    def _owners(self, slice_: EndpointSlice) -> Iterator[tuple[str, Owners]]:
        """The keys of the Service and the ServiceImport that a slice is labelled with, each with
        the slices of such owners."""
        if slice_.service:
            yield f"{slice_.namespace}/{slice_.service}", self._slices
        if slice_.imported_service:
            yield f"{slice_.namespace}/{slice_.imported_service}", self._imported_slices

    def _take_pod(
        self, key: str, old: Object | None, new: Object | None, at: int, tags: set[Tag]
    ) -> None:
        for pod, move in (
            (cast("Pod | None", old), self._pods.discard),
            (cast("Pod | None", new), self._pods.add),
        ):
            if pod is not None and pod.ip:
                move(pod.ip, key)
                tags.add(pod_tag(pod.namespace, pod.ip))
                self._bump(Serial.CLUSTER, at)

    def _take_import(
        self, key: str, _old: Object | None, _new: Object | None, at: int, tags: set[Tag]
    ) -> None:
        tags.add(key)
        self._bump(Serial.CLUSTER, at)
        self._bump(Serial.MULTICLUSTER, at)

    def _take_cidr(
        self, _key: str, _old: Object | None, _new: Object | None, _at: int, _tags: set[Tag]
    ) -> None:
        """No answer is made from one: the zones may be."""

    @staticmethod
    def _move(keys: MultiMap[bytes, str], key: str, before: set[bytes], after: set[bytes]) -> None:
        for address in before - after:
            keys.discard(address, key)
        for address in after - before if before else after:
            keys.add(address, key)


_TAKE: Final = {
    Kind.NAMESPACE: Index._take_namespace,
    Kind.SERVICE: Index._take_service,
    Kind.ENDPOINT_SLICE: Index._take_slice,
    Kind.POD: Index._take_pod,
    Kind.SERVICE_IMPORT: Index._take_import,
    Kind.SERVICE_CIDR: Index._take_cidr,
}


def service_networks(store: Store) -> tuple[str, ...]:
    """The networks of all ServiceCIDRs in a Store, each once, in order."""
    bodies = list(store.bodies[Kind.SERVICE_CIDR].values())  # the feed's threads may add to them
    found = (cast("ServiceCIDR", unpack(Kind.SERVICE_CIDR, body)) for body in bodies)
    return tuple(sorted({cidr for one in found for cidr in one.cidrs}))


def _held(service: Service | None) -> Held | None:
    return None if service is None else service.held


def pod_tag(namespace: str, address: str) -> str:
    """The tag of answers about a Pod's name, which is made of its address."""
    return f"{namespace}/:{address}"
