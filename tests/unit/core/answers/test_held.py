"""Answers made from an object that is held live for a second at most, in both TTL modes."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Held,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
    key_of,
    pack,
    unpack,
)
from grpcdns.core.handler import Handler
from tests.conformance.loading import KINDS, fail, reply_to
from tests.conformance.reply import query
from tests.unit.core.making import change

HTTP: Final = (Port("http", "TCP", 80),)
OBJECTS: Final[dict[str, Object]] = {
    "namespace": Namespace("", "ns"),
    "service": Service("ns", "web", cluster_ips=("10.96.0.1",), ports=HTTP),
    "outside": Service("ns", "out", cluster_ips=("10.96.0.2",), external_ips=("192.0.2.1",)),
    "headless": Service("ns", "db", cluster_ips=("None",), ports=HTTP),
    "slice": EndpointSlice("ns", "db-1", "db", endpoints=(Endpoint(("10.1.0.1",)),), ports=HTTP),
    "alias": Service("ns", "ext", "ExternalName", ("",), "web.ns.svc.cluster.local"),
    "pod": Pod("ns", "p", "10.1.0.9"),
    "import": ServiceImport("ns", "imp", ips=("10.97.0.1",), ports=HTTP),
}
FIXED: Final = Policy(
    zones=("cluster.local.", "clusterset.local.", "in-addr.arpa."),
    multicluster=("clusterset.local.",),
    external_zones=("example.",),
    external_ttl=7,
    pods="verified",
)
ADAPTIVE: Final = msgspec.structs.replace(FIXED, ttl_mode="adaptive")
ROWS: Final = [
    ("service", "web.ns.svc.cluster.local.", "A"),
    ("service", "web.ns.svc.cluster.local.", "AAAA"),  # NODATA, with the SOA
    ("service", "_http._tcp.web.ns.svc.cluster.local.", "SRV"),
    ("service", "1.0.96.10.in-addr.arpa.", "PTR"),
    ("namespace", "web.ns.svc.cluster.local.", "A"),
    ("namespace", "out.ns.example.", "A"),
    ("outside", "out.ns.example.", "A"),
    ("slice", "db.ns.svc.cluster.local.", "A"),
    ("slice", "_http._tcp.db.ns.svc.cluster.local.", "SRV"),
    ("slice", "10-1-0-1.db.ns.svc.cluster.local.", "A"),
    ("slice", "1.0.1.10.in-addr.arpa.", "PTR"),
    ("headless", "db.ns.svc.cluster.local.", "A"),
    ("service", "ext.ns.svc.cluster.local.", "A"),  # through an ExternalName
    ("alias", "ext.ns.svc.cluster.local.", "A"),
    ("pod", "10-1-0-9.ns.pod.cluster.local.", "A"),
    ("import", "imp.ns.svc.clusterset.local.", "A"),
]


def made(policy: Policy) -> Handler:
    """With objects that have been quiet for longer than adaptive TTLs look back."""
    clock = [0.0]
    handler = Handler(policy, report=fail, clock=lambda: clock[0])
    for kind in Kind:
        list(handler.replace(kind, [], 1))
    for obj in OBJECTS.values():
        handler.apply(change(obj))
    clock[0] = 1000.0
    handler.expire()
    return handler


def ttls(handler: Handler, name: str, qtype: str) -> set[int]:
    """Of all records, and the minimum of an SOA."""
    reply = reply_to(handler, query(name, qtype))
    found = set[int]()
    for record in (*reply.answer, *reply.authority, *reply.additional):
        parts = record.split()
        found.add(int(parts[1]))
        if parts[3] == "SOA":
            found.add(int(parts[-1]))
    return found


def with_mark(obj: Object, mark: Held | None) -> Any:
    return msgspec.structs.replace(obj, held=mark)


@pytest.mark.parametrize("policy", [FIXED, ADAPTIVE], ids=["fixed", "adaptive"])
@pytest.mark.parametrize(("held", "name", "qtype"), ROWS)
def test_one_second_while_it_is_held(policy: Policy, held: str, name: str, qtype: str) -> None:
    handler = made(policy)
    assert min(ttls(handler, name, qtype)) >= 5
    handler.apply(change(with_mark(OBJECTS[held], Held("guard", 7))))
    assert ttls(handler, name, qtype) == {1}
    assert ttls(handler, name, qtype) == {1}, "from the memo"
    handler.apply(change(OBJECTS[held]))
    if policy is FIXED:
        assert min(ttls(handler, name, qtype)) >= 5


def test_what_is_not_held_keeps_its_ttl() -> None:
    handler = made(FIXED)
    handler.apply(change(with_mark(OBJECTS["slice"], Held("guard", 7))))
    assert ttls(handler, "web.ns.svc.cluster.local.", "A") == {5}
    assert ttls(handler, "db.ns.svc.cluster.local.", "A") == {1}
    assert ttls(handler, "web.ns.svc.cluster.local.", "A") == {5}


def test_a_ttl_of_zero_stays() -> None:
    handler = made(ADAPTIVE)
    handler.apply(change(with_mark(OBJECTS["headless"], Held("guard", 7))))
    assert ttls(handler, "not-yet.db.ns.svc.cluster.local.", "A") == {0}


def test_a_mark_is_the_only_octet_that_it_costs() -> None:
    """Without one, an object is packed as it was before there were any."""
    for obj in OBJECTS.values():
        kind = KINDS[type(obj)]
        marked = with_mark(obj, Held("guard", 7))
        assert unpack(kind, pack(obj)) == obj
        assert unpack(kind, pack(marked)) == marked
        assert len(pack(marked)) > len(pack(obj))
        assert len(msgspec.msgpack.decode(pack(obj))) == len(obj.__struct_fields__) - 1
        assert key_of(marked) == key_of(obj)
