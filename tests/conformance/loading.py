"""From the API's objects to a Handler, by the product's steps: LIST, decode, pack, index."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import TYPES, Change, Kind, key_of, pack
from grpcdns.core.cluster.objects import Object as Packable
from grpcdns.core.dns.wire import Record
from grpcdns.core.handler import Deferred, Handler
from grpcdns.source.api.decode import Decoder, ListReader
from grpcdns.source.scope import fields_of
from harness.api import Object
from tests.conformance.reply import Reply, read_reply

AT: Final = 1_700_000_000
KIND_NAMES: Final = {
    Kind.NAMESPACE: "Namespace", Kind.SERVICE: "Service", Kind.ENDPOINT_SLICE: "EndpointSlice",
    Kind.POD: "Pod", Kind.SERVICE_IMPORT: "ServiceImport",
    Kind.SERVICE_CIDR: "ServiceCIDR",
}  # fmt: skip
KINDS: Final = {type_: kind for kind, type_ in TYPES.items()}

Lists = Mapping[Kind, bytes]
"""For each kind, the body of a LIST response."""
Outside = Mapping[tuple[str, int], Sequence[Record] | None]
"""What the upstream answers: (name in lower case, type) -> records; None if the look-up fails."""


def lists_of(objects: Iterable[Object]) -> dict[Kind, bytes]:
    """The LIST responses of an API server that has these objects."""
    by_kind: dict[str, list[Object]] = {name: [] for name in KIND_NAMES.values()}
    for obj in objects:
        by_kind[obj["kind"]].append(obj)
    return {
        kind: json.dumps({"kind": f"{name}List", "items": by_kind[name]}).encode()
        for kind, name in KIND_NAMES.items()
    }


def packed(lists: Lists, policy: Policy) -> dict[Kind, list[tuple[str, bytes]]]:
    """Keys and packed objects, as the source makes them from the lists. All must be readable."""
    found: dict[Kind, list[tuple[str, bytes]]] = {}
    for kind, body in lists.items():
        reader = ListReader(Decoder(kind, fields_of(policy)))
        items = [*reader.feed(body), *reader.finish()]
        if reader.unreadable:
            raise AssertionError(f"unreadable: {reader.unreadable}")
        found[kind] = [
            (item.key, item.body) for item in items if item.body and not item.terminating
        ]
    return found


def changes(lists: Lists, policy: Policy) -> Iterator[Change]:
    """The same, as Changes in the order of the lists."""
    for kind, objects in packed(lists, policy).items():
        for key, body in objects:
            yield Change(kind, key, body, AT)


def fail(error: BaseException) -> None:
    """Whatever a Handler reports fails the test."""
    raise AssertionError("the handler met an exception") from error


def handler_of(lists: Lists, policy: Policy) -> Handler:
    """A handler with complete lists of every kind."""
    handler = Handler(policy, report=fail)
    for kind, objects in packed(lists, policy).items():
        for _ in handler.replace(kind, [objects], AT):
            pass
    return handler


def synced(objects: Iterable[Packable], policy: Policy) -> Handler:
    """A handler with these objects, and complete lists of every kind."""
    by_kind: dict[Kind, list[tuple[str, bytes]]] = {kind: [] for kind in Kind}
    for obj in objects:
        by_kind[KINDS[type(obj)]].append((key_of(obj), pack(obj)))
    handler = Handler(policy, report=fail)
    for kind, entries in by_kind.items():
        for _ in handler.replace(kind, [entries], AT):
            pass
    return handler


def ask(handler: Handler, message: bytes, outside: Outside | None = None) -> bytes | None:
    """A reply; the names it waits for are looked up in ``outside``."""
    reply = handler.handle(message)
    if not isinstance(reply, Deferred):
        return reply
    known = outside or {}
    return reply.complete(
        [known.get((".".join((*one.target, "")), one.qtype)) for one in reply.lookups]
    )


def reply_to(handler: Handler, message: bytes, outside: Outside | None = None) -> Reply:
    raw = ask(handler, message, outside)
    if raw is None:
        raise AssertionError("the handler is not synced")
    return read_reply(raw)
