"""The keys of a server block, split into those for ``grpc`` and those for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import has_variable
from grpcdns.corefile.zones import (
    ROOT,
    Address,
    BadKey,
    addresses,
    addresses_of,
    is_below,
    overlap,
    split_scheme,
    zones_of_text,
)

ROOTS: Final = {"in-addr.arpa.": 4, "ip6.arpa.": 6}
"""The reverse zones of all addresses, and their IP version: the cluster's networks replace them."""


class Key:
    """A key in three parts: scheme, zone and port, as written."""

    def __init__(self, key: str) -> None:
        _, rest = split_scheme(key)
        self.written = key
        self.scheme = key.removesuffix(rest)
        zone, colon, port = rest.rpartition(":")
        has_port = bool(colon) and port.lstrip("+").isdigit()
        self.zone = zone if has_port else rest
        self.port = f":{port}" if has_port else ""

    def with_zone(self, zone: str) -> str:
        return f"{self.scheme}{zone.rstrip('.') or ROOT}{self.port}"


class Keys:
    """Those of one block. ``taken``: what other blocks serve, and go on to serve."""

    def __init__(self, server: Server, taken: Iterable[Address] = ()) -> None:
        self._keys = [Key(key) for key in server.keys]
        self._taken = set(taken)

    @property
    def zones(self) -> list[str]:
        """As written, without ports."""
        return [key.zone for key in self._keys]

    def has(self, zone: str) -> bool:
        """Whether queries for the zone, or for some of it, reach the block."""
        return any(
            has_variable(key.zone) or overlap(zone, one)
            for key in self._keys
            for one in zones_of_text(key.zone)
        )

    def of(self, words: Iterable[str]) -> list[str]:
        """Keys for these zones, with the schemes and ports of the block's. Each zone once."""
        keys: list[str] = []
        used = set(self._taken)
        for word in words:
            for key in self._for(word):
                keys += _fresh(key, used)
        return list(dict.fromkeys(keys))

    def _for(self, word: str) -> Iterator[Key]:
        if has_variable(word):
            same = [key for key in self._keys if key.zone == word]
            places = {addresses_of(key.with_zone(ROOT)): key for key in reversed(self._keys)}
            yield from same or (Key(key.with_zone(word)) for key in reversed(places.values()))
            return
        asked = zones_of_text(word)
        for key in self._keys:
            own = () if has_variable(key.zone) else zones_of_text(key.zone)
            if any(is_below(zone, one) for zone in asked for one in own):
                yield Key(key.with_zone(word))
            elif any(is_below(one, zone) for zone in asked for one in own):
                yield key

    def without(self, words: Sequence[str], *, answers: bool) -> list[str]:
        """Keys with names outside these zones. The zone of all reverse names is one only if the
        block ``answers`` by other plugins: otherwise other blocks get these names."""
        ours = [zone for word in words for zone in zones_of_text(word)]
        keys: list[str] = []
        for key in self._keys:
            if has_variable(key.zone):
                keys += [] if key.zone in words else [key.written]
                continue
            own = zones_of_text(key.zone)
            rest = [
                zone
                for zone in own
                if not any(is_below(zone, one) for one in ours) and (answers or zone not in ROOTS)
            ]
            whole = len(rest) == len(own)
            keys += [key.written] if whole else [key.with_zone(zone) for zone in rest]
        return keys


def _fresh(key: Key, used: set[Address]) -> list[str]:
    """The key, or keys for those of its zones that are not used yet."""
    written = key.with_zone(key.zone)
    if has_variable(written):
        return [written]
    try:
        every = addresses_of(written)
    except BadKey:
        return []
    fresh = [address for address in every if address not in used]
    used.update(fresh)
    if len(fresh) == len(every):
        return [written]
    return [key.with_zone(address.zone) for address in fresh]


def taken_by_others(server: Server, every: Iterable[Server]) -> Iterator[Address]:
    """What other blocks serve on the same addresses. Blocks with ``view`` share their zones."""
    if server.has("view"):
        return
    own = _hosts(server)
    for other in every:
        hosts = _hosts(other)
        same = not own or not hosts or own & hosts
        if other is not server and not other.has("view") and same:
            yield from addresses(other)


def _hosts(server: Server) -> set[str]:
    return {word for one in server.all("bind") for word in one.args}
