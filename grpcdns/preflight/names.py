"""How many names a cluster has, counted without reading all of it: for the size of CoreDNS's cache.

Counted are the names that clients ask for most: one for each Service, and one for each endpoint of
a headless Service. Other names (of ports, of addresses) fit into the room that is left for them.
The API is asked for the first objects of a kind and how many follow, which takes as long for a
large cluster as for a small one. There, endpoints are those of slices that the endpoint controller
made: it labels those of headless Services.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date
from typing import Any, Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.corefile.cache import Names
from grpcdns.preflight.resources import Resource, resource_of
from grpcdns.preflight.size import count_objects, plural

SAMPLE: Final = 250
"""Slices that are read; what they hold is taken for the mean of all."""
KINDS: Final = ("Service", "EndpointSlice", "Endpoints")
"""The kinds of manifests that have names."""
_SERVICE_NAME: Final = "kubernetes.io/service-name"
_HEADLESS: Final = "service.kubernetes.io/headless"

Key = tuple[str, str]
"""Namespace and name."""


def ask(get: Callable[[Resource, int], Any], day: date) -> Names:
    """Of an API. ``get`` returns the first page of a resource, with so many objects at most."""
    services = get(resource_of(Kind.SERVICE), 1)
    return from_pages(services, get(resource_of(Kind.ENDPOINT_SLICE), SAMPLE), day)


def from_pages(services: Any, slices: Any, day: date) -> Names:
    """Of the first page of each list, of one Service and of `SAMPLE` slices."""
    items = slices.get("items") or ()
    total, _ = count_objects(slices)
    held = sum(_held(one) for one in items if _HEADLESS in _dict(one, "metadata", "labels"))
    endpoints = round(held * total / len(items)) if items else 0
    return _names(count_objects(services)[0], endpoints, day, about=total > len(items))


def from_objects(objects: Iterable[tuple[str, Any]], day: date) -> Names:
    """Of all objects of `KINDS`, each with its kind. An Endpoints counts where there is no slice;
    Pods that no slice names are not counted."""
    headless: dict[Key, bool] = {}
    held: dict[Key, int] = {}
    mirrored: dict[Key, int] = {}
    for kind, one in objects:
        meta = _dict(one, "metadata")
        place = str(meta.get("namespace") or "default")
        key = (place, str(meta.get("name")))
        if kind == "Service":
            headless[key] = _dict(one, "spec").get("clusterIP") == "None"
        elif kind == "EndpointSlice":
            key = (place, str(_dict(meta, "labels").get(_SERVICE_NAME)))
            held[key] = held.get(key, 0) + _held(one)
        else:
            subsets = _list(one, "subsets")
            mirrored[key] = sum(len(_list(subset, "addresses")) for subset in subsets)
    endpoints = sum(
        held.get(key, mirrored.get(key, 0)) for key, is_one in headless.items() if is_one
    )
    return _names(len(headless), endpoints, day, about=False)


def as_given(count: int, day: date) -> Names:
    """Of ``--names``."""
    return Names(count, f"--names, given on {day}")


def _names(services: int, endpoints: int, day: date, *, about: bool) -> Names:
    if not services:
        return Names(source="no Service was found")
    source = plural(services, "Service")
    if endpoints:
        roughly = "about " if about else ""
        source += f" and {roughly}{plural(endpoints, 'endpoint')} of headless ones"
    return Names(services + endpoints, f"{source}, counted on {day}")


def _held(one: Any) -> int:
    return len(_list(one, "endpoints"))


def _dict(one: Any, *path: str) -> dict[str, Any]:
    """The object at a path; an empty one where there is none, as in a manifest with a mistake."""
    for key in path:
        one = one.get(key) if isinstance(one, dict) else None
    return one if isinstance(one, dict) else {}


def _list(one: Any, key: str) -> list[Any]:
    found = one.get(key) if isinstance(one, dict) else None
    return found if isinstance(found, list) else []
