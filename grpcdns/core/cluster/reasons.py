"""Why an object, or a part of one, is not in an answer, and who is notified.

Only explanations have an observer; answers to queries are made without one.
"""

from __future__ import annotations

import enum
from typing import Protocol

from grpcdns.core.cluster.objects import Kind, Object


class Reason(enum.Enum):
    """Why an object, or a part of one, is not in an answer."""

    NOT_READY = "not ready"
    TERMINATING = "not ready: terminating"
    NAMES = "a slice of names (addressType FQDN), not of addresses"
    NO_ADDRESS = "not an address"
    OTHER_PORT = "other port name or protocol"
    OTHER_ZONE = "in another topology zone"
    FAR_NODE = "not for this node, which others are (trafficDistribution, --topology-node)"
    FAR_ZONE = "not for this zone, which others are (trafficDistribution, --topology-zone)"
    FAR_CLUSTER = "of another cluster, while --cluster-id has some (trafficDistribution)"
    FEW_NEAR = "the preference of its zone: fewer than --topology-min-share are for it"
    OTHER_ENDPOINT = "another endpoint's name"
    OTHER_CLUSTER = "of another cluster"
    OTHER_FAMILY = "of the other address family"
    HIDDEN_NAMESPACE = "its namespace is left out by --namespaces"
    NO_ENDPOINTS = "left out by --no-endpoints"
    EMPTY_SERVICE = "without ready endpoints, left out by --ignore-empty-service"
    BOUND = "beyond the slices and endpoints that one answer is made from, as are all after it"


class Observer(Protocol):
    """Notified of each step by which an answer is made."""

    def looked_up(self, kind: Kind, key: str, obj: Object | None) -> None:
        """``obj`` was looked up by its ``key``; None if there is none.

        Where several could have been found and none was, ``key`` says what was searched for: "of
        ns/name" or "at 10.0.0.1".
        """

    def left_out(self, reason: Reason, what: object, part: str = "") -> None:
        """An object, or a part of it, is not in the answer. ``what``: an object, or text that
        names one; ``part``: an address, "" for all of it."""
