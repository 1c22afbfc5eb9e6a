"""Zones as a Corefile writes them, and how CoreDNS compares them.

A zone is lower-case text with a trailing dot; the root is ".".
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

from grpcdns.config.values import reverse_zones
from grpcdns.corefile.syntax import Directive, Server
from grpcdns.corefile.words import MAX_NAME, fqdn, has_variable, integer_of, is_name, is_network

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ROOT: Final = "."
REVERSE_ROOTS: Final = ("in-addr.arpa.", "ip6.arpa.", "arpa.")
PORTS: Final = {
    "dns": "53",
    "tls": "853",
    "quic": "853",
    "grpc": "443",
    "https": "443",
    "https3": "443",
    "unix": "",
}
"""The schemes of a key, and their ports. CoreDNS's option -dns.port changes the first."""


class BadKey(ValueError):
    """Why CoreDNS takes a word neither for a zone nor for a network."""


class Address(NamedTuple):
    """A zone of a server block, and the scheme and port that it is served on."""

    scheme: str
    zone: str
    port: str


def split_scheme(word: str) -> tuple[str, str]:
    """The scheme, dns when there is none that CoreDNS knows, and what follows it."""
    for scheme in PORTS:
        if word.startswith(f"{scheme}://"):
            return scheme, word.removeprefix(f"{scheme}://")
    return "dns", word


def split_zone_port(word: str) -> tuple[tuple[str, ...], str]:
    """The zones of a key without its scheme, and its port, "" when it has none.

    Raises BadKey. A network is one zone or several (10.96.0.0/12 is 16); a word that is not one is
    a name, 10.96.0.0/33 too.
    """
    name, colon, port = word.rpartition(":")
    if not word or (colon and not port):
        raise BadKey("nothing follows the last colon" if colon else "it is empty")
    number = integer_of(port) if colon else None
    if number is None:
        name = word
    if len(name.encode(errors="replace")) > MAX_NAME:
        raise BadKey(f"longer than {MAX_NAME} octets")
    if not is_name(name):
        raise BadKey("not a domain name")
    shown = "" if number is None else str(number)
    if has_variable(name) or not is_network(name):
        return (fqdn(name).lower(),), shown
    if name.startswith(":") or (name.startswith("0") and ":" in name):
        raise BadKey("CoreDNS does not read a network that begins so")
    return _network_zones(name), shown


def _network_zones(name: str) -> tuple[str, ...]:
    if name.endswith("/0"):
        return (REVERSE_ROOTS[":" in name],)
    return reverse_zones(name)


def zones_of_text(text: str) -> tuple[str, ...]:
    """The zones of a name or network without a port, () for a word that is neither."""
    try:
        return split_zone_port(split_scheme(text)[1])[0]
    except BadKey:
        return ()


@lru_cache(maxsize=4096)
def addresses_of(key: str) -> tuple[Address, ...]:
    """Raises BadKey."""
    scheme, rest = split_scheme(key)
    zones, port = split_zone_port(rest)
    return tuple(Address(scheme, zone, port or PORTS[scheme]) for zone in zones)


def addresses(server: Server) -> Iterator[Address]:
    """Every zone of a server block. A key with a variable in it is skipped, and one that is
    refused."""
    for key in server.keys:
        if not has_variable(key):
            try:
                yield from addresses_of(key)
            except BadKey:
                pass


def named(zones: Iterable[str]) -> str:
    """The first three zones as text, without their last dots; reverse zones that make up a network
    as that network."""
    shown = [zone.rstrip(".") or zone for zone in networks_of(zones)]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def networks_of(zones: Iterable[str]) -> list[str]:
    """The zones, with reverse zones that together make up a network replaced by it."""
    names = list(dict.fromkeys(zones))
    networks = {zone: network for zone in names if (network := _network(zone))}
    wholes = set(_collapsed(networks.values()))
    whole_of: dict[str, str] = {}
    for zone, network in networks.items():
        if network not in wholes:
            above = next(one for one in _supernets(network) if one in wholes)
            whole_of[zone] = str(above)
    return list(dict.fromkeys(whole_of.get(zone, zone) for zone in names))


def _collapsed(networks: Iterable[Network]) -> Iterator[Network]:
    every = list(networks)
    yield from ipaddress.collapse_addresses(
        network for network in every if isinstance(network, ipaddress.IPv4Network)
    )
    yield from ipaddress.collapse_addresses(
        network for network in every if isinstance(network, ipaddress.IPv6Network)
    )


def _supernets(network: Network) -> Iterator[Network]:
    for length in range(network.prefixlen - 1, -1, -1):
        yield network.supernet(new_prefix=length)


def _network(zone: str) -> Network | None:
    """The network of a reverse zone of whole octets or nibbles."""
    labels = zone.rstrip(".").split(".")
    parts, root = labels[-3::-1], labels[-2:]
    try:
        if root == ["in-addr", "arpa"] and parts:
            address = ".".join([*parts, *["0"] * (4 - len(parts))])
            return ipaddress.ip_network(f"{address}/{8 * len(parts)}")
        if root == ["ip6", "arpa"] and parts and all(len(part) == 1 for part in parts):
            digits = "".join(parts).ljust(32, "0")
            groups = ":".join(digits[at : at + 4] for at in range(0, 32, 4))
            return ipaddress.ip_network(f"{groups}/{4 * len(parts)}")
    except ValueError:
        pass
    return None


def zones(server: Server) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address.zone for address in addresses(server)))


def is_below(zone: str, ancestor: str) -> bool:
    """Whether ``zone`` is ``ancestor`` or a subdomain of it."""
    return ancestor == ROOT or zone == ancestor or zone.endswith("." + ancestor)


def is_reverse(zone: str) -> bool:
    return is_below(zone, "in-addr.arpa.") or is_below(zone, "ip6.arpa.")


def overlap(one: str, other: str) -> str | None:
    """The lower of two zones when one contains the other; None when they share no name."""
    if is_below(one, other):
        return one
    return other if is_below(other, one) else None


def asked_zones(server: Server, grpc: Directive) -> tuple[str, ...]:
    """The zones whose queries reach ``grpc``: those of the block, narrowed by its FROM."""
    return tuple(dict.fromkeys(zone for key in server.keys for zone in asked_of_key(key, grpc)))


def asked_of_key(key: str, grpc: Directive) -> list[str]:
    """Those of one key. A key with a variable in it has none that are known."""
    sources = zones_of_text(grpc.args[0])[:1] if grpc.args else ()
    own = () if has_variable(key) else zones_of_text(key)
    both = [overlap(zone, source) for zone in own for source in sources]
    return [zone for zone in both if zone]


def excepted(directive: Directive) -> tuple[str, ...]:
    """The zones that ``forward`` or ``grpc`` skip."""
    words = [word for one in directive.block if one.name == "except" for word in one.args]
    return tuple(zone for word in words for zone in zones_of_text(word))


def is_network_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    return True
