"""Writes a Corefile for a cluster."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from grpcdns.corefile.cache import Names, cache_lines

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_ROOMY: Final = {4: 16, 6: 56}
"""The usual prefix length of a cluster's Pod network (kubeadm and most others), by IP version."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """``zones``, ``external``: forward zones, as names. ``services``, ``pods``: networks in CIDR
    form. ``flags``: what grpcdns has besides its zones and ``ttl_mode``, as words.

    ``sockets``: the TOs of grpc; ``upstream``: where all other names are forwarded. ``tls``: CERT,
    KEY and CA for TCP addresses. ``missing``: remarks on values that could not be determined.
    ``names``: what the cache has room for. ``ttl_mode``: grpcdns's; the cache is right for both.
    ``follows_networks``: grpcdns has ``--zones auto``.
    """

    zones: tuple[str, ...]
    external: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()
    sockets: tuple[str, ...]
    upstream: str = "/etc/resolv.conf"
    tls: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    names: Names = Names()
    ttl_mode: str = "adaptive"
    flags: tuple[str, ...] = ()
    follows_networks: bool = False

    @property
    def networks(self) -> tuple[str, ...]:
        """Service and Pod networks, without those inside another one."""
        return merge_networks((*self.services, *self.pods))

    @property
    def keys(self) -> tuple[str, ...]:
        return (*self.zones, *self.external, *self.networks)


def write_corefile(plan: Plan) -> str:
    """The text. `check_corefile` finds nothing worse than a note in it."""
    return "\n".join(_lines(plan)) + "\n"


def _lines(plan: Plan) -> Iterator[str]:
    networks = plan.networks
    if plan.follows_networks:
        networks = ("auto", *merge_networks(plan.pods))
    zones = ",".join((*plan.zones, *networks))
    words = ("--zones", zones, "--ttl-mode", plan.ttl_mode, *plan.flags)
    yield f"# grpcdns serve {shlex.join(words)}"
    if plan.follows_networks:
        yield "# --zones auto follows a new ServiceCIDR; add it to the zones below as well."
    for remark in plan.missing:
        yield f"# MISSING: {remark}"
    yield f"{' '.join(plan.keys)} {{"
    yield "    errors"
    yield f"    grpc . {' '.join(plan.sockets)} {{"
    if plan.tls:
        yield f"        tls {' '.join(plan.tls)}"
    yield "        policy round_robin"
    yield "    }"
    yield f"    # {plan.names.comment()}"
    yield "    # The last 0 of success and denial is the minimum TTL: --ttl-mode adaptive needs it."
    yield from (f"    {line}" for line in cache_lines(plan.names.number))
    yield "    loadbalance"
    yield "    prometheus :9153"
    yield "}"
    yield ""
    yield ". {"
    yield "    errors"
    yield "    health {"
    yield "        lameduck 5s"
    yield "    }"
    yield "    ready"
    yield f"    forward . {plan.upstream} {{"
    yield "        max_concurrent 1000"
    yield "    }"
    yield "    cache 30"
    yield "    loop"
    yield "    loadbalance"
    yield "    prometheus :9153"
    yield "    reload"
    yield "}"


def merge_networks(cidrs: Iterable[str]) -> tuple[str, ...]:
    """Each network once, in order, without those inside another one: CoreDNS does not start when a
    zone is listed twice."""
    networks = [ipaddress.ip_network(cidr, strict=False) for cidr in dict.fromkeys(cidrs)]
    kept = [one for one in networks if not any(_inside(one, other) for other in networks)]
    return tuple(dict.fromkeys(map(str, kept)))


def _inside(one: Network, other: Network) -> bool:
    return one != other and one.version == other.version and one.subnet_of(other)  # type: ignore[arg-type]


def pod_networks(node_cidrs: Iterable[str]) -> tuple[str, ...]:
    """One network per IP version that contains the Nodes' Pod networks.

    A new Node gets a network next to the existing ones. To include it, the result is widened to the
    usual size of a cluster's Pod network, unless the Nodes' networks need an even larger one.
    """
    covers = []
    for version in (4, 6):
        networks = [
            network
            for cidr in node_cidrs
            if (network := ipaddress.ip_network(cidr, strict=False)).version == version
        ]
        if networks:
            covers.append(str(_cover(networks, _ROOMY[version])))
    return tuple(covers)


def _cover(networks: list[Network], roomy: int) -> Network:
    """The smallest network that contains them all, widened to ``roomy`` bits."""
    cover = networks[0]
    while not all(one.subnet_of(cover) for one in networks):  # type: ignore[arg-type]
        cover = cover.supernet()
    return cover.supernet(new_prefix=roomy) if cover.prefixlen > roomy else cover
