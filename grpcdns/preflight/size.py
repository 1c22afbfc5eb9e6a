"""How many objects there are, and the memory to expect for them.

The formula is fitted to the tables Memory and Growth of docs/benchmarks.md; docs/preflight.md tells
how. It gives the PSS of all processes after every name was queried.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from grpcdns.core.cluster.objects import Kind
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import OK, WARNING, Verdict
from grpcdns.preflight.resources import Resource, needed_resources

SUPERVISOR_MB: Final = 12.0
FEED_MB: Final = 17.0
FEED_BYTES: Final = 110.0
WORKER_MB: Final = 23.0
WORKER_BYTES: Final = 270.0
"""Bytes: for each endpoint."""
ENDPOINTS_A_SERVICE: Final = 10
"""A Service counts as ten endpoints at least, as in the benchmarks: too much for small ones."""
LIMIT_MB: Final = 768 * 1.048576
"""The sidecar's memory limit in deploy/kubeadm (768Mi)."""
_COUNTED: Final = (Kind.SERVICE, Kind.ENDPOINT_SLICE, Kind.POD)
_SAMPLE: Final = 100
"""Slices that are read, for the mean number of endpoints in one."""


class Counts(NamedTuple):
    """Objects; ``endpoints`` is estimated from the first slices."""

    services: int
    slices: int
    endpoints: int
    pods: int


def check_size(context: Context) -> Verdict:
    needed = needed_resources(context.config)
    found = {one.kind: _count(context, one) for one in needed if one.kind in _COUNTED}
    slices, endpoints = found.get(Kind.ENDPOINT_SLICE, (0, 0))
    counts = Counts(
        services=found[Kind.SERVICE][0],
        slices=slices,
        endpoints=endpoints,
        pods=found.get(Kind.POD, (0, 0))[0],
    )
    return decide_size(counts, len(context.config.listen))


def _count(context: Context, resource: Resource) -> tuple[int, int]:
    """Objects of a kind, and what they hold of endpoints.

    Of all objects: the API does not count those that a selector matches.
    """
    limit = _SAMPLE if resource.kind is Kind.ENDPOINT_SLICE else 1
    page = context.api.get(resource.path, f"list {resource.plural}", limit=limit)
    return count_objects(page)


def count_objects(page: Any) -> tuple[int, int]:
    """The objects in the whole list of which this is the first page; the endpoints, by the mean."""
    items = page.get("items") or ()
    total = len(items) + int((page.get("metadata") or {}).get("remainingItemCount") or 0)
    held = sum(len(one.get("endpoints") or ()) for one in items)
    return total, round(held * total / len(items)) if items else 0


def decide_size(counts: Counts, workers: int) -> Verdict:
    memory = expected_mb(counts, workers)
    parts = [plural(counts.services, "Service")]
    if counts.slices:
        slices = plural(counts.slices, "EndpointSlice")
        parts.append(f"{slices} with about {plural(counts.endpoints, 'endpoint')}")
    if counts.pods:
        parts.append(plural(counts.pods, "Pod"))
    what = plural(workers, "worker")
    found = f"{', '.join(parts)}: expect {memory:,.0f} MB with {what}"
    if memory > LIMIT_MB:
        return Verdict(
            WARNING,
            f"{found}, more than the limit of 768Mi in deploy/kubeadm",
            "raise resources.limits.memory of grpcdns in your overlay to "
            f"{round(memory * 1.5 / 1.048576, -2):,.0f}Mi, and the request to what is expected",
        )
    return Verdict(OK, found)


def expected_mb(counts: Counts, workers: int) -> float:
    """PSS of supervisor, feed and workers together, in MB (10^6 bytes), every name asked."""
    units = max(counts.endpoints, ENDPOINTS_A_SERVICE * counts.services) + counts.pods
    fixed = SUPERVISOR_MB + FEED_MB + workers * WORKER_MB
    return fixed + units * (FEED_BYTES + workers * WORKER_BYTES) / 1e6


def plural(count: int, word: str) -> str:
    return f"{count:,} {word}{'' if count == 1 else 's'}"
