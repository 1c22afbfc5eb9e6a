"""Traps that involve several server blocks, or the Corefile as a whole."""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Corefile, Hits, Trap
from grpcdns.corefile.zones import (
    REVERSE_ROOTS,
    ROOT,
    asked_of_key,
    is_below,
    is_reverse,
    named,
    zones,
    zones_of_text,
)


def _line(corefile: Corefile) -> int:
    servers = corefile.parsed.servers
    return servers[0].line if servers else 1


def _shadowed(block: Block) -> bool:
    """Whether forward takes every query before grpc, which forward-before-grpc reports."""
    return any(one.args[:1] == (".",) for one in block.server.all("forward"))


def _find_no_grpc(corefile: Corefile) -> Hits:
    if corefile.blocks:
        return
    for server in corefile.parsed.servers:
        for one in server.all("kubernetes")[:1]:
            yield one.line, "kubernetes, and no grpc: grpcdns corefile --from FILE translates it"
            return
    if not corefile.parsed.imports:  # an imported file may have it
        yield _line(corefile), "this Corefile has no grpc"


def _find_stray_brace(corefile: Corefile) -> Hits:
    for server in corefile.parsed.servers:
        if "}" in server.keys:
            yield server.line, "a } that closes nothing is read as the name of a zone"


def _find_imports(corefile: Corefile) -> Hits:
    for one in corefile.parsed.imports:
        yield one.line, f"import {one.args[0]}: the imported file was not checked"


def _find_root(corefile: Corefile) -> Hits:
    for block in corefile.blocks:
        if ROOT in block.asked and not _shadowed(block):
            yield block.grpc.line, "queries for all names go to grpcdns"


def _find_all_reverse(corefile: Corefile) -> Hits:
    for block in corefile.blocks:
        for zone in block.asked:
            if zone in REVERSE_ROOTS:
                yield block.server.line, f"{zone.rstrip('.')} is the reverse zone of all addresses"


def _find_no_reverse(corefile: Corefile) -> Hits:
    if any(ROOT in block.asked or _shadowed(block) for block in corefile.blocks):
        return
    asked = corefile.asked
    if asked and not any(map(is_reverse, asked)):
        yield corefile.blocks[0].server.line, "grpc gets no reverse zone"


def _find_no_rest(corefile: Corefile) -> Hits:
    if corefile.blocks and not any(ROOT in zones(one) for one in corefile.parsed.servers):
        yield _line(corefile), "no server block for all other names"


def _find_not_served(corefile: Corefile) -> Hits:
    """One line for a key, which is a network or a name as the user wrote it."""
    for block in corefile.blocks if corefile.served else ():
        for key in block.server.keys:
            asked = [zone for zone in asked_of_key(key, block.grpc) if _can_be_missing(zone)]
            outside = [
                zone for zone in asked if not any(is_below(zone, one) for one in corefile.served)
            ]
            if outside and len(outside) == len(zones_of_text(key)):
                yield block.server.line, f"{key} is not one of grpcdns's zones"
            elif outside:
                yield block.server.line, f"{named(outside)} of {key}: not one of grpcdns's zones"


def _can_be_missing(zone: str) -> bool:
    """Whether other traps do not speak of the zone already."""
    return zone != ROOT and zone not in REVERSE_ROOTS


def _find_not_asked(corefile: Corefile) -> Hits:
    if not corefile.blocks:
        return
    missing = [
        zone
        for zone in corefile.served
        if zone not in REVERSE_ROOTS and not any(is_below(zone, one) for one in corefile.asked)
    ]
    if missing:
        line = corefile.blocks[0].server.line
        yield line, f"grpcdns serves {named(missing)}, but no grpc block has them"


def _find_left_over(corefile: Corefile) -> Hits:
    with_grpc = [block.server for block in corefile.blocks]
    for server in corefile.parsed.servers:
        for one in server.all("kubernetes") if corefile.blocks and server not in with_grpc else ():
            own = [zone for word in one.args for zone in zones_of_text(word)] or zones(server)
            both = [zone for zone in own if any(is_below(zone, asked) for asked in corefile.asked)]
            if both:
                yield one.line, f"kubernetes still watches the cluster for {named(both)}"


def _find_no_ready(corefile: Corefile) -> Hits:
    if corefile.blocks and not any(one.has("ready") for one in corefile.parsed.servers):
        yield _line(corefile), "this Corefile has no ready"


def _find_no_lameduck(corefile: Corefile) -> Hits:
    for server in corefile.parsed.servers if corefile.blocks else ():
        for one in server.all("health"):
            if not one.find("lameduck"):
                yield one.line, "health without lameduck"


# fmt: off
TRAPS: Final = (
    Trap("no-grpc", WARNING, "grpcdns gets no queries.", "grpcdns corefile writes a Corefile for "
         "the cluster; grpcdns corefile --from FILE translates one.", _find_no_grpc),
    Trap("stray-brace", WARNING, "CoreDNS starts and serves a zone of that name; other braces are "
         "likely not where they were meant to be.", "Remove the brace.", _find_stray_brace),
    Trap("import", NOTE, "The file is read where CoreDNS runs, so its lines are not checked here.",
         "Check the file by itself, or paste its lines in.", _find_imports),
    Trap("grpc-for-all", ERROR, "grpcdns does not forward: names outside the cluster's zones are "
         "REFUSED.", "Give the server block the cluster's zones, and add a block with forward for "
         "the rest.", _find_root),
    Trap("all-reverse", ERROR, "Reverse lookups of all other addresses end here with NXDOMAIN or "
         "REFUSED and never reach forward.",
         "List the cluster's own networks: 10.96.0.0/12 and the Pods'.", _find_all_reverse),
    Trap("no-reverse", WARNING, "PTR queries for the cluster's addresses go to forward, which does "
         "not know them.", "Add the Service and Pod networks to the block's zones: 10.96.0.0/12",
         _find_no_reverse),
    Trap("no-rest", WARNING, "CoreDNS answers REFUSED for names that no server block has.",
         "Add a block for . with forward . /etc/resolv.conf", _find_no_rest),
    Trap("not-served", ERROR, "grpcdns answers REFUSED for names outside its --zones, and CoreDNS "
         "passes that on.", "Add the zone to grpcdns's --zones, or remove it here.",
         _find_not_served),
    Trap("not-asked", WARNING, "Queries for these zones do not reach grpcdns.",
         "Add them to the zones of the server block with grpc.", _find_not_asked),
    Trap("kubernetes-left-over", NOTE, "CoreDNS asks the block with the longer zone, so this one "
         "keeps a copy of the cluster in memory for nothing.", "Remove kubernetes.",
         _find_left_over),
    Trap("no-ready", WARNING, "A Pod counts as ready before its CoreDNS has read the Corefile. "
         "(ready says nothing about grpcdns: probe that with grpcdns check.)",
         "Write ready in the block for .", _find_no_ready),
    Trap("no-lameduck", NOTE, "CoreDNS closes its port at SIGTERM while clients still query it.",
         "Write lameduck 5s in a health block, and stop grpcdns after CoreDNS.",
         _find_no_lameduck),
)
# fmt: on
