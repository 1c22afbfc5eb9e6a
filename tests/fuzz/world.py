"""The cluster that targets ask about: that of the tests of the core, decoded as from the API.

One handler remembers, another never does: what both say of one query must be the same octets.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import msgspec

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.handler import Deferred, Handler
from grpcdns.source.api.decode import Decoder
from tests.conformance.cluster import OBJECTS

BY_KIND: Final = {
    "Namespace": Kind.NAMESPACE,
    "Service": Kind.SERVICE,
    "EndpointSlice": Kind.ENDPOINT_SLICE,
    "Pod": Kind.POD,
    "ServiceImport": Kind.SERVICE_IMPORT,
}
POLICIES: Final = (
    Policy(),
    Policy(
        zones=("cluster.local.", "example.", "in-addr.arpa.", "ip6.arpa."),
        pods="insecure",
        endpoint_pod_names=True,
        zonal=True,
        external_zones=("outside.example.", "in-addr.arpa."),
        external_headless=True,
        ttl=0,
    ),
    Policy(
        zones=("clusterset.local.", "cluster.local.", "10.in-addr.arpa."),
        pods="verified",
        multicluster=("clusterset.local.",),
        namespaces=("testns", "kube-system"),
        ignore_empty_service=True,
        external_zones=("outside.example.",),
        ttl_cap=3,
    ),
    Policy(zones=(".",), no_endpoints=True, dns_service="testns/hdls"),
)


class Fault(AssertionError):
    """The handler met an exception of its own."""


class Pair(NamedTuple):
    """Two handlers of the same objects under one policy."""

    remembering: Handler
    forgetful: Handler


def report(error: BaseException) -> None:
    raise Fault(f"the handler met {error!r}") from error


def make_handler(policy: Policy, *, memo: bool = True) -> Handler:
    """A handler whose faults come out as they are."""
    if memo:
        return Handler(policy, report, memo_bytes=1 << 20, cheap_bytes=1 << 18)
    return Handler(policy, report, memo_bytes=0, cheap_bytes=0)


@cache
def objects() -> dict[Kind, list[tuple[str, bytes]]]:
    """The packed objects, by kind."""
    found: dict[Kind, list[tuple[str, bytes]]] = {kind: [] for kind in Kind}
    for obj in OBJECTS:
        kind = BY_KIND.get(obj["kind"])
        if kind is not None:
            item = Decoder(kind).item(msgspec.json.encode(obj))
            if item.body is not None:
                found[kind].append((item.key, item.body))
    return found


def fill(handler: Handler) -> Handler:
    """Every kind listed."""
    for kind, entries in objects().items():
        for _ in handler.replace(kind, [entries], 1_700_000_000):
            pass
    return handler


@cache
def pairs() -> tuple[Pair, ...]:
    """A pair for each policy, synced."""
    return tuple(
        Pair(fill(make_handler(policy)), fill(make_handler(policy, memo=False)))
        for policy in POLICIES
    )


def answer(handler: Handler, message: bytes) -> bytes:
    """The reply, of an upstream that has nothing where one is needed."""
    reply = handler.handle(message)
    assert reply is not None, "no answer, though everything is listed"
    if isinstance(reply, Deferred):
        return reply.complete([None] * len(reply.lookups))
    return reply
