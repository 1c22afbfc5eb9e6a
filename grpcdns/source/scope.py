"""Which kinds and which of their fields the options for answers need.

Which objects of a kind are wanted is in its row: ``kinds.WATCHED[kind].selector``.
"""

from __future__ import annotations

from grpcdns.core.answers.policy import Policy, watched_kinds
from grpcdns.core.cluster.objects import Kind
from grpcdns.source.kinds import Fields


def kinds_of(policy: Policy) -> tuple[Kind, ...]:
    """The kinds a source delivers, in the order of `Kind`."""
    return tuple(sorted(watched_kinds(policy)))


def fields_of(policy: Policy) -> Fields:
    """Which of the optional fields to keep."""
    return Fields(
        zones=policy.zonal or policy.topology,
        pods=policy.endpoint_pod_names,
        topology=policy.topology,
        conditions=policy.conditions,
        imports=policy.prefers_imports,
    )
