"""External zones: load balancers without a name, and the name servers."""

from __future__ import annotations

from typing import Final

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Kind,
    Port,
    Service,
)
from grpcdns.core.handler import Handler
from tests.conformance.loading import fail
from tests.unit.core.making import (
    SVC,
    change,
    get,
    made,
    rdata,
    with_,
)


@pytest.mark.parametrize("target", ["a..b", "", "x" * 64])
def test_load_balancer_without_a_usable_name(target: str) -> None:
    service: Service = with_(SVC, external_ips=(target, "192.0.2.1"))
    handler = made([service], external_zones=("outside.example.",))
    assert rdata(get(handler, "s.ns.outside.example.")) == ["192.0.2.1"]


HEADLESS_DNS: Final = Service("kube-system", "dns", cluster_ips=("None",))


DNS_POINT: Final = EndpointSlice(
    "kube-system", "dns-a", "dns", endpoints=(Endpoint(("10.244.0.20",)),),
    ports=(Port("dns", "UDP", 53),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("external_ips", "headless", "addresses"),
    [
        pytest.param((), True, ["10.244.0.20"], id="ne-01"),
        pytest.param((), False, [], id="ne-02"),
        pytest.param(("1.2.3.4",), False, ["1.2.3.4"], id="ne-03 ne-04"),
    ],
)
def test_external_name_servers(
    external_ips: tuple[str, ...], headless: bool, addresses: list[str]
) -> None:
    policy = Policy(
        external_zones=("example.com.",), external_headless=headless, dns_service="kube-system/dns"
    )
    handler = Handler(policy, report=fail)
    for kind in Kind:
        list(handler.replace(kind, [], 1))
    handler.apply(change(with_(HEADLESS_DNS, external_ips=external_ips)))
    handler.apply(change(DNS_POINT))
    reply = get(handler, "example.com.", "NS")
    assert reply.answer == ("example.com. 5 IN NS ns1.dns.example.com.",)
    assert [record.split(" ")[-1] for record in reply.additional] == addresses
    reply = get(handler, "ns1.dns.example.com.")
    assert [record.split(" ")[-1] for record in reply.answer] == addresses
