"""The short way gives the octets of the long one, and is taken where it should be."""

from __future__ import annotations

from typing import Any

import pytest

from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Held, Service
from grpcdns.core.handler import Budget, Deferred, Handler
from tests.conformance.cluster import OBJECTS
from tests.conformance.questions import names_of
from tests.conformance.reply import query
from tests.unit.core.making import HEADLESS, HTTP, SVC, change, made, sliced, with_
from tests.unit.core.test_orders import Bystander, fresh, state_of

ZONES = ("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa.")
BOTH = Service("ns", "both", cluster_ips=("10.0.0.2", "2001:db8::2"), ports=HTTP)


def key_of(message: bytes) -> bytes:
    return message[12:].lower()


@pytest.mark.parametrize(
    ("config", "least"),
    [
        (Config(zones=ZONES), 30),
        (Config(zones=ZONES, ttl=0), 30),
        (Config(zones=ZONES, ttl=3600), 30),
        (Config(zones=ZONES, ttl_mode="adaptive", ttl_stable=77), 30),
        (Config(zones=ZONES, multicluster=("clusterset.local.",)), 20),
        (Config(zones=ZONES, namespaces=("testns",)), 10),
        (Config(zones=ZONES, no_endpoints=True), 10),
        (Config(zones=ZONES, topology_zone="a"), 10),
        (Config(zones=ZONES, serve_terminating=True), 10),
        (Config(zones=("local.", *ZONES)), 20),
        (Config(zones=ZONES, external_zones=("svc.cluster.local.",)), 20),
        (Config(zones=ZONES, ignore_empty_service=True), 0),
    ],
)
def test_same_octets(config: Config, least: int) -> None:
    state = state_of(OBJECTS)
    short, long = fresh(state, config.policy()), fresh(state, config.policy())
    long.index.observer = Bystander()
    for handler in (short, long):
        handler._zero = Budget(1 << 30)  # neither runs out of answers of TTL 0
    messages = [
        query(name, qtype, edns=number % 5 == 0)
        for number, name in enumerate(names_of(OBJECTS, config)[::2])
        for qtype in ("A", "AAAA")
    ]
    for message in messages:  # the first of its kind goes the long way
        short.handle(message)
    short._memo.clear()
    taken = 0
    for message in messages:
        if b"\x29" not in message[-12:]:
            assert long._plain.find(key_of(message)) is None
            taken += short._plain.find(key_of(message)) is not None
        reply = long.handle(message)
        assert short.handle(message) == reply or isinstance(reply, Deferred), message
    assert taken >= least
    assert (taken > 0) == (least > 0)


def test_counted_as_a_miss() -> None:
    handler = made([SVC, with_(SVC, name="other")])
    for name in ("s", "other", "other"):
        assert isinstance(handler.handle(query(f"{name}.ns.svc.cluster.local.", "A")), bytes)
    stats = handler.counted()
    assert (stats.misses, stats.hits, stats.answers[1, 0]) == (2, 1, 3)


@pytest.mark.parametrize("qtype", ["A", "AAAA"])
def test_changes_reach_it(qtype: str) -> None:
    """Each state is answered as by a handler that has never known another."""
    handler = made([BOTH])
    steps: list[tuple[Any, bool]] = [
        (SVC, False), (with_(SVC, cluster_ips=("10.0.0.9",)), False), (BOTH, True), (BOTH, False),
        (with_(SVC, held=Held("guard", 1)), False), (SVC, True), (HEADLESS, False),
        (sliced("a", "10.200.0.1", "10.200.0.2"), False), (sliced("a", "10.200.0.3"), False),
        (sliced("b", "2001:db8::7", address_type="IPv6"), False), (sliced("a"), True),
    ]  # fmt: skip
    now: dict[str, Any] = {"both": BOTH}
    for number, (obj, gone) in enumerate(steps):
        handler.apply(change(obj, 2_000_000_000 + number, gone=gone))
        if gone:
            del now[obj.name]
        else:
            now[obj.name] = obj
        other = Handler(handler._policy)
        other.index.observer = Bystander()
        for kind, bodies in made(now.values()).index.store.bodies.items():
            list(other.replace(kind, [list(bodies.items())], 2_000_000_000 + number))
        for name in ("s", "both", "none"):
            message = query(f"{name}.ns.svc.cluster.local.", qtype)
            assert handler.handle(message) == other.handle(message), (number, name)


@pytest.mark.parametrize(
    "name",
    [
        b"",
        b"\1s",
        b"\1s\2ns\3svc",
        b"\1s\2ns\3svc\7cluster\6local",
        b"\x3fs\2ns\3svc\7cluster\5local",
        b"\xc0\x0c",
        b"\1s\x7f\3svc\7cluster\5local",
        b"\1s\2ns\3pod\7cluster\5local",
        b"\1s\2n\xf6\3svc\7cluster\5local",
        b"\x0as.ns.svc\3c\2ns\3svc\7cluster\5local",
    ],
)
def test_odd_names(name: bytes) -> None:
    """No name that only looks like a Service's is taken for one."""
    handler, long = made([SVC]), made([SVC])
    long.index.observer = Bystander()
    for first in ("s", "none"):
        message = query(f"{first}.ns.svc.cluster.local.", "A")
        assert handler.handle(message) == long.handle(message)
    message = query("s.ns.svc.cluster.local.", "A")[:12] + name + b"\0\0\1\0\1"
    assert handler.handle(message) == long.handle(message)
    assert handler._plain.find(name + b"\0\0\1\0\1") is None
