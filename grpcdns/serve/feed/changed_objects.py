"""What changed lately, in words: the object, what became of it, and when each worker had it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from grpcdns.core.cluster.objects import TYPES, EndpointSlice, Kind, Object, Service, unpack
from grpcdns.core.inspect.explain import says
from grpcdns.serve import link
from grpcdns.serve.feed.broadcast import Broadcast, Sent
from grpcdns.serve.status import ObjectChange, Reached

_ADDRESSES: Final = 6
"""The most addresses that are named."""
_CLOCK: Final = 0.001
"""Seconds by which two readings of one clock may seem to go back."""


def changes_of(
    broadcast: Broadcast, workers: Sequence[str], reports: Mapping[str, link.Report]
) -> tuple[ObjectChange, ...]:
    """The latest changes, latest first."""
    with broadcast.lock:
        recent = list(broadcast.recent)
    applied = {name: dict(report.applied) for name, report in reports.items()}
    return tuple(
        _described(
            sent, tuple(_reached(name, sent, reports.get(name), applied) for name in workers)
        )
        for sent in reversed(recent)
    )


def _reached(
    name: str, sent: Sent, report: link.Report | None, applied: Mapping[str, Mapping[int, float]]
) -> Reached:
    if report is None:
        return Reached(worker=name, seconds=None, how="unknown")
    at = applied[name].get(sent.number)
    if at is not None:
        return Reached(worker=name, seconds=max(0.0, at - sent.at), how="change")
    if report.listed > sent.at - _CLOCK:
        return Reached(worker=name, seconds=max(0.0, report.listed - sent.at), how="list")
    return Reached(worker=name, seconds=None, how="not yet")


def _described(sent: Sent, workers: tuple[Reached, ...]) -> ObjectChange:
    before, after = _object(sent.kind, sent.before), _object(sent.kind, sent.after)
    what = "added" if sent.before is None else "deleted" if sent.after is None else "changed"
    return ObjectChange(
        at=sent.at,
        kind=TYPES[sent.kind].__name__,
        key=sent.key.removeprefix("/"),
        what=what,
        before=_says(before),
        after=_says(after),
        detail=_detail(before, after) if what == "changed" else "",
        workers=workers,
    )


def _object(kind: Kind, body: bytes | None) -> Object | None:
    return None if body is None else unpack(kind, body)


def _says(obj: Object | None) -> str:
    if obj is None:
        return ""
    held = f"; held by --{obj.held.by}" if obj.held is not None else ""
    return says(obj) + held


def _detail(before: Object | None, after: Object | None) -> str:
    """The addresses that came, went, or changed their state."""
    old, new = _addresses(before), _addresses(after)
    came = [f"+{address}" for address in new if address not in old]
    went = [f"-{address}" for address in old if address not in new]
    turned = [
        f"{address} {state}" for address, state in new.items() if old.get(address, state) != state
    ]
    words = [*came, *went, *turned]
    more = f" and {len(words) - _ADDRESSES} more" if len(words) > _ADDRESSES else ""
    return ", ".join(words[:_ADDRESSES]) + more


def _addresses(obj: Object | None) -> dict[str, str]:
    """Each address and its state."""
    if isinstance(obj, Service):
        return dict.fromkeys((*obj.cluster_ips, *obj.external_ips), "")
    if not isinstance(obj, EndpointSlice):
        return {}
    return {
        address: "ready" if endpoint.ready else "not ready"
        for endpoint in obj.endpoints
        for address in endpoint.addresses
    }
