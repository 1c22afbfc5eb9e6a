"""Traps in the other lines of a server block that has ``grpc``."""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.syntax import Directive
from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Hits, Trap
from grpcdns.corefile.zones import excepted, is_below, named, zones, zones_of_text

BEFORE: Final = {
    "hosts": 1,
    "route53": 0,
    "azure": 0,
    "clouddns": 0,
    "file": 1,
    "auto": 0,
    "secondary": 0,
    "etcd": 0,
    "template": 2,
}
"""Plugins that answer and run before grpc, and the index of their first zone argument."""


def _covers(directive: Directive, first: int, block: Block) -> list[str]:
    """The zones meant for grpc that the directive answers for as a whole."""
    own = [zone for word in directive.args[first:] for zone in zones_of_text(word)]
    own = own or list(zones(block.server))
    return [zone for zone in block.asked if any(is_below(zone, one) for one in own)]


def _find_forward(block: Block) -> Hits:
    for one in block.server.all("forward"):
        passed = excepted(one)
        sources = zones_of_text(one.args[0]) if one.args else ()
        taken = [
            zone
            for zone in block.asked
            if any(is_below(zone, source) for source in sources)
            and not any(is_below(zone, other) for other in passed)
        ]
        if taken:
            yield one.line, f"forward {one.args[0]} takes the queries for {named(taken)}"


def _find_kubernetes(block: Block) -> Hits:
    for one in block.server.all("kubernetes"):
        if taken := _covers(one, 0, block):
            yield one.line, f"kubernetes answers for {named(taken)} before grpc is asked"


def _find_answerers(block: Block) -> Hits:
    for name, first in BEFORE.items():
        for one in block.server.all(name):
            taken = _covers(one, first, block)
            missing = [word for word in _passing(name) if not one.find(word)]
            if taken and missing:
                lacking = " and ".join(missing)
                yield one.line, f"{name} without {lacking} answers for {named(taken)}"


def _passing(name: str) -> tuple[str, ...]:
    """The properties that make a plugin pass on unknown names. A template knows every name unless
    it has a regular expression to match."""
    return ("match", "fallthrough") if name == "template" else ("fallthrough",)


def _find_autopath(block: Block) -> Hits:
    for one in block.server.all("autopath"):
        source = one.args[-1] if one.args else ""
        if source == "@kubernetes" and block.server.has("kubernetes"):
            continue
        if source.startswith("@"):
            yield one.line, f"autopath {source}: no plugin knows a client's search path"


def _find_transfer(block: Block) -> Hits:
    for one in block.server.all("transfer"):
        yield one.line, "transfer in a block whose zones grpc answers for"


def _disabled(cache: Directive, block: Block) -> bool:
    """Whether the cache is off for all of the block's zones, for success and for denial."""
    kinds = {
        one.args[0]
        for one in cache.block
        if one.name == "disable" and one.args and _covers(one, 1, block)
    }
    return {"success", "denial"} <= kinds


def _find_client_aware(block: Block) -> Hits:
    edns = [one for one in block.server.all("rewrite") if _sets_edns(one)]
    caches = [one for one in block.server.all("cache") if not _disabled(one, block)]
    for one in edns if caches else ():
        yield (
            one.line,
            f"rewrite edns0 and cache (line {caches[0].line}): answers that depend on the option "
            "go to every client",
        )


def _sets_edns(directive: Directive) -> bool:
    return directive.args[:1] == ("edns0",) or directive.args[1:2] == ("edns0",)


def _find_rewrite_order(block: Block) -> Hits:
    caches = block.server.all("cache")
    for one in block.server.all("rewrite") if caches else ():
        if not _sets_edns(one):
            yield one.line, f"rewrite and cache (line {caches[0].line}) in one block"


def _find_loop(block: Block) -> Hits:
    if not block.server.has("forward"):
        for one in block.server.all("loop"):
            yield one.line, "loop in a block without forward"


def _find_silent(block: Block) -> Hits:
    if not block.server.has("errors"):
        yield block.server.line, "this server block has no errors plugin"


# fmt: off
TRAPS: Final = (
    Trap("forward-before-grpc", ERROR, "The order of plugins is fixed when CoreDNS is built: "
         "forward runs before grpc, whatever the order of the lines, and passes nothing on.",
         "Use two server blocks: grpc in one for the cluster's zones, forward in one for the rest.",
         _find_forward),
    Trap("kubernetes-beside-grpc", ERROR, "kubernetes runs before grpc and answers from its own "
         "watch (with fallthrough: everything but NXDOMAIN), so grpcdns is not asked.",
         "Remove kubernetes from this block; grpcdns corefile --from FILE translates a block.",
         _find_kubernetes),
    Trap("answered-before-grpc", ERROR, "The plugin runs before grpc and answers, with NXDOMAIN or "
         "NODATA, for names that it does not know.", "Give it fallthrough, or its own zones.",
         _find_answerers),
    Trap("autopath", WARNING, "grpc does not know the search path of a client's Pod: with @grpc "
         "CoreDNS does not start, with @kubernetes and no kubernetes plugin it has no effect.",
         "Remove it; lower ndots in the Pods' dnsConfig instead.", _find_autopath),
    Trap("transfer", WARNING, "grpc has no zone to transfer: AXFR and IXFR are REFUSED.",
         "Remove it; grpcdns zone prints the records.", _find_transfer),
    Trap("cache-client-aware", WARNING, "The cache's key is name, type, class, DO and CD; neither "
         "EDNS options nor the client are part of it.",
         "Write disable success ZONE and disable denial ZONE in the cache block.",
         _find_client_aware),
    Trap("rewrite-order", NOTE, "CoreDNS 1.14 rewrites before the cache lookup, 1.13 and older "
         "after it: the same lines give different answers there.",
         "Test the pair on the CoreDNS version you run.", _find_rewrite_order),
    Trap("loop-useless", NOTE, "loop detects a forward that leads back to CoreDNS; here its HINFO "
         "probe goes to grpcdns and detects nothing.", "Move it to the block with forward.",
         _find_loop),
    Trap("no-errors", NOTE, "When no worker can be reached, nothing is logged.",
         "Write errors in the block.", _find_silent),
)
# fmt: on
