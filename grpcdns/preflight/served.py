"""Whether the API serves each watched kind in the version that is watched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, Verdict
from grpcdns.preflight.resources import Resource

VERBS: Final = ("list", "watch")
_DO: Final = {
    Kind.ENDPOINT_SLICE: "upgrade to Kubernetes 1.21 or newer; or give --no-endpoints",
    Kind.SERVICE_IMPORT: "install the CustomResourceDefinition of ServiceImport that the cluster's "
    "multi-cluster controller brings; or leave out --multicluster",
}


def check_served(context: Context, resource: Resource) -> Verdict:
    """Whether one of the versions is served; the verdict on the best if none is."""
    best = _check_version(context, resource)
    if best.status == OK:
        return best
    older = (_check_version(context, resource.in_version(version)) for version in resource.older)
    return next((one for one in older if one.status == OK), best)


def _check_version(context: Context, resource: Resource) -> Verdict:
    needs = f"get {resource.discovery} (ClusterRole system:discovery)"
    found = context.api.find(resource.discovery, needs)
    others: list[str] = []
    if found is None and resource.group:
        group = context.api.find(f"/apis/{resource.group}", needs) or {}
        others = [str(one.get("version")) for one in group.get("versions") or ()]
    return decide_served(resource, (found or {}).get("resources") or (), others)


def decide_served(resource: Resource, listed: Sequence[Any], others: Sequence[str]) -> Verdict:
    """``listed``: the APIResourceList of its version; ``others``: the group's other versions."""
    what = f"{resource.api_version} {resource.plural}"
    verbs = {verb for one in listed if one.get("name") == resource.plural for verb in one["verbs"]}
    if verbs.issuperset(VERBS):
        return Verdict(OK, resource.api_version)
    do = _DO.get(resource.kind, "ask whoever runs the API server: every Kubernetes serves it")
    if verbs:
        return Verdict(FAIL, f"{what} served without {_missing(verbs)}", do)
    seen = f", only {', '.join(others)}" if others else ""
    return Verdict(FAIL, f"{what} not served{seen}", do)


def _missing(verbs: set[str]) -> str:
    return " and ".join(verb for verb in VERBS if verb not in verbs)
