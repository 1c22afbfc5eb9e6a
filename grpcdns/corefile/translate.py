"""A Corefile with ``kubernetes`` to one with ``grpc``, and the flags that grpcdns needs with it.

    translation = translate(text, Networks(services, pods), sockets)

A server block with ``kubernetes`` or ``k8s_external`` becomes two: one for the cluster's zones with
``grpc``, and one with what is left of its keys and lines. Plugins that work on every query are in
both; `cache` is sized for the cluster's names in the first. All other text stays as it is. Each
line of a block that changes has an `Account`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, NamedTuple

from grpcdns.corefile.cache import is_immediate, sides, sized
from grpcdns.corefile.flags import EXTERNAL, KUBERNETES, Account, Fate, Flags
from grpcdns.corefile.keys import ROOTS, Keys, taken_by_others
from grpcdns.corefile.lexer import SPACE
from grpcdns.corefile.syntax import Directive, Server, parse_corefile
from grpcdns.corefile.words import has_variable
from grpcdns.corefile.zones import ROOT, is_reverse, zones_of_text
from grpcdns.corefile.zones import zones as zones_of_keys

ONE_OF_BOTH: Final = frozenset({"health", "ready", "reload", "pprof", "on"})
"""Plugins for CoreDNS as a whole: they stay in the block for the other names."""

BEHIND: Final = frozenset(
    ("file", "auto", "secondary", "etcd", "loop", "forward", "grpc", "erratic", "whoami")
) | {"sign", "nomad"}
"""Plugins that run after ``kubernetes``: the cluster's names reach them by fallthrough alone."""


ANSWERING: Final = (*BEHIND - {"loop", "sign"}, "hosts", "template", "route53", "azure", "clouddns")

OTHER_REVERSE: Final = (
    "reverse names outside the cluster's networks were NXDOMAIN; now the other blocks answer"
)


class Networks(NamedTuple):
    """The cluster's networks, in CIDR form."""

    services: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()

    def of_version(self, version: int) -> list[str]:
        every = dict.fromkeys((*self.services, *self.pods))
        return [one for one in every if ipaddress.ip_network(one, strict=False).version == version]


class Translation(NamedTuple):
    """``flags``: grpcdns's, as words. ``missing``: what has to be filled in."""

    text: str
    flags: tuple[str, ...]
    accounts: tuple[Account, ...]
    missing: tuple[str, ...]


class Untranslatable(ValueError):
    """Why there is nothing to translate."""


def needs_networks(text: str) -> bool:
    """Whether a ``kubernetes`` block answers for all reverse names. Raises SyntaxProblem."""
    return any(
        zone in ROOTS
        for server in parse_corefile(text).servers
        for word in zones_of_plugin(server, "kubernetes")
        for zone in zones_of_text(word)
    )


def translate(
    text: str, networks: Networks, sockets: Sequence[str], tls: str = "", names: int = 0
) -> Translation:
    """``names``: of the cluster, 0 when they were not counted. Raises SyntaxProblem, and
    Untranslatable when no block has ``kubernetes``."""
    lines = [line.rstrip("\r") for line in text.split("\n")]
    parsed = parse_corefile(text)
    changed = [one for one in parsed.servers if one.has("kubernetes") or one.has("k8s_external")]
    if not changed:
        raise Untranslatable("no server block has kubernetes or k8s_external")
    flags = Flags()
    accounts: list[Account] = []
    out: list[str] = []
    at = 1
    for server in parsed.servers:
        if server.line < at:
            raise Untranslatable(f"line {server.line}: write each server block on its own lines")
        out += lines[at - 1 : server.line - 1]
        at = server.end + 1
        if server in changed:
            keys = Keys(server, taken_by_others(server, parsed.servers))
            block = _Block(server, keys, networks, flags, names)
            out += block.write(sockets, tls)
            accounts += block.accounts
            accounts += _comments(lines, server)
        else:
            out += lines[server.line - 1 : server.end]
            accounts.append(
                Account(server.line, " ".join(server.keys), Fate.KEPT, "the whole block")
            )
    out += lines[at - 1 :]
    accounts[:0] = flags.accounts
    ordered = tuple(sorted(accounts, key=lambda one: one.line))
    return Translation(
        "\n".join(out).rstrip("\n") + "\n", flags.words(), ordered, tuple(flags.missing)
    )


def zones_of_plugin(server: Server, name: str) -> list[str]:
    """As written: its arguments, else the block's keys without ports."""
    given = [word for one in server.all(name) for word in one.args]
    return given if given or not server.has(name) else Keys(server).zones


def _comments(lines: Sequence[str], server: Server) -> Iterator[Account]:
    for number, line in enumerate(lines[server.line - 1 : server.end], server.line):
        text = line.strip()
        if text.startswith("#"):
            yield Account(number, text, Fate.CHANGED, "comments in a rewritten block are left out")


class _Block:
    """One server block on its way."""

    def __init__(
        self, server: Server, keys: Keys, networks: Networks, flags: Flags, names: int
    ) -> None:
        self._server = server
        self._keys = keys
        self._networks = networks
        self._flags = flags
        self._names = names
        self.accounts: list[Account] = []

    def write(self, sockets: Sequence[str], tls: str) -> Iterator[str]:
        zones = [*self._cluster_zones(), *self._external_zones()]
        ours = self._keys.of(zones)
        answers = any(map(self._server.has, ANSWERING))
        rest = self._keys.without(zones, answers=answers)
        asked = zones_of_keys(self._server._replace(keys=tuple(ours)))
        for one in self._server.directives:
            self._account(one, bool(rest))
            if one.name == "cache" and ours:
                self._account_cache(one, asked)
        for one in self._server.imports:
            self._say(one, Fate.CHANGED, "in the block for the other names only; what it has for "
                      "the cluster's names belongs into the block with grpc")  # fmt: skip
        if ours:
            yield from self._braces(ours, self._with_grpc(sockets, tls, asked, not rest))
        if ours and rest:
            yield ""
        if rest or not ours:
            yield from self._braces(rest or list(self._server.keys), self._without())

    def _say(self, one: Directive, fate: Fate, detail: str) -> None:
        self.accounts.append(Account(one.line, " ".join([one.name, *one.args]), fate, detail))

    # -- zones and keys

    def _cluster_zones(self) -> list[str]:
        """As words for keys and --zones; all reverse names are replaced by the networks."""
        words: list[str] = []
        for word in zones_of_plugin(self._server, "kubernetes"):
            zones = zones_of_text(word)
            if has_variable(word):
                words.append(word)
                self._flags.missing.append(f"the value of {word} in --zones")
            elif zones == (ROOT,):
                self._flags.missing.append("--zones: grpcdns cannot serve the root zone")
            elif zones and zones[0] in ROOTS:
                found = self._networks.of_version(ROOTS[zones[0]])
                if not found and zones[0] == "in-addr.arpa.":
                    self._flags.missing.append("the Service and Pod networks, for reverse names")
                words += found
            elif any(map(self._keys.has, zones)):
                words.append(word.rstrip(".") if not is_reverse(zones[0]) else word)
        words = list(dict.fromkeys(words))
        self._flags.add_zones("--zones", words)
        return words

    def _has_roots(self) -> bool:
        words = zones_of_plugin(self._server, "kubernetes")
        return any(zone in ROOTS for word in words for zone in zones_of_text(word))

    def _external_zones(self) -> list[str]:
        words = [word.rstrip(".") for word in zones_of_plugin(self._server, "k8s_external")]
        if "" in words:
            self._flags.missing.append("--external-zones: grpcdns cannot serve the root zone")
        words = [word for word in words if any(map(self._keys.has, zones_of_text(word)))]
        self._flags.add_zones("--external-zones", words)
        return words

    # -- lines

    def _account(self, one: Directive, rest: bool) -> None:
        match one.name:
            case "kubernetes":
                self._flags.take(one, KUBERNETES)
                if self._has_roots() and not one.find("fallthrough"):
                    self._say(one, Fate.CHANGED, OTHER_REVERSE)
            case "k8s_external":
                self._flags.take(one, EXTERNAL)
            case "autopath" if one.args[-1:] == ("@kubernetes",):
                self._say(one, Fate.LOST, "grpc does not know the search path of a client's Pod; "
                          "lower ndots in the Pods' dnsConfig instead")  # fmt: skip
            case "transfer" if not self._has_other_zones():
                self._say(one, Fate.LOST, "grpc has no zone to transfer; grpcdns zone prints it")
            case name if name in BEHIND and not rest:
                self._say(one, Fate.LOST, "no name is left for it: nothing runs after grpc")
            case name if name in BEHIND or (name in ONE_OF_BOTH and rest):
                self._say(one, Fate.KEPT, "in the block for the other names")
            case _:
                self._say(one, Fate.KEPT, "in both blocks" if rest else "in the block with grpc")

    def _account_cache(self, one: Directive, asked: Sequence[str]) -> None:
        """What `_cache` changes."""
        after = {line.name: line for line in sized(one, asked, self._names)}
        parts = [" ".join([name, *after[name].args]) for name, _ in sides(one, asked)]
        parts += [] if one.find("servfail") else ["servfail 0"]
        if parts:
            self._say(one, Fate.CHANGED, f"in the block with grpc: {', '.join(parts)}")
        stale = one.find("serve_stale")
        if stale and is_immediate(stale):
            words = " ".join(["serve_stale", *after["serve_stale"].args])
            self._say(stale, Fate.CHANGED, f"in the block with grpc: {words}, which asks first")

    def _has_other_zones(self) -> bool:
        return any(map(self._server.has, ("file", "auto", "secondary", "etcd")))

    def _is_gone(self, one: Directive) -> bool:
        return (
            one.name in ("kubernetes", "k8s_external")
            or (one.name == "autopath" and one.args[-1:] == ("@kubernetes",))
            or (one.name == "transfer" and not self._has_other_zones())
        )

    def _with_grpc(
        self, sockets: Sequence[str], tls: str, asked: Sequence[str], alone: bool
    ) -> Iterator[str]:
        """The lines of the block for the cluster's zones, ``asked``; ``alone`` when there is no
        other block."""
        written = False
        out = BEHIND | {"transfer"} | (frozenset() if alone else ONE_OF_BOTH)
        for one in self._server.directives:
            if one.name in ("kubernetes", "k8s_external") and not written:
                written = True
                yield f"    grpc . {' '.join(sockets)} {{"
                yield from [f"        tls {tls}"] if tls else []
                yield "        policy round_robin"
                yield "    }"
            elif one.name == "cache":
                yield from self._cache(one, asked)
            elif one.name not in out and not self._is_gone(one):
                yield from _lines_of(one)
        if alone:
            yield from (f"    import {one.args[0]}" for one in self._server.imports)

    def _cache(self, one: Directive, asked: Sequence[str]) -> Iterator[str]:
        yield f"    {' '.join(map(_quoted, ['cache', *one.args]))} {{"
        for line in sized(one, asked, self._names):
            yield f"        {' '.join(map(_quoted, [line.name, *line.args]))}"
        yield "    }"

    def _without(self) -> Iterator[str]:
        for one in self._server.directives:
            if not self._is_gone(one):
                yield from _lines_of(one)
        yield from (f"    import {one.args[0]}" for one in self._server.imports)

    def _braces(self, keys: Sequence[str], lines: Iterable[str]) -> Iterator[str]:
        yield f"{' '.join(map(_quoted, keys))} {{"
        yield from lines
        yield "}"


def _lines_of(one: Directive) -> Iterator[str]:
    """A directive as CoreDNS read it, indented by the depth of its braces."""
    line: list[str] = []
    depth = 0
    for number, token in enumerate(one.tokens):
        if line and one.tokens[number - 1].is_before_line_of(token):
            yield _indented(line, depth)
            depth += line.count("{") - line.count("}")
            line = []
        line.append(_quoted(token.text))
        if token.text == "{":
            yield _indented(line, depth)
            depth += line.count("{") - line.count("}")
            line = []
    if line:
        yield _indented(line, depth)


def _indented(line: Sequence[str], depth: int) -> str:
    closing = line[0] == "}"
    return f"{'    ' * (depth + 1 - closing)}{' '.join(line)}"


def _quoted(word: str) -> str:
    """The word as it has to be written."""
    if word and not set(word) & (SPACE | {'"', "#"}):
        return word
    return '"' + word.replace('"', '\\"') + '"'
