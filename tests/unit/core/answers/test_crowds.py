"""Thousands of endpoints behind one name: answers too long for a message, and their bounds."""

from __future__ import annotations

import pytest

from grpcdns.core.handler import Handler
from tests.conformance.reply import query, read_reply
from tests.unit.core.making import (
    CROWD,
    HEADLESS,
    T,
    change,
    get,
    made,
    rdata,
    sliced,
)


@pytest.fixture(scope="module")
def crowd() -> Handler:
    slices = [sliced(f"{at}", *CROWD[at : at + 100]) for at in range(0, len(CROWD), 100)]
    return made([HEADLESS, *slices])


@pytest.mark.parametrize("edns", [False, True])
def test_a_crowd_is_answered_in_parts(crowd: Handler, edns: bool) -> None:
    oversized = crowd.stats.oversized
    seen: set[str] = set()
    firsts: set[str] = set()
    for _ in range(8):
        raw = crowd.handle(query(f"s.{T}", "A", edns=edns))
        assert isinstance(raw, bytes)
        assert 65_000 < len(raw) <= 65_535
        reply = read_reply(raw)
        assert reply.rcode == "NOERROR"
        assert reply.flags == {"qr", "aa", "rd"}
        assert reply.edns == edns
        seen |= set(rdata(reply))
        firsts.add(reply.answer[0])
    assert seen == set(CROWD)
    assert len(firsts) == 8
    assert crowd.stats.oversized - oversized == (0 if edns else 1), "counted when it is made"


def test_crowd_of_srv_records(crowd: Handler) -> None:
    """Each record comes with its target's address or is left out with it, in turn."""
    seen: set[str] = set()
    for _ in range(8):
        raw = crowd.handle(query(f"_http._tcp.s.{T}", "SRV"))
        assert isinstance(raw, bytes)
        reply = read_reply(raw)
        assert (reply.rcode, "tc" in reply.flags) == ("NOERROR", False)
        assert len(reply.answer) > 700
        seen |= set(rdata(reply))
    assert len(seen) > 5000
    assert {record.split(" ")[5] for record in reply.answer} == {"1"}, "weight is at least 1"


def test_names_of_endpoints_in_a_crowd(crowd: Handler) -> None:
    assert rdata(get(crowd, f"10-200-7-7.s.{T}")) == ["10.200.7.7"]
    assert get(crowd, f"10-201-7-7.s.{T}").rcode == "NXDOMAIN"
    assert rdata(get(crowd, "7.7.200.10.in-addr.arpa.", "PTR")) == [f"10-200-7-7.s.{T}"]
    assert get(crowd, f"_none._tcp.s.{T}", "SRV").rcode == "NXDOMAIN"
    crowd.apply(change(sliced("0"), gone=True))
    crowd.apply(change(sliced("new", "10.201.0.1")))
    seen = {ip for _ in range(8) for ip in rdata(get(crowd, f"s.{T}"))}
    assert seen == {*CROWD[100:], "10.201.0.1"}


def test_crowd_over_the_bounds() -> None:
    """An answer is made from a bounded number of endpoints; the name of each is answered."""
    ips = [*CROWD, *(ip.replace("10.200", "10.201") for ip in CROWD[:3000])]
    slices = (sliced(f"{at:04}", *ips[at : at + 300]) for at in range(0, 9000, 300))
    handler = made([HEADLESS, *slices])
    seen = {ip for _ in range(8) for ip in rdata(get(handler, f"s.{T}"))}
    assert 8192 <= len(seen) < 9000
    assert rdata(get(handler, f"{ips[-1].replace('.', '-')}.s.{T}")) == [ips[-1]]
