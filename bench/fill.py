"""Fills a real API server with the objects of `bench.cluster`, in linear time.

Namespaces and EndpointSlices are created through the API, and so are the first Service with a
cluster IP and the first without. All other Services are written into etcd, in the form in which the
API has written those two. Through the API, 50,000 Services would take most of an hour: for each
cluster IP that kube-apiserver allocates it counts all allocated ones, twice, for its metrics (1.36,
`Allocator.Used` in pkg/registry/core/service/ipallocator). It creates 650 Services a second at
first, 210 after 12,000 of them, and 30 after 50,000. No option turns that off.

The objects are those that the API would have written, with an IPAddress for each cluster IP: the
API serves, watches, changes and deletes these Services as its own.
"""

from __future__ import annotations

import base64
import itertools
import json
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import urllib3

from bench.cluster import Name, service_of, slice_of
from harness.api import Object
from harness.cluster import Cluster
from harness.objects import namespace
from harness.ports import Address

_PUTS: Final = 100
"""Objects in one transaction; etcd allows 128."""

_AT_ONCE: Final = 5000
"""Slices in memory at the same time, with the API's response to each."""


def fill(cluster: Cluster, size: int) -> None:
    """All objects of a cluster of that size."""
    names = [Name(number) for number in range(size)]
    spaces = dict.fromkeys(name.namespace for name in names)
    cluster.api.create_all(namespace(space) for space in spaces)
    _create_services(cluster, [name for name in names if name.headless])
    _create_services(cluster, [name for name in names if not name.headless])
    for start in range(0, size, _AT_ONCE):
        cluster.api.create_all(map(slice_of, names[start : start + _AT_ONCE]))


def _create_services(cluster: Cluster, names: Sequence[Name]) -> None:
    """Services that are all headless or all not: one through the API, the others like it."""
    if not names:
        return
    first, *others = names
    made = cluster.api.create(service_of(first))
    if not first.headless:  # the address before its Service, as the API does it
        address = cluster.api.get("IPAddress", first.cluster_ip, version="networking.k8s.io/v1")
        _put(cluster.etcd_address, (_address_like(address, name) for name in others))
    _put(cluster.etcd_address, (_service_like(made, name) for name in others))


def _service_like(made: Object, name: Name) -> tuple[str, Object]:
    """The key in etcd, and the object."""
    spec = made["spec"]
    if not name.headless:
        spec = {**spec, "clusterIP": name.cluster_ip, "clusterIPs": [name.cluster_ip]}
    metadata = _metadata_like(made, name=name.name, namespace=name.namespace)
    key = f"/registry/services/specs/{name.namespace}/{name.name}"
    return key, {**made, "metadata": metadata, "spec": spec}


def _address_like(made: Object, name: Name) -> tuple[str, Object]:
    parent = {**made["spec"]["parentRef"], "name": name.name, "namespace": name.namespace}
    metadata = _metadata_like(made, name=name.cluster_ip)
    key = f"/registry/ipaddresses/{name.cluster_ip}"
    return key, {**made, "metadata": metadata, "spec": {**made["spec"], "parentRef": parent}}


def _metadata_like(made: Object, **names: str) -> dict[str, Any]:
    """With its own identity; etcd sets the version."""
    metadata = {**made["metadata"], **names, "uid": str(uuid.uuid4())}
    del metadata["resourceVersion"]
    return metadata


def _put(etcd: Address, objects: Iterable[tuple[str, Mapping[str, Any]]]) -> None:
    """Writes through etcd's JSON gateway, many in a transaction."""
    puts = (
        {"requestPut": {"key": _base64(key), "value": _base64(json.dumps(value))}}
        for key, value in objects
    )
    with urllib3.HTTPConnectionPool(etcd.host, etcd.port, retries=False) as pool:
        for some in _batches(puts):
            reply = pool.request("POST", "/v3/kv/txn", json={"success": some})
            if reply.status != 200 or not reply.json().get("succeeded"):
                raise RuntimeError(f"etcd: {reply.status} {reply.data[:200]!r}")


def _batches(puts: Iterator[Object]) -> Iterator[list[Object]]:
    while some := list(itertools.islice(puts, _PUTS)):
        yield some


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
