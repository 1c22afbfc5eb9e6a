"""Zones as a Corefile writes them, and how CoreDNS compares them.

A zone is lower-case text with a trailing dot; the root is ".".
"""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

from grpcdns.config.values import reverse_zones
from grpcdns.corefile.syntax import Directive, Server

ROOT: Final = "."
REVERSE_ROOTS: Final = ("in-addr.arpa.", "ip6.arpa.", "arpa.")
_SCHEME: Final = re.compile(r"(dns|tls|quic|grpc|https|https3)://")
_PORT: Final = re.compile(r":(\d+)$")


class Address(NamedTuple):
    """A zone of a server block, and the scheme and port that it is served on."""

    scheme: str
    zone: str
    port: str


def zones_of_text(text: str) -> tuple[str, ...]:
    """The zones of a name or network without a port; 10.96.0.0/12 is 16 zones."""
    if "/" in text:
        try:
            return reverse_zones(text)
        except ValueError:
            pass
    name = text.lower().rstrip(".")
    return (f"{name}." if name else ROOT,)


def addresses(server: Server) -> list[Address]:
    """Every zone of a server block. A key with a variable in it is skipped."""
    found = []
    for key in server.keys:
        if "{$" in key or "{%" in key:
            continue
        scheme = _SCHEME.match(key)
        rest = key[scheme.end() :] if scheme else key
        port = _PORT.search(rest)
        zone = rest[: port.start()] if port else rest
        name = scheme[1] if scheme else "dns"
        found += [Address(name, one, port[1] if port else "") for one in zones_of_text(zone)]
    return found


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
    if not grpc.args:
        return ()
    sources = zones_of_text(grpc.args[0])[:1]
    found = [overlap(zone, source) for zone in zones(server) for source in sources]
    return tuple(dict.fromkeys(zone for zone in found if zone))


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
