"""Traps that show only when all server blocks are seen together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from grpcdns.corefile.syntax import Parsed, Server
from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Found, Trap
from grpcdns.corefile.zones import (
    REVERSE_ROOTS,
    ROOT,
    Address,
    addresses,
    is_below,
    is_reverse,
    zones,
    zones_of_text,
)


class Corefile(NamedTuple):
    """``served``: the zones that grpcdns was told to answer for; () when that is not known."""

    parsed: Parsed
    blocks: tuple[Block, ...]
    served: tuple[str, ...]

    @property
    def asked(self) -> set[str]:
        return {zone for block in self.blocks for zone in block.asked}


def _line(corefile: Corefile) -> int:
    servers = corefile.parsed.servers
    return servers[0].line if servers else 1


def _shadowed(block: Block) -> bool:
    """Whether forward takes everything before grpc anyway: that is a trap of its own."""
    return any(one.args[:1] == (".",) for one in block.server.all("forward"))


def _find_no_grpc(corefile: Corefile) -> Found:
    if not corefile.blocks and not corefile.parsed.imports:
        yield _line(corefile), "grpc stands nowhere in this Corefile"


def _find_imports(corefile: Corefile) -> Found:
    for one in corefile.parsed.imports:
        yield one.line, f"import {one.args[0]}: what it brings was not looked at"


def _find_root(corefile: Corefile) -> Found:
    for block in corefile.blocks:
        if ROOT in block.asked and not _shadowed(block):
            yield block.grpc.line, "every name there is goes to grpcdns"


def _find_all_reverse(corefile: Corefile) -> Found:
    for block in corefile.blocks:
        for zone in block.asked:
            if zone in REVERSE_ROOTS:
                yield block.server.line, f"{zone.rstrip('.')} is the whole world's reverse zone"


def _find_no_reverse(corefile: Corefile) -> Found:
    if any(ROOT in block.asked or _shadowed(block) for block in corefile.blocks):
        return
    asked = corefile.asked
    if asked and not any(map(is_reverse, asked)):
        yield corefile.blocks[0].server.line, "no reverse zone leads to grpc"


def _find_no_rest(corefile: Corefile) -> Found:
    if corefile.blocks and not any(ROOT in zones(one) for one in corefile.parsed.servers):
        yield _line(corefile), "no server block for all other names"


def _find_not_served(corefile: Corefile) -> Found:
    if not corefile.served:
        return
    for block in corefile.blocks:
        for zone in block.asked:
            inside = any(is_below(zone, one) for one in corefile.served)
            if zone != ROOT and zone not in REVERSE_ROOTS and not inside:
                yield block.server.line, f"{zone.rstrip('.')} is none of grpcdns' zones"


def _find_not_asked(corefile: Corefile) -> Found:
    if not corefile.blocks:
        return
    missing = [
        zone.rstrip(".")
        for zone in corefile.served
        if zone not in REVERSE_ROOTS and not any(is_below(zone, one) for one in corefile.asked)
    ]
    if missing:
        shown = ", ".join(missing[:3]) + (f" and {len(missing) - 3} more" if missing[3:] else "")
        yield (
            corefile.blocks[0].server.line,
            f"grpcdns serves {shown}; nobody asks it",
        )


def _find_twice(corefile: Corefile) -> Iterator[tuple[int, str]]:
    seen: dict[tuple[Address, str], int] = {}
    for server in corefile.parsed.servers:
        for address in addresses(server):
            for bound in _bound(server):
                line = seen.setdefault((address, bound), server.line)
                if line != server.line:
                    zone = address.zone.rstrip(".") or address.zone
                    yield server.line, f"{zone} is served in line {line} already"


def _bound(server: Server) -> tuple[str, ...]:
    return tuple(word for one in server.all("bind") for word in one.args) or ("",)


def _find_left_over(corefile: Corefile) -> Found:
    with_grpc = [block.server for block in corefile.blocks]
    for server in corefile.parsed.servers:
        for one in server.all("kubernetes") if corefile.blocks and server not in with_grpc else ():
            own = [zone for word in one.args for zone in zones_of_text(word)] or zones(server)
            both = [zone for zone in own if any(is_below(zone, asked) for asked in corefile.asked)]
            if both:
                yield one.line, f"kubernetes still watches the cluster for {', '.join(both)}"


def _find_no_ready(corefile: Corefile) -> Found:
    if corefile.blocks and not any(one.has("ready") for one in corefile.parsed.servers):
        yield _line(corefile), "ready stands nowhere"


def _find_no_lameduck(corefile: Corefile) -> Found:
    for server in corefile.parsed.servers if corefile.blocks else ():
        for one in server.all("health"):
            if not one.find("lameduck"):
                yield one.line, "health without lameduck"


# fmt: off
TRAPS: Final = (
    Trap("no-grpc", WARNING, "Nothing asks grpcdns.", "grpcdns corefile writes one that does.",
         _find_no_grpc),
    Trap("import", NOTE, "Only CoreDNS knows the file; what is in it counts all the same.",
         "Check the file by itself, or paste it in.", _find_imports),
    Trap("grpc-for-all", ERROR, "grpcdns forwards nothing: names that are not the cluster's are "
         "REFUSED.", "Give the server block the cluster's zones; forward in another, for the rest.",
         _find_root),
    Trap("all-reverse", ERROR, "Reverse look-ups of all other addresses end here with NXDOMAIN or "
         "REFUSED and never reach forward.",
         "Name the cluster's own networks: 10.96.0.0/12 and the Pods'.", _find_all_reverse),
    Trap("no-reverse", WARNING, "PTR queries for the cluster's addresses go to forward, which does "
         "not know them.", "Add the Service and Pod networks to the block's zones: 10.96.0.0/12",
         _find_no_reverse),
    Trap("no-rest", WARNING, "CoreDNS answers REFUSED for names that are in no server block.",
         "Add a block for . with forward . /etc/resolv.conf", _find_no_rest),
    Trap("not-served", ERROR, "grpcdns answers REFUSED for names outside its --zones, and CoreDNS "
         "passes that on.", "Add the zone to grpcdns' --zones, or take it out here.",
         _find_not_served),
    Trap("not-asked", WARNING, "Queries for these zones go elsewhere.",
         "Add them to the zones of the server block with grpc.", _find_not_asked),
    Trap("zone-twice", ERROR, "CoreDNS does not start: a zone may stand once for a port.",
         "Put both into one block.", _find_twice),
    Trap("kubernetes-left-over", NOTE, "The block with the longer zone is asked, so this one "
         "holds a copy of the cluster in memory for nothing.", "Take kubernetes out.",
         _find_left_over),
    Trap("no-ready", WARNING, "A Pod whose CoreDNS has not read its Corefile counts as ready. (It "
         "says nothing of grpcdns: probe that with grpcdns check.)",
         "Write ready in the block for .", _find_no_ready),
    Trap("no-lameduck", NOTE, "CoreDNS closes its port at SIGTERM, while clients still ask it.",
         "Write health { lameduck 5s }, in lines of their own, and stop grpcdns after CoreDNS.",
         _find_no_lameduck),
)
# fmt: on
