"""What is taken from a cluster under the options: which kinds, which objects, which fields.

CoreDNS narrows the same way: ``labels`` for Services, EndpointSlices and Pods, ``namespace_labels``
for Namespaces and ServiceImports.
"""

from __future__ import annotations

from grpcdns.core.answers.policy import Policy, needed_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.kinds import Fields


def kinds_of(policy: Policy) -> tuple[Kind, ...]:
    """What is delivered, in order."""
    return tuple(sorted(needed_kinds(policy)))


def fields_of(policy: Policy) -> Fields:
    """Which of a slice's fields the options for answers need."""
    return Fields(zones=policy.zonal, pods=policy.endpoint_pod_names)
