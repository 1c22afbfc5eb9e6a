"""Why CoreDNS does not start with a Corefile, as far as the text alone decides it.

    for refusal in refusals(parse_corefile(text)): ...

Each step is one of CoreDNS's own: the directives must exist, the keys must be zones, each plugin
must accept its arguments, no zone may be served twice on an address, and plugins that need another
one must find it. CoreDNS stops at the first; here all are reported, one for each plugin and block.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from grpcdns.corefile.arguments import Arguments, Refusal, Undecided
from grpcdns.corefile.plugins import CHECKS, EXTERNAL, HANDLERS
from grpcdns.corefile.syntax import Directive, Parsed, Server
from grpcdns.corefile.words import MAX_PORT, has_variable
from grpcdns.corefile.zones import (
    Address,
    BadKey,
    addresses,
    addresses_of,
    named,
    split_scheme,
)

NEEDS_TLS: Final = ("quic", "https3")
WITHOUT_SERVER: Final = ("unix",)
"""Schemes of keys for which CoreDNS runs no server, so that a view has no effect there."""

AUTO_PATHERS: Final = ("kubernetes", "erratic")


def refusals(parsed: Parsed) -> list[Refusal]:
    """In no order. Empty: CoreDNS starts, if files, addresses and names are what it needs."""
    return [
        *(one for server in parsed.servers for one in refusals_of(server)),
        *_unknown(parsed.dropped),
        *_served_twice(parsed),
    ]


def refusals_of(server: Server) -> Iterator[Refusal]:
    """Those of one server block by itself."""
    yield from _unknown(server.directives)
    yield from _bad_keys(server)
    for name, tokens in server.tokens.items():
        check = CHECKS.get(name)
        if check is not None:
            try:
                check(Arguments(tokens), server)
            except Refusal as refusal:
                yield refusal
            except Undecided:
                pass
    if not server.partial:
        yield from _lonely(server)


def _unknown(directives: Iterable[Directive]) -> Iterator[Refusal]:
    for one in directives:
        if one.name in CHECKS or has_variable(one.name):
            continue
        if one.name in EXTERNAL:
            what = f"{one.name} is not in stock CoreDNS"
            yield Refusal(one.line, what, "external-plugin")
        else:
            close = difflib.get_close_matches(one.name, CHECKS, 1, 0.75)
            hint = f"; did you mean {close[0]}?" if close else ""
            yield Refusal(one.line, f"no directive {one.name}{hint}", "unknown-directive")


def _bad_keys(server: Server) -> Iterator[Refusal]:
    for key in server.keys:
        if has_variable(key):
            continue
        try:
            first = addresses_of(key)[0]
        except BadKey as problem:
            yield Refusal(server.line, f"{key}: {problem}", "bad-zone")
            continue
        scheme, port = first.scheme, first.port
        if port and not 0 <= int(port) <= MAX_PORT:
            yield Refusal(server.line, f"{key}: {port} is not a port", "bad-zone")
        if scheme in NEEDS_TLS and "tls" not in server.tokens and not server.partial:
            yield Refusal(server.line, f"{key}: {scheme} needs the tls plugin", "bad-zone")


def _lonely(server: Server) -> Iterator[Refusal]:
    """Plugins that look for another one in their block when CoreDNS starts."""
    runs = split_scheme(server.keys[0])[0] not in WITHOUT_SERVER
    for one in server.all("k8s_external")[:1]:
        if not (runs and server.has("kubernetes")):
            yield Refusal(one.line, "k8s_external without kubernetes", "k8s-external")
    for one in server.all("autopath")[-1:]:
        name = one.args[-1][1:] if one.args and one.args[-1].startswith("@") else ""
        if runs and name in HANDLERS and server.has(name) and name not in AUTO_PATHERS:
            what = f"autopath @{name}: {name} does not know a client's search path"
            yield Refusal(one.line, what)


# -- zones and addresses


class _Place(NamedTuple):
    address: Address
    host: str


def _served_twice(parsed: Parsed) -> Iterator[Refusal]:
    """A zone may be served once on an address. A block without ``bind`` has all addresses, and
    blocks with ``view`` may share a zone with one block without it, and with each other."""
    registered: dict[_Place, int] = {}
    bound: dict[Address, int] = {}
    for server in parsed.servers:
        if server.partial:
            continue
        keys = _keys_of(server)
        conflicts: dict[tuple[int, tuple[str, ...]], dict[str, None]] = {}
        for place, view in _places(server, keys):
            line = _conflict(place, view, registered, bound)
            if line is not None:
                pair = tuple(keys[place.address])[:2] if line == server.line else ()
                conflicts.setdefault((line, pair), {})[place.address.zone] = None
            elif not view:
                registered.setdefault(place, server.line)
                bound.setdefault(place.address, server.line)
        for (line, pair), zones in conflicts.items():
            yield Refusal(server.line, _twice(named(zones), line, server.line, pair), "zone-twice")


def _keys_of(server: Server) -> dict[Address, Counter[str]]:
    """The zones of a block, and how often each is in which key: more than twice counts as twice."""
    keys: dict[Address, Counter[str]] = {}
    for key, count in Counter(server.keys).items():
        for address in addresses(server._replace(keys=(key,))):
            keys.setdefault(address, Counter())[key] = min(count, 2)
    return keys


def _places(server: Server, keys: Mapping[Address, Counter[str]]) -> Iterator[tuple[_Place, bool]]:
    """Each zone and address that CoreDNS registers, and whether a view keeps it apart."""
    view = server.has("view")
    hosts = _hosts(server)
    for address, written in keys.items():
        for _ in range(written.total()):
            for host in hosts:
                yield _Place(address, host), view and address.scheme not in WITHOUT_SERVER


def _conflict(
    place: _Place, view: bool, registered: Mapping[_Place, int], bound: Mapping[Address, int]
) -> int | None:
    """The line of the block that has the zone already."""
    line = registered.get(place)
    if line is not None:
        return None if view else line
    if not place.host:
        return bound.get(place.address)
    return registered.get(place._replace(host=""))


def _twice(zones: str, line: int, own: int, keys: Sequence[str]) -> str:
    """Which zones, and the keys that they come from when these differ."""
    if line != own:
        return f"{zones} is already served in line {line}"
    if len(keys) == 1:
        return f"{keys[0]} is twice in this line"
    return f"{zones} is twice in this line, in {' and in '.join(keys)}"


def _hosts(server: Server) -> tuple[str, ...]:
    """The addresses of ``bind``, "" for all; those with a variable are left out."""
    lines = server.all("bind")
    if not lines:
        return ("",)
    hosts = []
    for one in lines:
        excepted = {word for prop in one.block if prop.name == "except" for word in prop.args}
        hosts += [word for word in one.args if word not in excepted and not has_variable(word)]
    return tuple(hosts)
