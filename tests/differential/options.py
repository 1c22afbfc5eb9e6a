"""The sets of options under which both sides are asked, as a Corefile and as flags."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from grpcdns.config.options import BY_NAME, OPTIONS, Config

NOBODY: Final = "none/none"
"""No DNS Service: CoreDNS, bound to loopback, has no name server of its own either (D5)."""
ZONES: Final = ("cluster.local.", "in-addr.arpa.", "ip6.arpa.")
CLUSTERSET: Final = ("cluster.local.", "clusterset.local.", "in-addr.arpa.", "ip6.arpa.")
OUTSIDE: Final = ("outside.example.",)
CIDRS: Final = ("96.10.in-addr.arpa.", "244.10.in-addr.arpa.", "0.0.d.f.ip6.arpa.")
ROUNDS: Final = 2000
RANDOM_NAMESPACES: Final = tuple(f"r{number}-{name}" for number in range(ROUNDS) for name in "as")
"""Of a random cluster's Namespaces -a and -b the first is exposed; -s has the sentinels."""


def _config(**options: Any) -> Config:
    return Config(**{"zones": ZONES, "dns_service": NOBODY, **options})


CONFIGS: Final[dict[str, Config]] = {
    "default": _config(),
    "pods insecure": _config(pods="insecure"),
    "pods verified": _config(pods="verified"),
    "endpoint_pod_names": _config(endpoint_pod_names=True),
    "ttl 0": _config(ttl=0),
    "ttl 30": _config(ttl=30, pods="insecure"),
    "ttl 3600": _config(ttl=3600),
    "noendpoints": _config(no_endpoints=True),
    "ignore empty_service": _config(ignore_empty_service=True),
    "zonal": _config(zonal=True),
    "multicluster": _config(zones=CLUSTERSET, multicluster=("clusterset.local.",)),
    "multicluster, more": _config(
        zones=CLUSTERSET, multicluster=("clusterset.local.",), ignore_empty_service=True,
        endpoint_pod_names=True, zonal=True,
    ),
    "namespaces": _config(namespaces=("testns", "empty", "svc", *RANDOM_NAMESPACES)),
    "namespace_labels": _config(namespace_labels="dns=shown", pods="verified"),
    "labels": _config(labels="dns in (shown, other)", pods="verified"),
    "several zones": _config(
        zones=(*CIDRS, "cluster2.example.", "sub.cluster2.example.", "cluster.local.")
    ),
    "zone of one label": _config(zones=("k8s.", "in-addr.arpa."), pods="insecure"),
    "k8s_external": _config(external_zones=OUTSIDE),
    "k8s_external headless": _config(
        external_zones=("outside.example.", "outside.test."), external_headless=True,
        external_apex="names", external_ttl=30,
    ),
    "k8s_external reverse": _config(
        zones=("cluster.local.", "10.in-addr.arpa.", "203.in-addr.arpa."),
        external_zones=("outside.example.", "100.51.198.in-addr.arpa.", "113.0.203.in-addr.arpa."),
    ),
    "all at once": _config(
        zones=CLUSTERSET, multicluster=("clusterset.local.",), pods="verified", zonal=True,
        endpoint_pod_names=True, ignore_empty_service=True, external_zones=OUTSIDE,
        external_headless=True, labels="dns", namespace_labels="dns", ttl=7, external_ttl=9,
    ),
}  # fmt: skip


def shared(config: Config) -> list[str]:
    """External zones inside a zone of the cluster: names that they lack are looked for there."""
    ends = tuple(f".{zone}" for zone in config.zones)
    return [zone for zone in config.external_zones if zone.endswith(ends)]


def server_block(config: Config, port: int, kubeconfig: Path, zone_file: Path) -> str:
    """A server block with CoreDNS's plugins under these options."""
    lines = [f".:{port} {{", f"    kubernetes {' '.join(config.zones)} {{"]
    inside = [f"kubeconfig {kubeconfig}", f"ttl {config.ttl}", f"pods {config.pods}"]
    for option, flag in (
        ("endpoint_pod_names", config.endpoint_pod_names),
        ("noendpoints", config.no_endpoints),
        ("ignore empty_service", config.ignore_empty_service),
        ("zonal", config.zonal),
    ):
        inside += [option] if flag else []
    for option, values in (
        ("multicluster", config.multicluster),
        ("namespaces", config.namespaces),
        ("labels", (config.labels,)),
        ("namespace_labels", (config.namespace_labels,)),
    ):
        inside += [f"{option} {' '.join(values)}"] if any(values) else []
    lines += [*(f"        {line}" for line in inside), "    }"]
    if config.external_zones:
        both = shared(config)
        lines += [f"    k8s_external {' '.join(config.external_zones)} {{"]
        lines += [f"        ttl {config.external_ttl}", f"        apex {config.external_apex}"]
        lines += ["        headless"] if config.external_headless else []
        lines += [f"        fallthrough {' '.join(both)}"] if both else []
        lines += ["    }"]
    return "\n".join([*lines, f"    file {zone_file} example.net", "}"])


def flags(config: Config) -> list[str]:
    """The same for ``grpcdns serve``: every option that differs from its default."""
    found: list[str] = []
    for option in OPTIONS:
        value = getattr(config, option.field)
        if value != BY_NAME[option.name].default:
            found.append(f"--{option.name}={option.show(value)}")
    return found
