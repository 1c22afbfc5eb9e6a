"""Whether CoreDNS's ConfigMap is there, and its Corefile works with grpcdns."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from grpcdns.corefile.checker import UNKNOWN, check_corefile
from grpcdns.corefile.traps.trap import ERROR, LEVELS, NOTE, Backend, Finding
from grpcdns.preflight import names
from grpcdns.preflight.context import Context
from grpcdns.preflight.kubernetes_client import Forbidden
from grpcdns.preflight.report import FAIL, OK, WARNING, Status, Verdict
from grpcdns.preflight.resources import Resource

KEY: Final = "Corefile"
_NOT_SWITCHED: Final = "no-grpc"


def check_configmap(context: Context) -> Verdict:
    namespace, name = context.configmap
    path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
    found = context.api.find(path, f"get configmaps in {namespace}")
    backend = Backend(_count_names(context), adaptive=context.config.ttl_mode == "adaptive")
    return decide_configmap(f"{namespace}/{name}", found, context.served, backend)


def _count_names(context: Context) -> int:
    """For the size of the cache. 0, which is not compared, where they may not be listed: the check
    of the cluster's size says so."""

    def get(one: Resource, limit: int) -> Any:
        return context.api.get(one.path, f"list {one.plural}", limit=limit)

    try:
        return names.ask(get, datetime.now(UTC).date()).number
    except Forbidden:
        return 0


def decide_configmap(
    place: str, configmap: Any | None, served: Sequence[str], backend: Backend = UNKNOWN
) -> Verdict:
    """``served`` is compared with the Corefile's zones, unless empty."""
    elsewhere = "name CoreDNS's ConfigMap with --configmap NAMESPACE/NAME"
    if configmap is None:
        return Verdict(FAIL, f"no ConfigMap {place}", elsewhere)
    text = (configmap.get("data") or {}).get(KEY)
    if not text:
        return Verdict(FAIL, f"{place} has no key {KEY}", elsewhere)
    return decide_corefile(place, check_corefile(text, served, backend=backend))


def decide_corefile(place: str, findings: Sequence[Finding]) -> Verdict:
    """Errors fail, warnings warn, notes are left to ``grpcdns corefile --check``."""
    serious = [one for one in findings if one.trap.level != NOTE]
    serious.sort(key=lambda one: LEVELS.index(one.trap.level))
    if not serious:
        return Verdict(OK, f"{place}: nothing to mend")
    if any(one.trap.name == _NOT_SWITCHED for one in serious):
        return Verdict(
            WARNING,
            f"{place}: no grpc in it, CoreDNS does not ask grpcdns yet",
            "write one (docs/migration.md, step 4); once switched, deploy/kubeadm has it in "
            "--configmap kube-system/coredns-grpcdns",
        )
    lines = [f"line {one.line}: {one.what} [{one.trap.name}]" for one in serious]
    status: Status = FAIL if serious[0].trap.level == ERROR else WARNING
    mend = dict.fromkeys(f"line {one.line}: {one.trap.mend}" for one in serious)
    return Verdict(status, f"{place}: {'; '.join(lines)}", " ".join(mend))
