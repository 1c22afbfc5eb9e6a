"""Why an object, or a part of one, is not in an answer, and who is told."""

from __future__ import annotations

import enum
from collections.abc import Callable


class Reason(enum.Enum):
    """Why an object, or a part of one, is not in an answer."""

    NOT_READY = "not ready"
    NAMES = "a slice of names (addressType FQDN), not of addresses"
    NO_ADDRESS = "not an address"
    OTHER_PORT = "other port name or protocol"
    OTHER_ZONE = "in another topology zone"
    OTHER_ENDPOINT = "another endpoint's name"
    OTHER_CLUSTER = "of another cluster"
    OTHER_FAMILY = "of the other address family"
    HIDDEN_NAMESPACE = "its namespace is left out by --namespaces"
    NO_ENDPOINTS = "left out by --no-endpoints"
    EMPTY_SERVICE = "without ready endpoints, left out by --ignore-empty-service"


Observer = Callable[[Reason, object, str], None]
"""Told the reason, the object that is passed over, and which part of it ("" for all)."""
