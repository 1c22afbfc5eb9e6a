"""The networks that a cluster's own objects name, as plain values of the API's JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def service_cidrs(objects: Iterable[Any]) -> tuple[str, ...]:
    """The CIDRs of ServiceCIDR objects (networking.k8s.io/v1), each once."""
    return tuple(dict.fromkeys(cidr for one in objects for cidr in _texts(one, "spec", "cidrs")))


def node_cidrs(nodes: Iterable[Any]) -> tuple[str, ...]:
    """The podCIDRs of Nodes, each once."""
    return tuple(dict.fromkeys(cidr for one in nodes for cidr in _texts(one, "spec", "podCIDRs")))


def _texts(obj: Any, *path: str) -> list[str]:
    """The list of texts at a path of an object; [] where there is none."""
    for key in path:
        obj = obj.get(key) if isinstance(obj, dict) else None
    return [text for text in obj if isinstance(text, str)] if isinstance(obj, list) else []
