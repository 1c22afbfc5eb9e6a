"""Odd objects: those whose type changes, and those with fields that are empty or unusable."""

from __future__ import annotations

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    Object,
    Service,
)
from grpcdns.core.handler import Handler
from tests.conformance.loading import fail
from tests.unit.core.making import (
    HEADLESS,
    NAMED,
    SVC,
    T,
    change,
    get,
    made,
    rdata,
    sliced,
    with_,
)


@pytest.mark.parametrize("before", [SVC, HEADLESS, NAMED, None])
@pytest.mark.parametrize("after", [SVC, HEADLESS, NAMED, None])
def test_type_flips(before: Service | None, after: Service | None) -> None:
    target: Service = with_(SVC, name="svc1", cluster_ips=("10.0.0.9",))
    others: list[Object] = [target, sliced("a", "10.200.0.1")]
    handler = made([*others, *([before] if before else [])])
    names = [f"s.{T}", f"10-200-0-1.s.{T}", f"_http._tcp.s.{T}", "1.0.0.10.in-addr.arpa."]
    asked = [(name, qtype) for name in names for qtype in ("A", "SRV", "PTR", "CNAME", "TXT")]
    for one in asked:
        get(handler, *one)
    if after is not None:
        handler.apply(change(after, 2))
    elif before is not None:
        handler.apply(change(before, 2, gone=True))
    fresh = made([*others, *([after] if after else [])])
    for one in asked:
        assert get(handler, *one).folded() == get(fresh, *one).folded()


def test_one_address_in_two_slices() -> None:
    handler = made([HEADLESS, sliced("a", "10.200.0.1"), sliced("b", "10.200.0.1")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    handler.apply(change(sliced("a", "10.200.0.1"), gone=True))
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"10-200-0-1.s.{T}"]
    handler.apply(change(sliced("b", "10.200.0.1"), gone=True))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert get(handler, "1.0.200.10.in-addr.arpa.", "PTR").rcode == "NXDOMAIN"


def test_slice_moves_to_another_service() -> None:
    other: Service = with_(HEADLESS, name="t")
    handler = made([HEADLESS, other, sliced("a", "10.200.0.1")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1"]
    assert get(handler, f"t.{T}").rcode == "NXDOMAIN"
    handler.apply(change(sliced("a", "10.200.0.1", service="t")))
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert rdata(get(handler, f"t.{T}")) == ["10.200.0.1"]


def test_an_address_with_a_zone_identifier_is_left_out() -> None:
    """It means something on its own node alone (RFC 4007 6). The others are answered."""
    scoped = with_(sliced("a", "fe80::1%eth0", "fd00::1"), address_type="IPv6")
    handler = made([HEADLESS, scoped])
    assert rdata(get(handler, f"s.{T}", "AAAA")) == ["fd00::1"]
    weights = [record.split()[5] for record in get(handler, f"_http._tcp.s.{T}", "SRV").answer]
    assert weights == ["100"]


def test_hostname_changes_and_address_stays() -> None:
    """The PTR record changes."""
    handler = made([HEADLESS, sliced("a", "10.200.0.1")])
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"10-200-0-1.s.{T}"]
    handler.apply(change(with_(sliced("a"), endpoints=(Endpoint(("10.200.0.1",), True, "web"),))))
    assert rdata(get(handler, "1.0.200.10.in-addr.arpa.", "PTR")) == [f"web.s.{T}"]


@pytest.mark.parametrize(
    "service",
    [
        Service("ns", "s", cluster_ips=()),
        Service("ns", "s", cluster_ips=("",)),
        Service("ns", "s", cluster_ips=("nonsense",)),
    ],
)
def test_service_without_addresses(service: Service) -> None:
    handler = made([service])
    assert (get(handler, f"s.{T}").rcode, get(handler, f"s.{T}").answer) == ("NOERROR", ())


@pytest.mark.parametrize("target", ["", ".", "a..b", "x" * 64, "€" * 9, ("x" * 60 + ".") * 5])
def test_external_name_that_is_no_name(target: str) -> None:
    handler = made([Service("ns", "s", "ExternalName", ("",), target)])
    assert get(handler, f"s.{T}").rcode == "NXDOMAIN"
    assert get(handler, f"s.{T}", "CNAME").rcode == "NXDOMAIN"


def test_endpoint_that_is_no_address() -> None:
    handler = made([HEADLESS, sliced("a", "nonsense", "10.200.0.1", "::ffff:10.200.0.2")])
    assert rdata(get(handler, f"s.{T}")) == ["10.200.0.1", "10.200.0.2"]
    assert rdata(get(handler, f"--ffff-10-200-0-2.s.{T}")) == ["10.200.0.2"]
    crowd = (sliced(f"b{number}", f"10.201.0.{number}") for number in range(20))
    many = made([HEADLESS, *crowd, sliced("a", "::ffff:10.200.0.2")])
    assert rdata(get(many, f"--ffff-10-200-0-2.s.{T}")) == ["10.200.0.2"]
    # As in the plugin, the label is made of the text and the record of the address.
    assert rdata(get(handler, "2.0.200.10.in-addr.arpa.", "PTR")) == [f"--ffff-10-200-0-2.s.{T}"]


@pytest.mark.parametrize(
    ("service", "answer", "additional"),
    [
        (None, [], []),
        (NAMED, [], []),
        (SVC, [f"s.{T}"], [f"s.{T} 5 IN A 10.0.0.1"]),
        (HEADLESS, [f"10-200-0-1.s.{T}"], [f"10-200-0-1.s.{T} 5 IN A 10.200.0.1"]),
    ],
)
def test_name_servers(service: Service | None, answer: list[str], additional: list[str]) -> None:
    objects: list[Object] = [sliced("a", "10.200.0.1"), *([service] if service else [])]
    handler = made(objects, dns_service="ns/s", external_zones=("outside.example.",))
    reply = get(handler, "cluster.local.", "NS")
    assert rdata(reply) == answer
    assert list(reply.additional) == additional
    assert len(get(handler, "ns.dns.cluster.local.").answer) == len(answer)
    # It has no external address, so neither has the external zone's name server.
    assert rdata(get(handler, "outside.example.", "NS")) == ["ns1.dns.outside.example."]
    assert get(handler, "outside.example.", "NS").additional == ()


def test_outside_the_zones_is_refused() -> None:
    """md-08."""
    reply = get(Handler(Policy(), report=fail), "example.com.")
    assert (reply.rcode, reply.sections) == ("REFUSED", ((), (), ()))
