"""Traps in what stands beside ``grpc`` in its server block."""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.syntax import Directive
from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Found, Trap
from grpcdns.corefile.zones import excepted, is_below, zones, zones_of_text

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
"""Plugins that answer and run before grpc: which of their arguments is the first zone."""


def _covers(directive: Directive, first: int, block: Block) -> list[str]:
    """The zones that grpc is meant to have and that the directive takes whole."""
    own = [zone for word in directive.args[first:] for zone in zones_of_text(word)]
    own = own or list(zones(block.server))
    return [zone for zone in block.asked if any(is_below(zone, one) for one in own)]


def _named(found: list[str]) -> str:
    """A few zones as text."""
    rest = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return ", ".join(zone.rstrip(".") or zone for zone in found[:3]) + rest


def _find_forward(block: Block) -> Found:
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
            yield one.line, f"forward {one.args[0]} takes the queries for {_named(taken)}"


def _find_kubernetes(block: Block) -> Found:
    for one in block.server.all("kubernetes"):
        if taken := _covers(one, 0, block):
            yield one.line, f"kubernetes answers for {_named(taken)} before grpc is asked"


def _find_answerers(block: Block) -> Found:
    for name, first in BEFORE.items():
        for one in block.server.all(name):
            taken = _covers(one, first, block)
            missing = [word for word in _passing(name) if not one.find(word)]
            if taken and missing:
                lacking = " and ".join(missing)
                yield one.line, f"{name} without {lacking} answers for {_named(taken)}"


def _passing(name: str) -> tuple[str, ...]:
    """The properties with which a plugin passes on what it does not know. A template knows every
    name unless it has a regular expression to match."""
    return ("match", "fallthrough") if name == "template" else ("fallthrough",)


def _find_external(block: Block) -> Found:
    if not block.server.has("kubernetes"):
        for one in block.server.all("k8s_external"):
            yield one.line, "k8s_external without kubernetes"


def _find_autopath(block: Block) -> Found:
    for one in block.server.all("autopath"):
        source = one.args[-1] if one.args else ""
        if source == "@kubernetes" and block.server.has("kubernetes"):
            continue
        if source.startswith("@"):
            yield one.line, f"autopath {source} has no one to ask for a client's search path"


def _find_transfer(block: Block) -> Found:
    for one in block.server.all("transfer"):
        yield one.line, "transfer of a zone that grpc answers for"


def _find_servfail(block: Block) -> Found:
    for one in block.server.all("cache"):
        servfail = one.find("servfail")
        if servfail is None:
            yield one.line, "cache without servfail 0"
        elif servfail.args[:1] not in (("0",), ("0s",)):
            yield servfail.line, f"cache keeps SERVFAIL for {' '.join(servfail.args)}"


def _disabled(cache: Directive, block: Block) -> bool:
    """Whether the cache leaves all of the block's zones alone, positive and negative."""
    kinds = {
        one.args[0]
        for one in cache.block
        if one.name == "disable" and one.args and _covers(one, 1, block)
    }
    return {"success", "denial"} <= kinds


def _find_client_aware(block: Block) -> Found:
    edns = [one for one in block.server.all("rewrite") if _sets_edns(one)]
    caches = [one for one in block.server.all("cache") if not _disabled(one, block)]
    for one in edns if caches else ():
        yield (
            one.line,
            f"rewrite edns0 and cache (line {caches[0].line}): answers that depend on the option "
            "are given to every client",
        )


def _sets_edns(directive: Directive) -> bool:
    return directive.args[:1] == ("edns0",) or directive.args[1:2] == ("edns0",)


def _find_rewrite_order(block: Block) -> Found:
    caches = block.server.all("cache")
    for one in block.server.all("rewrite") if caches else ():
        if not _sets_edns(one):
            yield one.line, f"rewrite and cache (line {caches[0].line}) in one block"


def _find_loop(block: Block) -> Found:
    if not block.server.has("forward"):
        for one in block.server.all("loop"):
            yield one.line, "loop in a block without forward"


def _find_silent(block: Block) -> Found:
    if not block.server.has("errors"):
        yield block.server.line, "no errors in this server block"


# fmt: off
TRAPS: Final = (
    Trap("forward-before-grpc", ERROR, "The order of plugins is fixed when CoreDNS is built: "
         "forward runs before grpc, whatever the order of the lines, and passes nothing on.",
         "Two server blocks: grpc in one for the cluster's zones, forward in one for the rest.",
         _find_forward),
    Trap("kubernetes-beside-grpc", ERROR, "kubernetes runs before grpc and answers from its own "
         "watch (with fallthrough: all but NXDOMAIN), so grpcdns is not asked.",
         "Take kubernetes out of this block.", _find_kubernetes),
    Trap("answered-before-grpc", ERROR, "The plugin runs before grpc and answers for names that it "
         "does not know, too.", "Give it fallthrough, or zones of its own.", _find_answerers),
    Trap("k8s-external", ERROR, "CoreDNS does not start: k8s_external asks the kubernetes plugin "
         "of its own block.", "Use grpcdns --external-zones, and those zones in the grpc block.",
         _find_external),
    Trap("autopath", WARNING, "grpc cannot tell the search path of a client's Pod: with @grpc "
         "CoreDNS does not start, with @kubernetes and no kubernetes plugin it does nothing.",
         "Leave it out; lower ndots in the Pods' dnsConfig instead.", _find_autopath),
    Trap("transfer", WARNING, "grpc has no zone to transfer: AXFR and IXFR are REFUSED.",
         "Leave it out; grpcdns zone prints the records.", _find_transfer),
    Trap("cache-servfail", NOTE, "CoreDNS keeps a SERVFAIL that it was replied with for 5 s. (One "
         "that it made itself, for want of a worker, is not kept.)",
         "Write cache { servfail 0 }, in lines of their own.", _find_servfail),
    Trap("cache-client-aware", WARNING, "The cache's key is name, type, class, DO and CD; EDNS "
         "options and the client are not part of it.",
         "Write disable success ZONE and disable denial ZONE in the cache's block.",
         _find_client_aware),
    Trap("rewrite-order", NOTE, "CoreDNS 1.14 rewrites before it looks into the cache, 1.13 and "
         "older after it: the same lines give other answers there.",
         "Test the pair on the version in use.", _find_rewrite_order),
    Trap("loop-useless", NOTE, "loop finds a forward that leads back to CoreDNS; here its HINFO "
         "probe goes to grpcdns and finds nothing.", "Write it where forward is.", _find_loop),
    Trap("no-errors", NOTE, "When no worker can be reached, the log says nothing of it.",
         "Write errors in the block.", _find_silent),
)
# fmt: on
