"""What the operator chose about answers: one frozen value that every rule reads.

The options are those of CoreDNS's ``kubernetes`` and ``k8s_external`` plugins, under the names of
the command line. Values are checked where options are read, not here.
"""

from __future__ import annotations

import msgspec


class Policy(msgspec.Struct, frozen=True):
    """How a cluster is shown in DNS. Zones are lower-case, absolute ("cluster.local.").

    ``zones``: zones of the ``kubernetes`` plugin, reverse ones (already expanded from CIDRs)
    included; the first that is not a reverse zone is the primary one, which PTR records point into.
    ``ttl``: seconds, 0 to 3600. ``ttl_cap``: upper bound on every TTL while the data is old
    (restored from a snapshot), None for no bound.
    """

    zones: tuple[str, ...] = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
    ttl: int = 5
    ttl_cap: int | None = None
    namespaces: frozenset[str] = frozenset()
    pods: str = "disabled"
    endpoint_pod_names: bool = False
    endpoints: bool = True
    ignore_empty_service: bool = False
    zonal: bool = False
    multicluster: tuple[str, ...] = ()
    dns_service: str = "kube-system/kube-dns"
    external_zones: tuple[str, ...] = ()
    external_apex: str = "dns"
    external_headless: bool = False
    external_ttl: int = 5
