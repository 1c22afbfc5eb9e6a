"""The number of a cluster's names, from the first page of each list and from manifests."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from grpcdns.corefile.cache import Names
from grpcdns.preflight.names import from_objects, from_pages
from harness.objects import endpoint_slice, endpoints, port, service

DAY = date(2025, 3, 1)
NONE = Names(source="no Service was found")


def a_slice(name: str, addresses: int, *, headless: bool = False) -> dict[str, Any]:
    points = [{"addresses": [f"10.0.0.{n}"]} for n in range(addresses)]
    made = endpoint_slice(f"{name}-a", name, points, [port(80)])
    if headless:
        made["metadata"]["labels"]["service.kubernetes.io/headless"] = ""
    return made


def page(items: list[Any], more: int = 0) -> dict[str, Any]:
    return {"items": items, "metadata": {"remainingItemCount": more} if more else {}}


PAGES = {
    "nothing": (page([]), page([]), NONE),
    "nulls": ({"items": None, "metadata": None}, {"items": None}, NONE),
    "one": (page([{}]), page([]), Names(1, "1 Service, counted on 2025-03-01")),
    "all in a page": (
        page([{}], 9),
        page([a_slice("a", 3, headless=True), a_slice("b", 5)]),
        Names(13, "10 Services and 3 endpoints of headless ones, counted on 2025-03-01"),
    ),
    "estimated from the first page": (
        page([{}], 9999),
        page([a_slice("a", 3, headless=True), a_slice("b", 5)], 998),
        Names(
            11_500,
            "10,000 Services and about 1,500 endpoints of headless ones, counted on 2025-03-01",
        ),
    ),
}


@pytest.mark.parametrize(("services", "slices", "expected"), PAGES.values(), ids=PAGES.keys())
def test_pages(services: Any, slices: Any, expected: Names) -> None:
    assert from_pages(services, slices, DAY) == expected


def kinds(*objects: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(one["kind"], one) for one in objects]


HEADLESS = service("db", headless=True)
OBJECTS = {
    "nothing": ([], 0),
    "a Service": (kinds(service("web", cluster_ips=["10.96.0.1"]), a_slice("web", 5)), 1),
    "a headless one": (kinds(HEADLESS, a_slice("db", 5), a_slice("db", 2)), 8),
    "Endpoints without a slice": (kinds(HEADLESS, endpoints("db", ["10.0.0.1"], [port(80)])), 2),
    "Endpoints with a slice": (
        kinds(HEADLESS, endpoints("db", ["10.0.0.1"], [port(80)]), a_slice("db", 1)), 2,
    ),
    "a Service twice": (kinds(HEADLESS, HEADLESS), 1),
    "mistakes": (
        [("Service", {"metadata": 1, "spec": []}), ("EndpointSlice", "x"), ("Endpoints", None)], 1,
    ),
}  # fmt: skip


@pytest.mark.parametrize(("objects", "number"), OBJECTS.values(), ids=OBJECTS.keys())
def test_objects(objects: list[tuple[str, Any]], number: int) -> None:
    assert from_objects(objects, DAY).number == number
