"""What is read from the octets of a packed object is what unpacking it gives, or nothing."""

from __future__ import annotations

from typing import Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Held,
    Port,
    Service,
    pack,
)
from grpcdns.core.cluster.packed import add_ready, cluster_ips

texts = st.text(max_size=40) | st.integers(0, 300).map("x".__mul__)
ports = st.builds(Port, texts, texts, st.integers(-1, 65535))
held = st.none() | st.builds(Held, texts, st.integers(0, 1 << 40))
services = st.builds(
    Service, texts, texts, st.sampled_from(("ClusterIP", "LoadBalancer", "ExternalName")) | texts,
    st.lists(texts, max_size=20).map(tuple), texts, st.lists(ports, max_size=3).map(tuple),
    st.lists(texts, max_size=3).map(tuple), texts, held,
)  # fmt: skip
details = st.none() | st.builds(EndpointDetails, st.booleans(), st.booleans(), texts)
endpoints = st.builds(
    Endpoint, st.lists(texts, max_size=3).map(tuple), st.booleans(), texts, texts, texts, details
)
slices = st.builds(
    EndpointSlice, texts, texts, texts, st.sampled_from(("IPv4", "IPv6", "FQDN")) | texts,
    st.lists(endpoints, max_size=20).map(tuple), st.lists(ports, max_size=2).map(tuple), texts,
    texts, held,
)  # fmt: skip
PLAIN: Final = Service("ns", "s", cluster_ips=("10.0.0.1", "2001:db8::1"))
POINT: Final = Endpoint(("10.0.0.1",), True, "host", "pod", "zone")
SLICE: Final = EndpointSlice("ns", "e", "s", endpoints=(POINT, Endpoint(("10.0.0.2",), False)))


@given(services)
def test_cluster_ips_are_those_of_the_service(service: Service) -> None:
    found = cluster_ips(pack(service))
    assert found is None or (found == list(service.cluster_ips) and service.held is None)
    assert found is None or service.type != "ExternalName"


@given(slices)
def test_ready_addresses_are_those_of_the_slice(slice_: EndpointSlice) -> None:
    found = ["before"]
    size = add_ready(pack(slice_), found)
    if size < 0:
        assert found == ["before"]
        return
    ready = [text for point in slice_.endpoints if point.ready for text in point.addresses]
    assert (found, size) == (["before", *ready], len(slice_.endpoints))
    assert slice_.held is None
    assert slice_.address_type in ("IPv4", "IPv6")


def test_what_is_plain_is_read() -> None:
    """Nothing would be read if the form changed, and nobody would notice but by the clock."""
    assert cluster_ips(pack(PLAIN)) == ["10.0.0.1", "2001:db8::1"]
    long = msgspec.structs.replace(PLAIN, name="x" * 63, cluster_ips=("f" * 39,))
    assert cluster_ips(pack(long)) == ["f" * 39]
    found: list[str] = []
    assert add_ready(pack(SLICE), found) == 2
    assert found == ["10.0.0.1"]


@pytest.mark.parametrize(
    "service",
    [
        msgspec.structs.replace(PLAIN, type="ExternalName"),
        msgspec.structs.replace(PLAIN, held=Held("guard", 1)),
    ],
)
def test_what_is_not_plain_is_not_read(service: Service) -> None:
    assert cluster_ips(pack(service)) is None
