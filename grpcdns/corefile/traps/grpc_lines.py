"""Traps in the ``grpc`` stanza itself: ``grpc FROM TO... { properties }``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from grpcdns.corefile.traps.trap import ERROR, NOTE, WARNING, Block, Found, Trap
from grpcdns.corefile.zones import excepted, is_network_address, overlap, zones

MAX_TOS: Final = 15
MAX_LABEL: Final = 63
POLICIES: Final = ("random", "round_robin", "sequential")
PROPERTIES: Final = ("except", "tls", "tls_servername", "policy", "fallthrough")
UNIX: Final = "unix://"


def _tos(block: Block) -> tuple[str, ...]:
    return block.grpc.args[1:]


def _known(text: str) -> bool:
    """Whether a word holds no variable, whose value only CoreDNS knows."""
    return "{$" not in text and "{%" not in text


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


def _find_unfinished(block: Block) -> Found:
    if len(block.grpc.args) < 2:
        missing = "FROM and TO" if not block.grpc.args else "TO"
        yield block.grpc.line, f"grpc lacks its {missing}: grpc FROM TO..."
    elif any(len(label) > MAX_LABEL for label in block.grpc.args[0].split(".")):
        yield block.grpc.line, f"FROM has a label of more than {MAX_LABEL} octets"


def _find_twice(block: Block) -> Found:
    first, *others = block.server.all("grpc")
    for other in others:
        yield other.line, f"a second grpc in this server block; the first is in line {first.line}"


def _find_names(block: Block) -> Found:
    for to in filter(_known, _tos(block)):
        host, _ = _host_port(to)
        is_file = "/" in to or to == "resolv.conf"
        if not _is_unix(to) and not is_file and not is_network_address(host):
            yield block.grpc.line, f"TO {to} is no IP address"


def _find_schemes(block: Block) -> Found:
    for to in filter(_known, _tos(block)):
        scheme, found, rest = to.partition("://")
        if found and scheme != "unix":
            yield block.grpc.line, f"TO {to}: write {rest or 'an address'} without {scheme}://"
        elif to.startswith("unix:") and not _is_unix(to):
            yield block.grpc.line, f"TO {to}: write unix:///absolute/path"
        elif _is_unix(to) and not to.startswith("unix:///"):
            yield block.grpc.line, f"TO {to} has two slashes, so it begins with a host's name"


def _find_files(block: Block) -> Found:
    for to in filter(_known, _tos(block)):
        if to == "resolv.conf" or ("/" in to and not to.startswith("unix:") and "://" not in to):
            yield block.grpc.line, f"TO {to} is taken for a file of name servers"


def _find_too_many(block: Block) -> Found:
    if len(_tos(block)) > MAX_TOS:
        yield block.grpc.line, f"{len(_tos(block))} TOs"


def _find_properties(block: Block) -> Found:
    for one in block.grpc.block:
        if one.name not in PROPERTIES:
            yield one.line, f"grpc has no property {one.name}"
        elif one.name == "policy" and one.args[:1] and one.args[0] not in POLICIES:
            yield one.line, f"there is no policy {one.args[0]}"
        elif one.name in ("policy", "tls_servername", "except") and not one.args:
            yield one.line, f"{one.name} lacks its value"
        elif one.name == "tls" and len(one.args) > 3:
            yield one.line, "tls takes at most CERT KEY CA"


def _find_single(block: Block) -> Found:
    if len(set(_tos(block))) == 1 and _known(_tos(block)[0]):
        yield block.grpc.line, f"one TO only: {_tos(block)[0]}"


def _find_repeated(block: Block) -> Found:
    for to, count in Counter(_tos(block)).items():
        if count > 1:
            yield block.grpc.line, f"{to} stands here {count} times"


def _find_no_port(block: Block) -> Found:
    for to in filter(_known, _tos(block)):
        host, port = _host_port(to)
        if is_network_address(host) and not port:
            yield block.grpc.line, f"TO {to} names no port"


def _find_tls_on_unix(block: Block) -> Found:
    for name in ("tls", "tls_servername"):
        if (found := block.grpc.find(name)) and any(map(_is_unix, _tos(block))):
            yield found.line, f"{name} holds for every TO, and there are unix sockets among them"
            return


def _find_plain(block: Block) -> Found:
    if block.grpc.find("tls") or block.grpc.find("tls_servername"):
        return
    for to in filter(_known, _tos(block)):
        host, _ = _host_port(to)
        if is_network_address(host) and not host.startswith("127.") and host != "::1":
            yield block.grpc.line, f"TO {to} is asked over the network in clear"


def _find_sequential(block: Block) -> Found:
    found = block.grpc.find("policy")
    if found and found.args[:1] == ("sequential",) and len(_tos(block)) > 1:
        yield found.line, "policy sequential asks the first TO only, while it answers"


def _find_outside(block: Block) -> Found:
    if len(block.grpc.args) > 1 and not block.asked and zones(block.server):
        served = " ".join(block.server.keys)
        yield block.grpc.line, f"FROM {block.grpc.args[0]} has no name in common with {served}"


def _find_except(block: Block) -> Found:
    for zone in excepted(block.grpc):
        if any(overlap(zone, asked) for asked in block.asked):
            found = block.grpc.find("except")
            yield found.line if found else block.grpc.line, f"except {zone.rstrip('.') or zone}"


def _find_fallthrough(block: Block) -> Iterator[tuple[int, str]]:
    found = block.grpc.find("fallthrough")
    if found is None:
        return
    forward = block.server.has("forward")
    to = "forward, which runs before grpc and not after it" if forward else "nothing behind it"
    yield found.line, f"fallthrough leads to {to}"


# fmt: off
TRAPS: Final = (
    Trap("grpc-unfinished", ERROR, "CoreDNS does not start: FROM and at least one TO are needed.",
         "Write grpc . unix:///run/grpcdns/0.sock unix:///run/grpcdns/1.sock", _find_unfinished),
    Trap("grpc-twice", ERROR, "CoreDNS does not start: grpc may stand once in a server block.",
         "Name all TOs in one line, or give each zone a server block of its own.", _find_twice),
    Trap("grpc-host-name", ERROR, "CoreDNS does not start: grpc takes IP addresses and unix "
         "sockets, and takes a name for that of a file like resolv.conf.",
         "Write IP:PORT, [v6]:PORT or unix:///path; a Service has its ClusterIP.", _find_names),
    Trap("grpc-scheme", ERROR, "grpc knows one scheme, unix:// and an absolute path, three slashes "
         "in all; others are refused, or dialled as they stand and never reached.",
         "Write unix:///run/grpcdns/0.sock or IP:PORT.", _find_schemes),
    Trap("grpc-file", WARNING, "The file's name servers are then asked over gRPC, on port 53, "
         "where no DnsService is.", "Name grpcdns' own addresses.", _find_files),
    Trap("grpc-too-many", ERROR, f"CoreDNS does not start with more than {MAX_TOS} TOs.",
         "Two workers are enough for a CoreDNS.", _find_too_many),
    Trap("grpc-property", ERROR, "CoreDNS does not start with a property that grpc does not know.",
         f"grpc knows {', '.join(PROPERTIES)}; policies are {', '.join(POLICIES)}.",
         _find_properties),
    Trap("one-worker", WARNING, "grpc has no health check and tries each TO once a query: while "
         "the only worker restarts, every name is SERVFAIL.",
         "Start grpcdns with two --listen and name both.", _find_single),
    Trap("same-to-twice", WARNING, "It is one worker all the same, asked twice in vain when it is "
         "gone; several processes on one socket are not shared out either.",
         "Give each worker a socket of its own.", _find_repeated),
    Trap("no-port", ERROR, "The port is then 53, where DNS is spoken and no gRPC: SERVFAIL.",
         "Write the port of grpcdns' --listen.", _find_no_port),
    Trap("tls-on-unix", ERROR, "grpcdns speaks TLS on its TCP addresses only; a TLS handshake on a "
         "unix socket fails, and with it every query.",
         "Leave tls out: a unix socket is protected by its folder's mode.", _find_tls_on_unix),
    Trap("no-tls", WARNING, "Whoever is on the way can read and change the answers.",
         "Give tls CERT KEY CA here, and --tls-cert, --tls-key, --tls-client-ca to grpcdns.",
         _find_plain),
    Trap("policy-sequential", NOTE, "The other workers stand idle, and nobody knows whether they "
         "can be reached until one has to take over.", "Write policy round_robin.",
         _find_sequential),
    Trap("from-outside", ERROR, "A server block sees only its own zones' names, so grpc is never "
         "asked, and they have no one to answer them.",
         "Write grpc . and let the block's zones decide.", _find_outside),
    Trap("except", WARNING, "No plugin that answers runs after grpc: names under except are "
         "SERVFAIL.",
         "Give these names a server block of their own.", _find_except),
    Trap("fallthrough", WARNING, "The order of plugins is fixed when CoreDNS is built, with "
         "forward before grpc: NXDOMAIN is answered as if fallthrough were not there.",
         "Leave it out; other names belong in other server blocks.", _find_fallthrough),
)
# fmt: on
