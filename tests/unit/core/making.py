"""Handlers with objects made by hand, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.index import Index, Tag
from grpcdns.core.cluster.objects import (
    Change,
    Endpoint,
    EndpointSlice,
    Namespace,
    Object,
    Port,
    Service,
    key_of,
    pack,
)
from grpcdns.core.handler import Handler
from tests.conformance.loading import KINDS, reply_to, synced
from tests.conformance.reply import Reply, query


def with_(obj: Any, **fields: Any) -> Any:
    return msgspec.structs.replace(obj, **fields)


T: Final = "ns.svc.cluster.local."
CROWD: Final = [f"10.200.{number // 250}.{number % 250}" for number in range(6000)]
HTTP: Final = (Port("http", "TCP", 80),)
SVC: Final = Service("ns", "s", cluster_ips=("10.0.0.1",), ports=HTTP)
HEADLESS: Final[Service] = with_(SVC, cluster_ips=("None",))
NAMED: Final = Service("ns", "s", "ExternalName", ("",), "svc1.ns.svc.cluster.local")


def change(obj: Object, at: int = 1, *, gone: bool = False, triggered: float = 0.0) -> Change:
    body = None if gone else pack(obj)
    return Change(KINDS[type(obj)], key_of(obj), body, at, triggered)


def tags_of(index: Index, change: Change) -> set[Tag]:
    """Apply a Change; the tags of the answers that it touches."""
    tags: set[Tag] = set()
    index.apply_all(change.kind, [(change.key, change.body)], change.at, tags)
    return tags


def made(objects: Iterable[Object], **policy: Any) -> Handler:
    """A handler with the Namespace ``ns`` and these objects."""
    return synced([Namespace("", "ns"), *objects], Policy(**policy))


def sliced(name: str, *ips: str, service: str = "s", **fields: Any) -> EndpointSlice:
    points = tuple(Endpoint((ip,)) for ip in ips)
    return EndpointSlice("ns", name, service, endpoints=points, ports=HTTP, **fields)


def many_are_more_than(number: int, handler: Handler) -> None:
    """A Service with more slices has many; to be said before there are slices."""
    for owners in (handler.index._slices, handler.index._imported_slices):
        owners.many = number


def get(handler: Handler, name: str, qtype: str = "A") -> Reply:
    return reply_to(handler, query(name, qtype))


def rdata(reply: Reply) -> list[str]:
    return [record.split(" ")[-1] for record in reply.answer]
