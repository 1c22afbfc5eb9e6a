"""Whether the cluster's Service and Pod networks have their reverse zones among ``--zones``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from grpcdns.config.values import reverse_zones
from grpcdns.corefile.networks import node_cidrs, service_cidrs
from grpcdns.corefile.write import pod_networks
from grpcdns.corefile.zones import is_below
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, UNKNOWN, Verdict

SERVICE_CIDRS: Final = "/apis/networking.k8s.io/v1/servicecidrs"
NODES: Final = "/api/v1/nodes"


def check_service_networks(context: Context) -> Verdict:
    needs = "list servicecidrs.networking.k8s.io"
    found = context.api.find(SERVICE_CIDRS, needs)
    cidrs = service_cidrs((found or {}).get("items") or ())
    if not cidrs:
        return Verdict(
            UNKNOWN,
            "the API has no ServiceCIDRs (Kubernetes 1.33 and newer has them)",
            "compare --zones with kube-apiserver's --service-cluster-ip-range",
        )
    return decide_networks("Service", cidrs, cidrs, context.config.zones)


def check_pod_networks(context: Context) -> Verdict:
    cidrs = node_cidrs(context.api.items(NODES, "list nodes"))
    if not cidrs:
        return Verdict(
            UNKNOWN,
            "no Node has podCIDRs: the network plugin hands out the Pods' addresses",
            "compare --zones with the network plugin's address pools",
        )
    return decide_networks("Pod", cidrs, pod_networks(cidrs), context.config.zones)


def decide_networks(
    what: str, cidrs: Sequence[str], shown: Sequence[str], zones: Sequence[str]
) -> Verdict:
    """``cidrs``: every network there is; ``shown``: the same, merged for people."""
    if not any(uncovered(cidr, zones) for cidr in cidrs):
        return Verdict(OK, f"{', '.join(shown)}, all in --zones")
    missing = [cidr for cidr in shown if uncovered(cidr, zones)]
    if not missing:  # the Nodes' own networks are, though some merged one is not
        missing = [cidr for cidr in cidrs if uncovered(cidr, zones)]
    names = ", ".join(missing)
    return Verdict(
        FAIL,
        f"{names} not in --zones: PTR of {what} addresses is REFUSED",
        f"add {','.join(missing)} to --zones, and to the zones of the Corefile's server block",
    )


def uncovered(cidr: str, zones: Iterable[str]) -> list[str]:
    """The reverse zones of a network that lie in none of the zones."""
    zones = list(zones)
    return [
        reverse
        for reverse in reverse_zones(cidr)
        if not any(is_below(reverse, zone) for zone in zones)
    ]
