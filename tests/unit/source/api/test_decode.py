"""API JSON -> objects: a row for each oddity, and whatever hypothesis can think of."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceCIDR,
    ServiceImport,
    unpack,
)
from grpcdns.source.api.decode import Decoder, Item, ListReader, Page, Unreadable, parse_time
from grpcdns.source.kinds import Fields
from grpcdns.source.scope import fields_of

META = {"name": "x", "namespace": "ns", "resourceVersion": "7"}
LONG = "p" * 64


def slice_(*endpoints: Any, ports: Any = (), labels: Any = None, **more: Any) -> dict[str, Any]:
    meta = {**META, "labels": labels or {"kubernetes.io/service-name": "svc"}}
    return {"metadata": meta, "addressType": "IPv4", "endpoints": list(endpoints),
            "ports": ports, **more}  # fmt: skip


def service(spec: Any, status: Any = None) -> dict[str, Any]:
    return {"metadata": META, "spec": spec, "status": status}


def endpoint(**fields: Any) -> EndpointSlice:
    return EndpointSlice("ns", "x", "svc", endpoints=(Endpoint(("10.0.0.1",), **fields),))


ADDRESS = {"addresses": ["10.0.0.1"]}

ROWS: dict[str, tuple[Kind, dict[str, Any], Object]] = {
    "namespace": (Kind.NAMESPACE, {"metadata": {"name": "a"}}, Namespace("", "a")),
    "slice: unknown fields": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "surprise": {"a": [1]}}, new=1), endpoint()),
    "slice: ready is null": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "conditions": {"ready": None}}), endpoint()),
    "slice: no conditions": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "conditions": None}), endpoint()),
    "slice: ready": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "conditions": {"ready": True}}), endpoint()),
    "slice: not ready": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "conditions": {"ready": False}}),
        endpoint(ready=False)),
    "slice: serving while terminating is not ready": (
        Kind.ENDPOINT_SLICE,
        slice_({**ADDRESS, "conditions": {"ready": False, "serving": True, "terminating": True}}),
        endpoint(ready=False, details=EndpointDetails(serving=True, terminating=True))),
    "slice: serving not given is as ready": (
        Kind.ENDPOINT_SLICE,
        slice_({**ADDRESS, "conditions": {"ready": False, "terminating": True}}),
        endpoint(ready=False, details=EndpointDetails(serving=False, terminating=True))),
    "slice: conditions null": (
        Kind.ENDPOINT_SLICE,
        slice_({**ADDRESS, "conditions": {"ready": None, "serving": None, "terminating": None}}),
        endpoint()),
    "slice: node": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "nodeName": "Node-1"}),
        endpoint(details=EndpointDetails(node="node-1"))),
    "slice: hints": (
        Kind.ENDPOINT_SLICE,
        slice_({**ADDRESS, "hints": {"forZones": [{"name": "EU-1a"}, {"name": "eu-1b"}],
                                     "forNodes": [{"name": "node-1"}]}}),
        endpoint(details=EndpointDetails(for_zones=("eu-1a", "eu-1b"), for_nodes=("node-1",)))),
    "slice: hints null": (
        Kind.ENDPOINT_SLICE,
        slice_({**ADDRESS, "nodeName": None,
                "hints": {"forZones": None, "forNodes": [{"name": None}]}}),
        endpoint()),
    "slice: hostname": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "hostname": "h"}), endpoint(hostname="h")),
    "slice: hostname null": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "hostname": None}), endpoint()),
    "slice: pod": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "targetRef": {"name": LONG[:63]}}),
        endpoint(pod=LONG[:63])),
    "slice: pod name no label": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "targetRef": {"name": LONG}}), endpoint()),
    "slice: pod without name": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "targetRef": {"name": None}}), endpoint()),
    "slice: zone": (
        Kind.ENDPOINT_SLICE, slice_({**ADDRESS, "zone": "EU-1a"}), endpoint(zone="eu-1a")),
    "slice: addresses null": (
        Kind.ENDPOINT_SLICE, slice_({"addresses": None}),
        EndpointSlice("ns", "x", "svc", endpoints=(Endpoint(()),))),
    "slice: all null": (
        Kind.ENDPOINT_SLICE,
        {"metadata": META, "addressType": None, "endpoints": None, "ports": None},
        EndpointSlice("ns", "x", "")),
    "slice: FQDN": (
        Kind.ENDPOINT_SLICE, {**slice_({"addresses": ["a.example"]}), "addressType": "FQDN"},
        EndpointSlice("ns", "x", "svc", "FQDN", (Endpoint(("a.example",)),))),
    "slice: port null": (
        Kind.ENDPOINT_SLICE, slice_(ports=[{"name": None, "port": None, "protocol": None}]),
        EndpointSlice("ns", "x", "svc", ports=(Port("", "", -1),))),
    "slice: ports": (
        Kind.ENDPOINT_SLICE, slice_(ports=[{"name": "a", "port": 0, "protocol": "UDP"}]),
        EndpointSlice("ns", "x", "svc", ports=(Port("a", "UDP", 0),))),
    "slice: imported": (
        Kind.ENDPOINT_SLICE,
        slice_(labels={"multicluster.kubernetes.io/service-name": "i",
                       "multicluster.kubernetes.io/source-cluster": "c"}),
        EndpointSlice("ns", "x", "", imported_service="i", cluster="c")),
    "slice: label null": (
        Kind.ENDPOINT_SLICE, slice_(labels={"kubernetes.io/service-name": None}),
        EndpointSlice("ns", "x", "")),
    "service: clusterIPs": (
        Kind.SERVICE, service({"clusterIP": "10.0.0.1", "clusterIPs": ["10.0.0.1", "fd00::1"]}),
        Service("ns", "x", cluster_ips=("10.0.0.1", "fd00::1"))),
    "service: clusterIP alone": (
        Kind.SERVICE, service({"clusterIP": "10.0.0.1", "clusterIPs": None}),
        Service("ns", "x", cluster_ips=("10.0.0.1",))),
    "service: clusterIPs empty": (
        Kind.SERVICE, service({"clusterIP": "None", "clusterIPs": []}),
        Service("ns", "x", cluster_ips=("None",))),
    "service: no clusterIP": (Kind.SERVICE, service({}), Service("ns", "x", cluster_ips=("",))),
    "service: trafficDistribution": (
        Kind.SERVICE, service({"trafficDistribution": "PreferSameNode"}),
        Service("ns", "x", traffic_distribution="PreferSameNode")),
    "service: spec null": (Kind.SERVICE, service(None), Service("ns", "x", cluster_ips=("",))),
    "service: ExternalName": (
        Kind.SERVICE, service({"type": "ExternalName", "externalName": "a.b"}),
        Service("ns", "x", "ExternalName", ("",), "a.b")),
    "service: ports": (
        Kind.SERVICE,
        service({"ports": [{"port": 80, "protocol": "TCP", "targetPort": "web"}]}),
        Service("ns", "x", ports=(Port("", "TCP", 80),))),
    "service: external addresses": (
        Kind.SERVICE,
        service({"externalIPs": ["1.1.1.1"]},
                {"loadBalancer": {"ingress": [{"ip": "2.2.2.2", "hostname": "h"},
                                              {"hostname": "lb.example"}, {}]}}),
        Service("ns", "x", external_ips=("1.1.1.1", "2.2.2.2", "lb.example", ""))),
    "service: ingress null": (
        Kind.SERVICE, service({}, {"loadBalancer": {"ingress": None}}), Service("ns", "x")),
    "pod": (
        Kind.POD, {"metadata": META, "status": {"podIP": "1.2.3.4"}}, Pod("ns", "x", "1.2.3.4")),
    "pod: no address yet": (Kind.POD, {"metadata": META, "status": None}, Pod("ns", "x")),
    "import": (
        Kind.SERVICE_IMPORT,
        {"metadata": META, "spec": {"type": "Headless", "ips": None, "ports": [{"port": 1}]}},
        ServiceImport("ns", "x", "Headless", (), (Port("", "", 1),))),
    "import: trafficDistribution": (
        Kind.SERVICE_IMPORT,
        {"metadata": META, "spec": {"type": "Headless", "trafficDistribution": "PreferClose"}},
        ServiceImport("ns", "x", "Headless", traffic_distribution="PreferClose")),
    "import: addresses": (
        Kind.SERVICE_IMPORT, {"metadata": META, "spec": {"ips": ["10.0.0.9"]}},
        ServiceImport("ns", "x", "ClusterSetIP", ("10.0.0.9",))),
    "cidr: dual-stack": (
        Kind.SERVICE_CIDR,
        {"metadata": {"name": "x"}, "spec": {"cidrs": ["10.96.0.0/12", "fd00::/112"]}},
        ServiceCIDR("", "x", ("10.96.0.0/12", "fd00::/112"))),
    "cidr: spec is null": (
        Kind.SERVICE_CIDR, {"metadata": {"name": "x"}, "spec": None}, ServiceCIDR("", "x")),
}  # fmt: skip


def read_list(decoder: Decoder, body: bytes) -> tuple[list[Item], ListReader]:
    reader = ListReader(decoder)
    return [*reader.feed(body), *reader.finish()], reader


@pytest.mark.parametrize(("kind", "raw", "expected"), ROWS.values(), ids=ROWS.keys())
def test_objects(kind: Kind, raw: dict[str, Any], expected: Object) -> None:
    """The same on its own, in a list and in an event."""
    decoder = Decoder(kind)
    text = json.dumps(raw).encode()
    item = decoder.item(text)
    assert item.body is not None
    assert unpack(kind, item.body) == expected
    assert read_list(decoder, b'{"items":[%s]}' % text)[0] == [item]
    assert decoder.event(b'{"type":"ADDED","object":%s}' % text).item == item


FULL: Final = {
    **ADDRESS,
    "targetRef": {"name": "p"},
    "zone": "z",
    "nodeName": "n",
    "conditions": {"ready": True, "serving": True, "terminating": False},
    "hints": {"forZones": [{"name": "z"}], "forNodes": [{"name": "n"}]},
}
"""An endpoint as the controllers write it."""
DETAILS: Final = EndpointDetails(node="n", for_zones=("z",), for_nodes=("n",))


def packed(raw: dict[str, Any], fields: Fields, kind: Kind = Kind.ENDPOINT_SLICE) -> bytes:
    body = Decoder(kind, fields).item(json.dumps(raw).encode()).body
    assert body is not None
    return body


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (Fields(), endpoint(pod="p", zone="z", details=DETAILS)),
        (Fields(zones=False), endpoint(pod="p", details=DETAILS)),
        (Fields(pods=False), endpoint(zone="z", details=DETAILS)),
        (Fields(topology=False), endpoint(pod="p", zone="z")),
    ],
)
def test_only_needed_fields_are_kept(fields: Fields, expected: EndpointSlice) -> None:
    assert unpack(Kind.ENDPOINT_SLICE, packed(slice_(FULL), fields)) == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (Policy(), None),
        (Policy(serve_terminating=True), EndpointDetails(serving=True, terminating=True)),
        (Policy(hold_empty=60.0), EndpointDetails(serving=True, terminating=True)),
        # Without those, no answer may depend on whether an endpoint is serving.
        (Policy(topology_zone="z"), EndpointDetails(serving=False, terminating=True, node="n")),
    ],
)
def test_conditions_are_kept_where_they_are_needed(
    policy: Policy, expected: EndpointDetails | None
) -> None:
    conditions = {"ready": False, "serving": True, "terminating": True}
    raw = slice_({**ADDRESS, "nodeName": "n", "conditions": conditions})
    found = unpack(Kind.ENDPOINT_SLICE, packed(raw, fields_of(policy)))
    assert found == endpoint(ready=False, details=expected)


def test_traffic_distribution_is_kept_where_it_is_needed() -> None:
    raw = service({"trafficDistribution": "PreferClose"})
    assert unpack(Kind.SERVICE, packed(raw, Fields(topology=False), Kind.SERVICE)) == Service(
        "ns", "x", cluster_ips=("",)
    )


def test_an_imports_traffic_distribution_is_kept_where_it_is_needed() -> None:
    raw = {"metadata": META, "spec": {"trafficDistribution": "PreferClose"}}
    body = packed(raw, Fields(imports=False), Kind.SERVICE_IMPORT)
    assert unpack(Kind.SERVICE_IMPORT, body) == ServiceImport("ns", "x")


def test_details_that_nobody_needs_cost_an_octet() -> None:
    """Beside the five fields that an endpoint had before there were details."""
    fields = fields_of(Policy())
    addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(1000)]
    points = [{**FULL, "addresses": [address]} for address in addresses]
    bare = [([address], True, "", "", "") for address in addresses]
    without = msgspec.msgpack.encode(("ns", "x", "svc", "IPv4", bare, (), "", ""))
    assert len(packed(slice_(*points), fields)) == len(without) + len(points)


BROKEN = {
    "no metadata": {"spec": {}},
    "no name": {"metadata": {"namespace": "ns"}},
    "a number for a text": {"metadata": META, "spec": {"clusterIP": 7}},
    "a text for a list": {"metadata": META, "spec": {"ports": "80"}},
    "a list for an object": {"metadata": META, "spec": []},
    "a text for a number": {"metadata": META, "spec": {"ports": [{"port": "80"}]}},
}


@pytest.mark.parametrize("raw", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_object_is_named(raw: dict[str, Any]) -> None:
    with pytest.raises(Unreadable) as error:
        Decoder(Kind.SERVICE).item(json.dumps(raw).encode())
    assert error.value.key == ("ns/x" if "metadata" in raw and raw["metadata"] == META else "")


def test_a_list_goes_on_without_a_broken_object() -> None:
    good = {"metadata": META}
    body = json.dumps({"metadata": {"resourceVersion": "9", "continue": "t",
                                    "remainingItemCount": 3},
                       "items": [good, BROKEN["a list for an object"], good]})  # fmt: skip
    items, reader = read_list(Decoder(Kind.SERVICE), body.encode())
    assert len(items) == 2
    assert [bad.key for bad in reader.unreadable] == ["ns/x"]
    assert reader.page == Page("9", "t", 3)


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"items"', b'{"items":7}', b"\xff"])
def test_anything_but_a_list_is_an_error(body: bytes) -> None:
    with pytest.raises(Unreadable, match="not a list"):
        read_list(Decoder(Kind.SERVICE), body)


TIMES = {
    None: 0.0,
    "": 0.0,
    "soon": 0.0,
    "2026-10-01T10:00:00Z": 1790848800.0,
    "2026-10-01T10:00:00.25Z": 1790848800.25,
    "2026-10-01T12:00:00+02:00": 1790848800.0,
    "2026-10-01T10:00:00.123456789Z": 1790848800.123456,
}


@pytest.mark.parametrize(("text", "seconds"), TIMES.items())
def test_trigger_times(text: str | None, seconds: float) -> None:
    assert parse_time(text) == seconds
    raw = slice_()
    raw["metadata"]["annotations"] = {"endpoints.kubernetes.io/last-change-trigger-time": text}
    assert Decoder(Kind.ENDPOINT_SLICE).item(json.dumps(raw).encode()).triggered == seconds


WORDS = """
kind type object metadata name namespace labels annotations spec status items endpoints addresses
conditions ready ports port clusterIP clusterIPs code details causes podIP phase loadBalancer
ingress continue remainingItemCount resourceVersion
"""
KEYS = st.sampled_from(WORDS.split())
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.sampled_from(["ADDED", "MODIFIED", "DELETED", "BOOKMARK", "ERROR", "Service", "x"])
)  # fmt: skip
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(), inner, max_size=6)
    ),
    max_leaves=25,
)


@given(ANYTHING | st.dictionaries(KEYS, ANYTHING, max_size=5), st.sampled_from(Kind))
@settings(max_examples=400, deadline=None)
def test_any_json_is_read_or_unreadable(value: Any, kind: Kind) -> None:
    check_total(Decoder(kind), json.dumps(value).encode())


@given(st.binary(max_size=200), st.sampled_from(Kind))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_read_or_unreadable(raw: bytes, kind: Kind) -> None:
    check_total(Decoder(kind), raw)


def check_total(decoder: Decoder, raw: bytes) -> None:
    for read in (decoder.item, decoder.event, partial(read_list, decoder)):
        try:
            read(raw)
        except Unreadable:
            pass


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\u0000"', '"a/b"', "1e999", "-0"])
def test_odd_names(text: str) -> None:
    raw = b'{"metadata":{"namespace":"ns","name":%s}}' % text.encode()
    check_total(Decoder(Kind.SERVICE), raw)
