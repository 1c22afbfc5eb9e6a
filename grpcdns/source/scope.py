"""What is taken from a cluster under the options: which kinds, which objects, which fields.

CoreDNS narrows the same way: ``labels`` for Services, EndpointSlices and Pods, ``namespace_labels``
for Namespaces and ServiceImports.
"""

from __future__ import annotations

from typing import Final

from grpcdns.config import Config
from grpcdns.core.index import needed_kinds
from grpcdns.core.objects import Kind
from grpcdns.core.policy import Policy
from grpcdns.source.selector import Requirement, Selector, parse_selector
from grpcdns.source.shapes import IMPORTED_SERVICE_NAME, Fields

_BY_NAMESPACE_LABELS: Final = frozenset({Kind.NAMESPACE, Kind.SERVICE_IMPORT})


def kinds_of(policy: Policy) -> tuple[Kind, ...]:
    """What is delivered, in order."""
    return tuple(sorted(needed_kinds(policy)))


def selector_of(kind: Kind, config: Config) -> Selector:
    """Which objects of a kind."""
    text = config.namespace_labels if kind in _BY_NAMESPACE_LABELS else config.labels
    selector = parse_selector(text)
    if kind is Kind.ENDPOINT_SLICE and config.no_endpoints:
        return selector.also(Requirement(IMPORTED_SERVICE_NAME, "exists"))
    return selector


def fields_of(policy: Policy) -> Fields:
    """Which of a slice's fields the options for answers need."""
    return Fields(zones=policy.zonal, pods=policy.endpoint_pod_names)
