"""The nearest endpoints of a headless Service that asks for them with trafficDistribution.

``topology_zone`` and ``topology_node`` say where we are, and so where the clients are that the DNS
Service's own trafficDistribution sends to us. The first row that has ready endpoints decides:

    trafficDistribution                           given            endpoints
    PreferSameNode                                topology_node    for our node
    PreferSameNode, PreferSameZone, PreferClose   topology_zone    for our zone, if they are enough
    any                                           either           all

An endpoint is for the zones and the nodes in its hints; where it has none, for its own zone and
node. The endpoints for our zone are enough while they are at least ``topology_min_share`` of all
ready ones; without that option, half of what each zone would have if all zones had the same number.
So a zone with few endpoints does not get the load of all its clients. Addresses of each family are
chosen among those of that family.

A headless ServiceImport with one of these values prefers the endpoints of our cluster
(``cluster_id``) while it has a ready one, and among those, or else all, our zone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Endpoint, EndpointDetails
from grpcdns.core.cluster.reasons import Reason

SAME_NODE: Final = "PreferSameNode"
PREFER_CLOSE: Final = "PreferClose"
SAME_ZONE: Final = frozenset({SAME_NODE, "PreferSameZone", PREFER_CLOSE})
_NO_DETAILS: Final = EndpointDetails()

Choice = Callable[[Endpoint], Reason | None]
"""Why a ready endpoint is left out; None if it is not."""


def all_of_them(_endpoint: Endpoint) -> Reason | None:
    return None


def choose(distribution: str, endpoints: Sequence[Endpoint], policy: Policy) -> Choice:
    """Which of the ready endpoints of one family, one for each address, a Service is answered with.

    Returns `too_few` where those for our zone are not enough.
    """
    node, zone = policy.topology_node, policy.topology_zone
    if node and distribution == SAME_NODE and any(_is_for_node(one, node) for one in endpoints):
        return lambda one: None if _is_for_node(one, node) else Reason.FAR_NODE
    if not zone or distribution not in SAME_ZONE:
        return all_of_them
    count = sum(_is_for_zone(one, zone) for one in endpoints)
    if count == 0:
        return all_of_them
    if count < _least_share(endpoints, policy) * len(endpoints):
        return too_few
    return lambda one: None if _is_for_zone(one, zone) else Reason.FAR_ZONE


def too_few(_endpoint: Endpoint) -> Reason | None:
    """All of them, although some are for our zone."""
    return None


def _is_for_node(endpoint: Endpoint, node: str) -> bool:
    details = endpoint.details or _NO_DETAILS
    return node in (details.for_nodes or (details.node,))


def _is_for_zone(endpoint: Endpoint, zone: str) -> bool:
    details = endpoint.details or _NO_DETAILS
    return zone in (details.for_zones or (endpoint.zone,))


def _least_share(endpoints: Sequence[Endpoint], policy: Policy) -> float:
    if policy.topology_min_share:
        return float(policy.topology_min_share)
    zones = {endpoint.zone for endpoint in endpoints if endpoint.zone}
    return 0.5 / max(1, len(zones))
