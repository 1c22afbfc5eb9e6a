"""Traps in the ``grpc`` lines: ``grpc FROM TO... { properties }``."""

from __future__ import annotations

from collections import Counter
from typing import Final

from grpcdns.corefile.plugins.forwarding import GRPC_PROPERTIES, MAX_TOS, POLICIES, UNIX
from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Hits, Trap, refused
from grpcdns.corefile.words import has_variable
from grpcdns.corefile.zones import PORTS, excepted, is_network_address, overlap, zones


def _tos(block: Block) -> tuple[str, ...]:
    return block.grpc.args[1:]


def _known(to: str) -> bool:
    return not has_variable(to)


def _host_port(to: str) -> tuple[str, str]:
    """Host and port of a TO; the port is "" where none is given."""
    if to.startswith("["):
        host, _, rest = to[1:].partition("]")
        return host, rest.removeprefix(":")
    if to.count(":") > 1:
        return to, ""
    host, _, port = to.partition(":")
    return host, port


def _is_unix(to: str) -> bool:
    return to.startswith(UNIX)


def _find_schemes(block: Block) -> Hits:
    yield from refused("grpc-scheme")(block)
    for to in filter(_known, _tos(block)):
        scheme, _, rest = to.partition("://")
        if scheme in PORTS and scheme != "unix" and to != scheme and rest:
            yield block.grpc.line, f"TO {to}: write {rest} without {scheme}://"
        elif _is_unix(to) and not to.startswith("unix:///"):
            yield block.grpc.line, f"TO {to} has two slashes, so it begins with a host name"


def _find_files(block: Block) -> Hits:
    for to in filter(_known, _tos(block)):
        if to == "resolv.conf" or ("/" in to and not to.startswith("unix:") and "://" not in to):
            yield block.grpc.line, f"TO {to} is read as a file of name servers"


def _find_single(block: Block) -> Hits:
    if len(set(_tos(block))) == 1 and _known(_tos(block)[0]):
        yield block.grpc.line, f"only one TO: {_tos(block)[0]}"


def _find_repeated(block: Block) -> Hits:
    for to, count in Counter(_tos(block)).items():
        if count > 1:
            yield block.grpc.line, f"{to} is listed {count} times"


def _find_no_port(block: Block) -> Hits:
    for to in filter(_known, _tos(block)):
        host, port = _host_port(to)
        if is_network_address(host) and not port:
            yield block.grpc.line, f"TO {to} has no port"


def _find_tls_on_unix(block: Block) -> Hits:
    for name in ("tls", "tls_servername"):
        if (prop := block.grpc.find(name)) and any(map(_is_unix, _tos(block))):
            yield prop.line, f"{name} applies to every TO, unix sockets included"
            return


def _find_plain(block: Block) -> Hits:
    if block.grpc.find("tls") or block.grpc.find("tls_servername"):
        return
    for to in filter(_known, _tos(block)):
        host, _ = _host_port(to)
        if is_network_address(host) and not host.startswith("127.") and host != "::1":
            yield block.grpc.line, f"TO {to} is queried over the network without TLS"


def _find_sequential(block: Block) -> Hits:
    policy = block.grpc.find("policy")
    if policy and policy.args[:1] == ("sequential",) and len(_tos(block)) > 1:
        yield policy.line, "policy sequential only uses the first TO as long as it answers"


def _find_outside(block: Block) -> Hits:
    if len(block.grpc.args) > 1 and not block.asked and zones(block.server):
        served = " ".join(block.server.keys)
        yield block.grpc.line, f"FROM {block.grpc.args[0]} shares no name with {served}"


def _find_except(block: Block) -> Hits:
    for zone in excepted(block.grpc):
        if any(overlap(zone, asked) for asked in block.asked):
            prop = block.grpc.find("except")
            yield prop.line if prop else block.grpc.line, f"except {zone.rstrip('.') or zone}"


def _find_fallthrough(block: Block) -> Hits:
    prop = block.grpc.find("fallthrough")
    if prop is None:
        return
    forward = block.server.has("forward")
    why = "forward runs before grpc, not after it" if forward else "no plugin runs after grpc"
    yield prop.line, f"fallthrough has no effect: {why}"


# fmt: off
TRAPS: Final = (
    Trap("grpc-unfinished", ERROR, "CoreDNS does not start: grpc needs FROM and at least one TO.",
         "Write grpc . unix:///run/grpcdns/0.sock unix:///run/grpcdns/1.sock",
         refused("grpc-unfinished")),
    Trap("grpc-twice", ERROR, "CoreDNS does not start: a server block can have only one grpc.",
         "List all TOs in one line, or give each zone its own server block.",
         refused("grpc-twice")),
    Trap("grpc-host-name", ERROR, "CoreDNS does not start: grpc takes IP addresses and unix "
         "sockets, and reads a name as the path of a file like resolv.conf.",
         "Write IP:PORT, [v6]:PORT or unix:///path; for a Service use its ClusterIP.",
         refused("grpc-host-name")),
    Trap("grpc-scheme", ERROR, "grpc knows one scheme: unix:// followed by an absolute path, three "
         "slashes in all. Other schemes are refused, or dialled as written and never reached.",
         "Write unix:///run/grpcdns/0.sock or IP:PORT.", _find_schemes),
    Trap("grpc-file", WARNING, "The file's name servers are queried over gRPC on port 53, where "
         "no DnsService listens.", "List grpcdns's addresses.", _find_files),
    Trap("grpc-too-many", ERROR, f"CoreDNS does not start with more than {MAX_TOS} TOs.",
         "Two workers are enough for one CoreDNS.", refused("grpc-too-many")),
    Trap("grpc-property", ERROR, "CoreDNS does not start with a property that grpc does not have.",
         f"grpc has {', '.join(GRPC_PROPERTIES)}; its policies are {', '.join(POLICIES)}.",
         refused("grpc-property")),
    Trap("one-worker", WARNING, "grpc has no health check and tries each TO once per query: while "
         "the only worker restarts, every name is SERVFAIL.",
         "Start grpcdns with two --listen and list both.", _find_single),
    Trap("same-to-twice", WARNING, "It is still one worker: when it is gone, CoreDNS tries it "
         "twice in vain. Several processes on one socket do not share the load either.",
         "Give each worker its own socket.", _find_repeated),
    Trap("no-port", ERROR, "The port defaults to 53, where a DNS server listens and no gRPC "
         "server: SERVFAIL.", "Write the port of grpcdns's --listen.", _find_no_port),
    Trap("tls-on-unix", ERROR, "grpcdns uses TLS on its TCP addresses only: the TLS handshake on a "
         "unix socket fails, and with it every query.",
         "Remove tls: the mode of the socket's folder protects it.", _find_tls_on_unix),
    Trap("no-tls", WARNING, "Anyone on the network path can read and change the answers.",
         "Write tls CERT KEY CA here, and give grpcdns --tls-cert, --tls-key, --tls-client-ca.",
         _find_plain),
    Trap("policy-sequential", NOTE, "The other workers are idle, so nobody notices that they are "
         "unreachable until one has to take over.", "Write policy round_robin.",
         _find_sequential),
    Trap("from-outside", ERROR, "A server block only gets queries for its own zones: grpc is never "
         "asked, and the block's zones have no plugin that answers.",
         "Write grpc . and let the block's zones decide.", _find_outside),
    Trap("except", WARNING, "No plugin that answers runs after grpc: names under except are "
         "SERVFAIL.", "Give these names their own server block.", _find_except),
    Trap("fallthrough", WARNING, "The order of plugins is fixed when CoreDNS is built, with "
         "forward before grpc: NXDOMAIN is answered as without fallthrough.",
         "Remove it; put other names into other server blocks.", _find_fallthrough),
)
# fmt: on
