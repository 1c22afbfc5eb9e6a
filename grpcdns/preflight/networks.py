"""Whether the cluster's Service and Pod networks have their reverse zones among ``--zones``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import AUTO, with_networks
from grpcdns.core.dns.names import reverse_zones_outside
from grpcdns.corefile.networks import node_cidrs, service_cidrs
from grpcdns.corefile.write import pod_networks
from grpcdns.preflight.context import Context
from grpcdns.preflight.report import FAIL, OK, UNKNOWN, Verdict
from grpcdns.source.api.client import ApiError, Unreachable

if TYPE_CHECKING:
    from grpcdns.preflight.kubernetes_client import KubernetesClient

SERVICE_CIDRS: Final = "/apis/networking.k8s.io/v1/servicecidrs"
NODES: Final = "/api/v1/nodes"


def check_service_networks(context: Context) -> Verdict:
    cidrs = _service_cidrs(context.api)
    if not cidrs:
        return Verdict(
            UNKNOWN,
            "the API has no ServiceCIDRs (Kubernetes 1.33 and newer has them)",
            "compare --zones with kube-apiserver's --service-cluster-ip-range",
        )
    return decide_networks("Service", cidrs, cidrs, context.config.zones)


def with_service_networks(
    api: KubernetesClient, config: Config, served: tuple[str, ...]
) -> tuple[Config, tuple[str, ...]]:
    """The options, and the zones that the Corefile should have, with the cluster's own networks in
    the place of ``--zones auto``. Those who may not read them get what serve has then."""
    from grpcdns.preflight.kubernetes_client import Forbidden

    if AUTO not in config.zones:
        return config, served
    try:
        cidrs = _service_cidrs(api)
    except (Forbidden, ApiError, Unreachable):
        cidrs = ()
    zones = with_networks(config.policy(), cidrs).zones
    others = [zone for zone in served if zone not in config.zones]
    followed = (*zones, *others) if served and cidrs else ()
    return msgspec.structs.replace(config, zones=zones), followed


def _service_cidrs(api: KubernetesClient) -> tuple[str, ...]:
    found = api.find(SERVICE_CIDRS, "list servicecidrs.networking.k8s.io")
    return service_cidrs((found or {}).get("items") or ())


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
    if not any(reverse_zones_outside(cidr, zones) for cidr in cidrs):
        return Verdict(OK, f"{', '.join(shown)}, all in --zones")
    missing = [cidr for cidr in shown if reverse_zones_outside(cidr, zones)]
    if not missing:  # the Nodes' own networks are, though some merged one is not
        missing = [cidr for cidr in cidrs if reverse_zones_outside(cidr, zones)]
    names = ", ".join(missing)
    return Verdict(
        FAIL,
        f"{names} not in --zones: PTR of {what} addresses is REFUSED",
        f"add {','.join(missing)} to --zones, and to the zones of the Corefile's server block",
    )
