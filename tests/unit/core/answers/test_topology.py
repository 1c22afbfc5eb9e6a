"""Which endpoints are the nearest: a row for each way in which they are chosen."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Endpoint, EndpointDetails, Port, Service, ServiceImport
from grpcdns.core.handler import Handler
from tests.unit.core.making import HEADLESS, HTTP, T, change, get, made, rdata, sliced, with_

ZONE: Final[Service] = with_(HEADLESS, traffic_distribution="PreferSameZone")
NODE: Final[Service] = with_(HEADLESS, traffic_distribution="PreferSameNode")
NAME: Final = f"s.{T}"


def at(number: int, zone: str, node: str = "", *, ready: bool = True, **hints: Any) -> Endpoint:
    details = EndpointDetails(node=node, **hints) if node or hints else None
    return Endpoint((f"10.0.0.{number}",), ready, zone=zone, details=details)


class Row(NamedTuple):
    """Which of the endpoints, by the last number of their address, are given."""

    id: str
    points: list[Endpoint]
    given: list[int]
    policy: dict[str, str]
    service: Service = ZONE


A: Final = {"topology_zone": "a"}
THREE: Final = [at(1, "a", "a1"), at(2, "b", "b1"), at(3, "c", "c1")]
CROWD: Final = [at(number, "b") for number in range(2, 13)]
ROWS = [
    Row("own zone", THREE, [1], A),
    Row("PreferClose", THREE, [1], A, with_(HEADLESS, traffic_distribution="PreferClose")),
    Row("PreferSameNode without a node", THREE, [1], A, NODE),
    Row("an unknown word", THREE, [1, 2, 3], A, with_(HEADLESS, traffic_distribution="Nearby")),
    Row("no trafficDistribution", THREE, [1, 2, 3], A, HEADLESS),
    Row("no option", THREE, [1, 2, 3], {}),
    Row("a zone without endpoints", THREE, [1, 2, 3], {"topology_zone": "z"}),
    Row("none ready there", [at(1, "a", ready=False), *THREE[1:]], [2, 3], A),
    Row("one of two ready there", [at(1, "a", ready=False), at(4, "a"), *THREE[1:]], [4], A),
    Row("a hint before the own zone",
        [at(1, "a", for_zones=("b",)), at(2, "b", for_zones=("a",)), at(3, "c")], [2], A),
    Row("hints for two zones",
        [at(1, "a", for_zones=("a",)), at(2, "b", for_zones=("b", "a")), at(3, "c")], [1, 2], A),
    Row("no zones at all", [at(1, ""), at(2, "")], [1, 2], A),
    Row("half of an equal share", [at(1, "a"), *CROWD[:3]], [1], A),
    Row("less than half of it", [at(1, "a"), *CROWD[:4]], [1, 2, 3, 4, 5], A),
    Row("half of it, of three zones", [at(1, "a"), at(13, "c"), *CROWD[:4]], [1], A),
    Row("any share", [at(1, "a"), *CROWD], [1], {**A, "topology_min_share": "0"}),
    Row("exactly the share", [at(1, "a"), *CROWD[:1]], [1], {**A, "topology_min_share": "0.5"}),
    Row("below the share", [at(1, "a"), *CROWD[:2]], [1, 2, 3],
        {**A, "topology_min_share": "0.5"}),
    Row("own node", THREE, [2], {**A, "topology_node": "b1"}, NODE),
    Row("own node, however few", [at(1, "b", "b1"), *CROWD], [1], {"topology_node": "b1"}, NODE),
    Row("own node, for a zone's Service", THREE, [1], {**A, "topology_node": "b1"}, ZONE),
    Row("no endpoint on the node", THREE, [1], {**A, "topology_node": "z1"}, NODE),
    Row("none ready on the node", [at(1, "a", "a1"), at(2, "b", "b1", ready=False)], [1],
        {**A, "topology_node": "b1"}, NODE),
    Row("a hint before the own node",
        [at(1, "a", "a1", for_nodes=("b1",)), at(2, "b", "b1", for_nodes=("a1",))], [1],
        {"topology_node": "b1"}, NODE),
]  # fmt: skip


def handler_of(row: Row) -> Handler:
    return made([row.service, with_(sliced("a"), endpoints=tuple(row.points))], **row.policy)


def addresses(*numbers: int) -> list[str]:
    return [f"10.0.0.{number}" for number in numbers]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_given(row: Row) -> None:
    handler = handler_of(row)
    assert sorted(rdata(get(handler, NAME))) == sorted(addresses(*row.given))
    weights = [record.split()[5] for record in get(handler, NAME, "SRV").answer]
    assert weights == [f"{100 // len(row.given)}"] * len(row.given)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_names_of_one_endpoint_are_as_ever(row: Row) -> None:
    handler = handler_of(row)
    for point in row.points:
        (address,) = point.addresses
        name = f"{address.replace('.', '-')}.{NAME}"
        assert rdata(get(handler, name)) == ([address] if point.ready else [])
        reverse = f"{address.rpartition('.')[2]}.0.0.10.in-addr.arpa."
        assert rdata(get(handler, reverse, "PTR")) == ([name] if point.ready else [])


def test_families_are_chosen_apart() -> None:
    six = with_(sliced("six"), address_type="IPv6", endpoints=(
        Endpoint(("fd00::1",), zone="b"), Endpoint(("fd00::2",), zone="c")))  # fmt: skip
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(THREE)), six], **A)
    assert rdata(get(handler, NAME)) == addresses(1)
    assert rdata(get(handler, NAME, "AAAA")) == ["fd00::1", "fd00::2"]


def test_the_endpoints_of_a_port_are_chosen_among_those_that_have_it() -> None:
    dns = with_(sliced("dns"), endpoints=(at(9, "b"),), ports=(Port("dns", "UDP", 53),))
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(THREE), ports=HTTP), dns], **A)
    assert rdata(get(handler, f"_dns._udp.{NAME}")) == addresses(9)
    assert rdata(get(handler, f"_http._tcp.{NAME}")) == addresses(1)


def test_a_zone_that_fails_and_comes_back() -> None:
    """The remembered answer goes with each change."""
    slices = {zone: with_(sliced(zone), endpoints=(at(n, zone),)) for n, zone in enumerate("abc")}
    handler = made([ZONE, *slices.values()], **A)
    assert rdata(get(handler, NAME)) == addresses(0)
    handler.apply(change(with_(slices["a"], endpoints=(at(0, "a", ready=False),)), 2))
    assert rdata(get(handler, NAME)) == addresses(1, 2)
    handler.apply(change(slices["a"], 3))
    assert rdata(get(handler, NAME)) == addresses(0)


def test_the_field_takes_effect_when_it_changes() -> None:
    handler = made([HEADLESS, with_(sliced("a"), endpoints=tuple(THREE))], **A)
    assert rdata(get(handler, NAME)) == addresses(1, 2, 3)
    handler.apply(change(ZONE, 2))
    assert rdata(get(handler, NAME)) == addresses(1)


def test_another_share_takes_effect() -> None:
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(THREE))], **A)
    assert rdata(get(handler, NAME)) == addresses(1)
    handler.set_policy(Policy(topology_zone="a", topology_min_share="0.5"))
    assert rdata(get(handler, NAME)) == addresses(1, 2, 3)


def test_zonal_names_are_as_ever() -> None:
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(THREE))], zonal=True, **A)
    assert rdata(get(handler, f"b.pin._zone.{NAME}")) == addresses(2)
    assert rdata(get(handler, f"z.prefer._zone.{NAME}")) == addresses(1, 2, 3)


def test_external_zones_are_as_ever() -> None:
    """Who asks there is not in any zone of the cluster."""
    options: dict[str, Any] = {"external_zones": ("example.com.",), "external_headless": True}
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(THREE))], **A, **options)
    assert rdata(get(handler, "s.ns.example.com.")) == addresses(1, 2, 3)


def test_endpoints_that_end_stand_in_where_they_are_near() -> None:
    """With serve_terminating, where no endpoint is ready."""
    ending = [with_(one, ready=False, details=EndpointDetails(True, True)) for one in THREE]
    handler = made([ZONE, with_(sliced("a"), endpoints=tuple(ending))], serve_terminating=True, **A)
    assert rdata(get(handler, NAME)) == addresses(1)


SET: Final[dict[str, Any]] = {
    "zones": ("cluster.local.", "clusterset.local."), "multicluster": ("clusterset.local.",),
}  # fmt: skip
IMPORT: Final = ServiceImport("ns", "s", "Headless", (), HTTP, traffic_distribution="PreferClose")
IMPORTED: Final = "s.ns.svc.clusterset.local."


def of(cluster: str, *points: Endpoint, **fields: Any) -> Any:
    slice_ = sliced(cluster, service="", imported_service="s", cluster=cluster)
    return with_(slice_, endpoints=points, **fields)


EAST: Final = of("East", at(1, "a", "a1"), at(2, "b"))
WEST: Final = of("west", at(3, "a", "a1"), at(4, "b"))


class Imported(NamedTuple):
    id: str
    slices: list[Any]
    given: list[int]
    policy: dict[str, str]
    imported: ServiceImport = IMPORT


OWN: Final = {"cluster_id": "east"}
IMPORTS = [
    Imported("own cluster", [EAST, WEST], [1, 2], OWN),
    Imported("no option", [EAST, WEST], [1, 2, 3, 4], {}),
    Imported("a cluster that exports nothing", [EAST, WEST], [1, 2, 3, 4], {"cluster_id": "north"}),
    Imported("none ready in it", [of("East", at(1, "a", ready=False)), WEST], [3, 4], OWN),
    Imported("no trafficDistribution", [EAST, WEST], [1, 2, 3, 4], OWN,
             ServiceImport("ns", "s", "Headless", (), HTTP)),
    Imported("own zone of the own cluster", [EAST, WEST], [1], {**OWN, **A}),
    Imported("own zone of any cluster", [EAST, WEST], [1, 3], A),
    Imported("own zone of the others", [of("East", at(1, "a", ready=False)), WEST], [3],
             {**OWN, **A}),
    Imported("nodes of other clusters have the same names", [EAST, WEST], [1, 2, 3, 4],
             {"topology_node": "a1"}, with_(IMPORT, traffic_distribution="PreferSameNode")),
]  # fmt: skip


@pytest.mark.parametrize("row", IMPORTS, ids=lambda row: row.id)
def test_given_of_an_import(row: Imported) -> None:
    handler = made([row.imported, *row.slices], **SET, **row.policy)
    assert sorted(rdata(get(handler, IMPORTED))) == addresses(*row.given)
    weights = [record.split()[5] for record in get(handler, IMPORTED, "SRV").answer]
    assert weights == [f"{100 // len(row.given)}"] * len(row.given)


def test_names_of_one_endpoint_of_an_import_are_as_ever() -> None:
    handler = made([IMPORT, EAST, WEST], **SET, **OWN, **A)
    assert rdata(get(handler, f"10-0-0-4.west.{IMPORTED}")) == addresses(4)


def test_the_own_cluster_is_preferred_for_the_ports_it_has() -> None:
    dns = of("west", at(9, "b"), name="dns", ports=(Port("dns", "UDP", 53),))
    handler = made([IMPORT, EAST, WEST, dns], **SET, **OWN)
    assert rdata(get(handler, f"_dns._udp.{IMPORTED}")) == addresses(9)
    assert rdata(get(handler, f"_http._tcp.{IMPORTED}")) == addresses(1, 2)


def test_an_import_with_addresses_of_its_own_is_as_ever() -> None:
    imported: ServiceImport = with_(IMPORT, type="ClusterSetIP", ips=("10.9.9.9",))
    handler = made([imported, EAST, WEST], **SET, **OWN, **A)
    assert rdata(get(handler, IMPORTED)) == ["10.9.9.9"]
