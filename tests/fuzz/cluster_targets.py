"""Targets for the data of the handler: objects, Changes, and answers of an upstream."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Final

import msgspec

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Change,
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
    key_of,
    pack,
)
from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import Record
from grpcdns.core.handler import Deferred, Handler
from tests.conformance.loading import KINDS
from tests.conformance.reply import name_wire, query
from tests.fuzz.draw import Draw
from tests.fuzz.messages import draw_query
from tests.fuzz.oracle import check_reply
from tests.fuzz.world import POLICIES, answer, bare, fill, make_handler, pairs

NAMES: Final = (
    "a", "b", "testns", "x-1", "A", "", "a.b", "/", "*", "\0", "\xe9", "\u65e5", "\ud7ff",
    "_tcp", "l" * 63, "l" * 64, "svc", "a..b", "0", "\u0130",
)  # fmt: skip
"""Names that an API server accepts, and names that only a broken one would."""
ADDRESSES: Final = (
    "10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::", "fd00::1", "::ffff:10.0.0.1", "None", "",
    "10.0.0", "10.0.0.01", "fe80::1%eth0", "a.example", "0.0.0.0", "\0", "::",
)  # fmt: skip
TARGETS_OF_NAMES: Final = (
    "a.a.svc.cluster.local", "b.a.svc.cluster.local.", "A.B.SVC.cluster.local", "www.example.net",
    "10.0.0.1", ".", "", "..", "x" * 300, "\u65e5.example", "cluster.local",
    "1.0.0.10.in-addr.arpa", "a.a.svc.outside.example",
)  # fmt: skip
_NUMBERS: Final = (-1, 0, 53, 65535, 65536, -65536, 1 << 40)


def upstream(data: bytes) -> None:
    """Answers of an upstream, put into the reply that waits for them."""
    draw = Draw(data)
    message = query(
        draw.pick(_external_names()), draw.pick(("A", "AAAA", "SRV")), edns=draw.maybe()
    )
    reply = draw.pick(pairs()).remembering.handle(message)
    if isinstance(reply, Deferred):
        results = [_records(draw) for _ in reply.lookups]
        assert len(reply.complete(results)) <= 65535
        check_reply(message, reply.complete(results))


def changes(data: bytes) -> None:
    """Objects are created, changed and deleted between queries. At the end the answers are those of
    a fresh index of the objects that are left."""
    draw = Draw(data)
    policy = draw.pick(POLICIES)
    handler = _empty(policy)
    for turn in range(1 + draw.below(12)):
        obj = draw_object(draw)
        body = None if draw.maybe(4) else pack(obj)
        handler.apply(Change(KINDS[type(obj)], key_of(obj), body, turn))
        for message in _queries(draw):
            check_reply(message, answer(handler, message))
    fresh = bare(policy)
    for kind in reversed(Kind):
        for key, body in handler.index.store.bodies[kind].items():
            fresh.apply(Change(kind, key, body, 0))
    fresh.index.serials = list(handler.index.serials)
    for message in _sample(draw):
        assert answer(handler, message) == answer(fresh, message), "history shows in an answer"


def bodies(data: bytes) -> None:
    """Octets as a packed object: rejected as a whole, or stored and queried."""
    draw = Draw(data)
    kind = draw.pick(tuple(Kind))
    handler = _empty(draw.pick(POLICIES))
    key = draw.pick(("a/a", "/a", "a/b", "", "/", "a", "\0/\0"))
    change = _raising(lambda: handler.apply(Change(kind, key, draw.rest(), 1)))
    if isinstance(change, msgspec.DecodeError):
        assert len(handler.index.store) == 1, "a body that cannot be read was kept"
    elif change is not None:
        raise change
    for message in _sample(Draw(data[:1])):
        check_reply(message, answer(handler, message))


def objects(data: bytes) -> None:
    """A few odd objects beside a whole cluster: other answers stay the same."""
    draw = Draw(data)
    policy = draw.pick(POLICIES)
    handler = _filled(policy)
    message = draw_query(draw)
    before = answer(handler, message)
    made = [draw_object(draw, namespace="intruder") for _ in range(1 + draw.below(4))]
    intruders = [Namespace("", "intruder"), *made]
    for obj in intruders:
        handler.apply(Change(KINDS[type(obj)], key_of(obj), pack(obj), 0))
    after = answer(handler, message)
    check_reply(message, after)
    for obj in intruders:
        handler.apply(Change(KINDS[type(obj)], key_of(obj), None, 0))
    assert answer(handler, message) == before, "deleted objects show in an answer"
    if b"intruder" not in message.lower() and b"\x04arpa" not in message.lower():
        assert after == before, "another namespace's objects changed an answer"


def draw_object(draw: Draw, namespace: str = "") -> Object:
    """An object of any kind. The names are few, so that objects refer to each other."""
    space = namespace or draw.pick(NAMES[:3] if draw.maybe(2) else NAMES)
    name = _name(draw)
    kind = draw.below(8)
    if kind == 0 and not namespace:
        return Namespace("", name)
    if kind <= 3:
        ips = draw.pick((("None",), ("",), (), None)) or tuple(_some(draw, ADDRESSES))
        return Service(space, name, draw.pick(("ClusterIP", "ExternalName", "LoadBalancer", "")),
                       ips, draw.pick(TARGETS_OF_NAMES), _ports(draw),
                       tuple(_some(draw, (*ADDRESSES, *TARGETS_OF_NAMES))),
                       draw.pick(("", "PreferSameZone", "PreferSameNode", "x")))  # fmt: skip
    if kind == 4:
        return Pod(space, name, draw.pick(ADDRESSES))
    if kind == 5:
        return ServiceImport(space, name, draw.pick(("ClusterSetIP", "Headless", "")),
                             tuple(_some(draw, ADDRESSES)), _ports(draw))  # fmt: skip
    owner = _name(draw)
    imported = draw.maybe(3)
    points = tuple(_endpoint(draw) for _ in draw.some(5))
    return EndpointSlice(space, name, "" if imported else owner,
                         draw.pick(("IPv4", "IPv6", "FQDN", "")), points, _ports(draw),
                         owner if imported else "", _name(draw) if imported else "")  # fmt: skip


def _endpoint(draw: Draw) -> Endpoint:
    hostname = _name(draw) if draw.maybe(2) else ""
    pod = _name(draw) if draw.maybe(2) else ""
    zone = draw.pick(("", "zone-a", "B.c"))
    addresses, ready = tuple(_some(draw, ADDRESSES)), not draw.maybe(4)
    return Endpoint(addresses, ready, hostname, pod, zone, _details(draw))


def _details(draw: Draw) -> EndpointDetails | None:
    if draw.maybe(2):
        return None
    hints = [tuple(draw.pick(("zone-a", "b.c")) for _ in draw.some(3)) for _ in range(2)]
    return EndpointDetails(draw.maybe(2), draw.maybe(2), draw.pick(("", "zone-a")), *hints)


def _ports(draw: Draw) -> tuple[Port, ...]:
    return tuple(
        Port(draw.pick(("", "http", "_", *NAMES)), draw.pick(("TCP", "UDP", "", "\u65e5")),
             draw.pick(_NUMBERS))
        for _ in draw.some(4)
    )  # fmt: skip


def _name(draw: Draw) -> str:
    return draw.pick(NAMES[:3]) if draw.maybe(2) else draw.pick(NAMES)


def _some(draw: Draw, options: tuple[str, ...]) -> list[str]:
    return [draw.pick(options) for _ in draw.some(4)]


def _records(draw: Draw) -> list[Record] | None:
    if draw.maybe(8):
        return None
    count = draw.below(4) if not draw.maybe(16) else draw.pick((100, 4100, 5000))
    return [_record(draw) for _ in range(count)]


def _record(draw: Draw) -> Record:
    owner: Name = ("www", "example", "net") if draw.maybe(2) else _label_tuple(draw)
    rtype = draw.pick((1, 28, 5))
    rdata: bytes | Name = _label_tuple(draw) if rtype == 5 else bytes(4 if rtype == 1 else 16)
    return Record(owner, rtype, draw.word() << 16, (rdata,))


def _label_tuple(draw: Draw) -> Name:
    """A name that dnspython could have parsed."""
    labels = [draw.take(1 + draw.below(8)).decode("latin-1").lower() for _ in draw.some(6)]
    return tuple(label for label in labels if label)


def _queries(draw: Draw) -> list[bytes]:
    return [draw.pick(_all_queries()) for _ in draw.some(3)]


def _sample(draw: Draw) -> list[bytes]:
    """Twelve of all queries."""
    start, every = draw.below(256), _all_queries()
    return [every[(start + 7 * turn) % len(every)] for turn in range(12)]


@cache
def _all_queries() -> tuple[bytes, ...]:
    """Queries about the names that drawn objects have."""
    asked = ("a.a.svc.cluster.local", "b.a.svc.cluster.local", "a.a.a.svc.cluster.local",
             "_http._tcp.a.a.svc.cluster.local", "a.a.outside.example", "b.a.outside.example",
             "a.a.svc.clusterset.local", "a.a.a.a.svc.clusterset.local", "a.svc.cluster.local",
             "10-0-0-1.a.pod.cluster.local", "fd00--0.a.pod.cluster.local", "x.a.a.outside.example",
             "zone-a.prefer._zone.a.a.svc.cluster.local", "hdls.testns.svc.cluster.local",
             "b.b.svc.cluster.local", "a.b.svc.cluster.local", "ns.dns.cluster.local")  # fmt: skip
    reverse = ("1.0.0.10.in-addr.arpa", "2.0.0.10.in-addr.arpa",
               "1." + "0." * 27 + "0.0.d.f.ip6.arpa", "0." * 29 + "0.d.f.ip6.arpa")  # fmt: skip
    forward = [query(name, qtype) for name in asked for qtype in ("A", "AAAA", "SRV", "CNAME")]
    odd = [query(b"\x01\xe9\x01a\x03svc" + name_wire("cluster.local"), "A")]
    apex = [query("cluster.local", qtype) for qtype in ("NS", "SOA", "A")]
    return (*forward, *odd, *apex, *(query(name, "PTR") for name in reverse))


def _external_names() -> tuple[str, ...]:
    """Names whose answer needs an upstream."""
    under = [
        f"{name}.testns.svc.cluster.local" for name in ("ext", "ext-cname", "ext-over", "ext-port")
    ]
    return (*under, "lb-name.testns.outside.example", "lb-mixed.testns.outside.example")


def _empty(policy: Policy) -> Handler:
    """A handler with a single Namespace."""
    handler = bare(policy)
    namespace = Namespace("", "a")
    handler.apply(Change(Kind.NAMESPACE, key_of(namespace), pack(namespace), 0))
    return handler


@cache
def _filled(policy: Policy) -> Handler:
    return fill(make_handler(policy))


def _raising(call: Callable[[], object]) -> Exception | None:
    try:
        call()
    except Exception as error:
        return error
    return None
