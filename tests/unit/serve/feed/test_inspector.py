"""Explanations in the feed: they follow the feed's objects, and cost nothing when nobody looks."""

from __future__ import annotations

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, Object, Service, key_of, pack
from grpcdns.serve.feed import inspector
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.inspector import Inspector, read_question

WEB = read_question("web.default.svc.cluster.local", "A")
WEP = b"\x03wep\x07default\x03svc\x07cluster\x05local\0\0\1\0\1"


def packed(*objects: Object) -> list[tuple[str, bytes, float]]:
    return [(key_of(one), pack(one), 0.0) for one in objects]


def service(address: str) -> Service:
    return Service("default", "web", cluster_ips=(address,))


@pytest.fixture
def broadcast() -> Broadcast:
    made = Broadcast(Policy(), lambda: None, lambda: 1000.0)
    made.replace(Kind.NAMESPACE, packed(Namespace("", "default")))
    made.replace(Kind.SERVICE, packed(service("10.0.0.1")))
    return made


def test_it_follows_the_feed(broadcast: Broadcast) -> None:
    made = Inspector(Policy(), broadcast)
    found = made.explain(WEB)
    assert found.explanation.answer == ("web.default.svc.cluster.local. 5 IN A 10.0.0.1",)
    assert found.explanation.serial == 1000
    assert found.missing == ("EndpointSlice",)
    broadcast.replace(Kind.ENDPOINT_SLICE, [])
    broadcast.upsert(Kind.SERVICE, "default/web", pack(service("10.0.0.2")))
    found = made.explain(WEB)
    assert found.explanation.answer == ("web.default.svc.cluster.local. 5 IN A 10.0.0.2",)
    assert not found.missing
    broadcast.delete(Kind.SERVICE, "default/web")
    assert made.explain(WEB).explanation.rcode == "NXDOMAIN"
    made.use(Policy(zones=("other.local.",)))
    assert made.explain(WEB).explanation.rcode == "REFUSED"


def test_reasons_follow_a_little_later(broadcast: Broadcast) -> None:
    now = [1000.0]
    made = Inspector(Policy(), broadcast, lambda: now[0])
    assert made.whys([WEP])[WEP].suggestion == "web.default.svc.cluster.local."
    broadcast.delete(Kind.SERVICE, "default/web")
    assert made.whys([WEP])[WEP].suggestion
    now[0] += 20
    assert not made.whys([WEP])[WEP].suggestion


def test_the_index_is_made_for_reasons_that_are_not_known(broadcast: Broadcast) -> None:
    made = Inspector(Policy(), broadcast, lambda: 1000.0)
    assert not made.whys([])
    assert made._index is None
    made.whys([WEP])
    assert made._seen == broadcast.changes
    broadcast.delete(Kind.SERVICE, "default/web")
    made.whys([WEP])
    assert made._seen < broadcast.changes


def test_the_index_is_dropped_when_nobody_looks(broadcast: Broadcast) -> None:
    now = [1000.0]
    made = Inspector(Policy(), broadcast, lambda: now[0])
    made.explain(WEB)
    index = made._index
    made.tick()
    assert made._index is index is not None
    now[0] += inspector.KEPT + 1
    made.tick()
    assert made._index is None
    assert made.explain(WEB).explanation.answer
