"""The cluster of the targets: that of tests/conformance, decoded as from the API.

One handler has a memo and another has none: their replies to a query must be the same octets.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import msgspec

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.handler import Handler
from grpcdns.source.api.decode import Decoder
from tests.conformance.cluster import OBJECTS
from tests.conformance.loading import AT, KIND_NAMES, ask

BY_KIND: Final = {name: kind for kind, name in KIND_NAMES.items()}
POLICIES: Final = (
    Policy(),
    Policy(
        zones=("cluster.local.", "example.", "in-addr.arpa.", "ip6.arpa."),
        pods="insecure",
        endpoint_pod_names=True,
        zonal=True,
        topology_zone="zone-a",
        serve_terminating=True,
        topology_node="zone-a",
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


CHEAP_BYTES: Final = 1 << 18
"""The bound of the memo for names that do not exist; small, so that tests can fill it."""


class Fault(AssertionError):
    """An exception inside the handler."""


class Pair(NamedTuple):
    """Two handlers of the same objects under one policy."""

    remembering: Handler
    forgetful: Handler


def report(error: BaseException) -> None:
    raise Fault(f"the handler met {error!r}") from error


def make_handler(policy: Policy, *, memo: bool = True) -> Handler:
    """A handler that raises its own exceptions, with a small memo or none."""
    if memo:
        return Handler(policy, report, memo_bytes=1 << 20, cheap_bytes=CHEAP_BYTES)
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
    """Lists every kind, with all objects."""
    for kind, entries in objects().items():
        for _ in handler.replace(kind, [entries], AT):
            pass
    return handler


def bare(policy: Policy) -> Handler:
    """A synced handler without objects."""
    handler = make_handler(policy)
    for kind in Kind:
        for _ in handler.replace(kind, (), 0):
            pass
    return handler


@cache
def pairs() -> tuple[Pair, ...]:
    """A synced pair for each policy."""
    return tuple(
        Pair(fill(make_handler(policy)), fill(make_handler(policy, memo=False)))
        for policy in POLICIES
    )


def answer(handler: Handler, message: bytes) -> bytes:
    """The reply; an upstream, where one is needed, has no answer."""
    reply = ask(handler, message)
    assert reply is not None, "no answer, though every kind is listed"
    return reply
