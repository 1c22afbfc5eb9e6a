"""The operator's options for answers: frozen values that every rule reads.

They are those of CoreDNS's ``kubernetes`` and ``k8s_external`` plugins, under the names of the
command line. Values are checked where options are read (``grpcdns.config``), not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from grpcdns.core.cluster.objects import Kind
from grpcdns.core.dns.names import IN_ADDR, IP6, Name, name_from_text, reverse_zones

MAX_SOA_TTL: Final = 300
"""Seconds: the longest TTL of a SOA record in the cluster's zones."""
AUTO: Final = "auto"
"""Among the zones: the reverse zones of the cluster's ServiceCIDRs."""
REVERSE_ROOTS: Final = ("in-addr.arpa.", "ip6.arpa.")
"""What `AUTO` stands for while no ServiceCIDR is known."""


class AnswerOptions(msgspec.Struct, frozen=True):
    """The options and their defaults. ``grpcdns.config.options.Config`` inherits both.

    Zones are lower-case and absolute ("cluster.local."). ``zones``: zones of the ``kubernetes``
    plugin, reverse ones (already expanded from CIDRs) included, and `AUTO`; the first that is not a
    reverse zone is the primary one, which PTR records point into. ``ttl`` and ``ttl_stable``:
    seconds, 0 to 3600; ``ttl_mode`` adaptive chooses as answers/ttl.py says. Empty ``namespaces``:
    all of them.
    ``topology_zone`` and ``topology_node``: where we are, in lower case, "" for anywhere;
    ``topology_min_share``: a number from 0 to 1, "" as answers/topology.py says. ``cluster_id``:
    our cluster's name in the clusterset, in lower case, or "". ``hold_empty``: seconds; the feed
    does it, and needs the endpoints' conditions for it.
    """

    zones: tuple[str, ...] = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
    ttl: int = 5
    ttl_mode: str = "fixed"
    ttl_stable: int = 30
    namespaces: tuple[str, ...] = ()
    pods: str = "disabled"
    endpoint_pod_names: bool = False
    no_endpoints: bool = False
    ignore_empty_service: bool = False
    zonal: bool = False
    topology_zone: str = ""
    topology_node: str = ""
    topology_min_share: str = ""
    cluster_id: str = ""
    serve_terminating: bool = False
    hold_empty: float = 0.0
    multicluster: tuple[str, ...] = ()
    dns_service: str = "kube-system/kube-dns"
    external_zones: tuple[str, ...] = ()
    external_apex: str = "dns"
    external_headless: bool = False
    external_ttl: int = 5


class Policy(AnswerOptions, frozen=True):
    """How a cluster is shown in DNS now.

    ``ttl_cap``: upper bound on every TTL while the data is old (restored from a snapshot), None
    for no bound.
    """

    ttl_cap: int | None = None

    @property
    def endpoints(self) -> bool:
        """Whether Services are answered from EndpointSlices."""
        return not self.no_endpoints

    @property
    def conditions(self) -> bool:
        """Whether it matters which endpoints are serving or terminating."""
        return self.serve_terminating or self.hold_empty > 0

    @property
    def follows_networks(self) -> bool:
        """Whether the zones follow the ServiceCIDRs."""
        return AUTO in self.zones

    @property
    def topology(self) -> bool:
        """Whether near endpoints are preferred where a Service says so."""
        return bool(self.topology_zone or self.topology_node)

    @property
    def prefers_imports(self) -> bool:
        """The same of ServiceImports."""
        return bool(self.multicluster and (self.cluster_id or self.topology_zone))


def needed_kinds(policy: Policy) -> frozenset[Kind]:
    """The kinds that must be listed before a negative answer can be given.

    An import's addresses are in slices, whatever the option ``endpoints`` says.
    """
    kinds = {Kind.NAMESPACE, Kind.SERVICE}
    if policy.endpoints or policy.multicluster:
        kinds.add(Kind.ENDPOINT_SLICE)
    if policy.pods == "verified":
        kinds.add(Kind.POD)
    if policy.multicluster:
        kinds.add(Kind.SERVICE_IMPORT)
    return frozenset(kinds)


def kept_kinds(policy: Policy) -> frozenset[Kind]:
    """Those, and ServiceCIDRs if the zones follow them: all that answers depend on. While they are
    not listed, the zones are wider."""
    kinds = needed_kinds(policy)
    return kinds | {Kind.SERVICE_CIDR} if policy.follows_networks else kinds


def watched_kinds(policy: Policy) -> frozenset[Kind]:
    """Those, and ServiceCIDRs where a new one may be outside the zones: some reverse zone is
    narrower than all addresses."""
    reverse = [zone for zone in policy.zones if zone.endswith(REVERSE_ROOTS)]
    if any(zone not in REVERSE_ROOTS for zone in reverse):
        return kept_kinds(policy) | {Kind.SERVICE_CIDR}
    return kept_kinds(policy)


def with_networks(policy: Policy, cidrs: Iterable[str]) -> Policy:
    """The policy with the reverse zones of the ServiceCIDRs' networks in the place of `AUTO`."""
    if not policy.follows_networks:
        return policy
    reverse = tuple(dict.fromkeys(zone for cidr in cidrs for zone in _reverse_zones(cidr)))
    zones = [
        zone
        for given in policy.zones
        for zone in (reverse or REVERSE_ROOTS if given == AUTO else (given,))
    ]
    return msgspec.structs.replace(policy, zones=tuple(dict.fromkeys(zones)))


def _reverse_zones(cidr: str) -> Iterator[str]:
    """None of a text that is no network, which no API has."""
    try:
        yield from reverse_zones(cidr)
    except ValueError:
        pass


class Zones:
    """A policy's zones as names, its namespaces as a set, and its TTLs with the cap applied."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.namespaces = frozenset(policy.namespaces)
        self.cluster: dict[Name, None] = dict.fromkeys(map(name_from_text, policy.zones))
        self.multicluster: dict[Name, None] = dict.fromkeys(
            map(name_from_text, policy.multicluster)
        )
        self.external: dict[Name, None] = dict.fromkeys(map(name_from_text, policy.external_zones))
        forward = [zone for zone in self.cluster if zone[-2:] not in (IN_ADDR, IP6)]
        self.most_labels = max(map(len, self.cluster), default=0)
        """Of a zone in ``cluster``."""
        self.primary: Name = forward[0] if forward else ()
        self.adaptive = policy.ttl_mode == "adaptive"
        self.ttl = cap_ttl(policy, policy.ttl)
        self.external_ttl = cap_ttl(policy, policy.external_ttl)


def cap_ttl(policy: Policy, ttl: int) -> int:
    """The TTL to give: no more than the cap, if there is one."""
    return ttl if policy.ttl_cap is None else min(ttl, policy.ttl_cap)
