"""What ``grpc`` and ``forward`` refuse (CoreDNS plugin/grpc/setup.go, plugin/forward/setup.go)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from grpcdns.corefile.arguments import Arguments, Refusal
from grpcdns.corefile.plugins.registries import RCODES
from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import (
    duration_of,
    has_variable,
    is_address,
    is_duration,
    is_integer,
    is_name,
    is_unsigned,
    split_host_port,
)
from grpcdns.corefile.zones import BadKey, split_scheme, split_zone_port

MAX_TOS: Final = 15
POLICIES: Final = ("random", "round_robin", "sequential")
GRPC_PROPERTIES: Final = ("except", "tls", "tls_servername", "policy", "fallthrough")
UNIX: Final = "unix://"
DEFAULT_EXPIRE: Final = 10_000_000_000
"""10 s, in nanoseconds."""


_BAD_ESCAPE: Final = re.compile(r"%(?![0-9a-fA-F]{2})")


def check_grpc(arguments: Arguments, _: Server) -> None:
    tos: list[str] = []
    while arguments.once():
        tos = _from_and_tos(arguments, "grpc-unfinished")
        for to in tos:
            _check_grpc_to(arguments, to)
        while arguments.next_property():
            _check_grpc_property(arguments)
    if len(tos) > MAX_TOS:
        raise arguments.refuse(f"{len(tos)} TOs", "grpc-too-many")


def _from_and_tos(arguments: Arguments, trap: str) -> list[str]:
    """FROM and the TOs, which both plugins read alike."""
    if not arguments.next_argument():
        raise arguments.refuse("FROM and TO missing", trap)
    source = arguments.word
    if not has_variable(source):
        try:
            split_zone_port(split_scheme(source)[1])
        except BadKey as problem:
            raise arguments.refuse(f"FROM {source}: {problem}", trap) from problem
    tos = arguments.rest()
    arguments.require(bool(tos), "TO missing", trap)
    return tos


def is_file(word: str) -> bool:
    """Whether a TO that is no address could be the path of a file."""
    return "/" in word or word in ("resolv.conf", ".", "..")


def _check_grpc_to(arguments: Arguments, to: str) -> None:
    if has_variable(to):
        return
    scheme, rest = split_scheme(to)
    if not rest:
        raise arguments.refuse(f"TO {to} has no address", "grpc-scheme")
    if _BAD_ESCAPE.search(to):
        raise arguments.refuse(f"TO {to}: gRPC reads the % as an escape")
    if scheme == "unix" or _is_network_to(rest):
        return
    if "://" in rest or to.startswith("unix:"):
        raise arguments.refuse(f"TO {to} has a scheme that grpc does not know", "grpc-scheme")
    if not is_file(rest):
        raise arguments.refuse(f"TO {to} is not an IP address", "grpc-host-name")


def _is_network_to(to: str) -> bool:
    """IP, IP:PORT or [v6]:PORT, with a zone behind ``%`` or without."""
    parts = split_host_port(to)
    host = to.strip("[]") if parts is None else parts[0]
    return is_address(host.rpartition("%")[0] if "%" in host else host)


def _check_grpc_property(arguments: Arguments) -> None:
    trap = "grpc-property"
    match arguments.word:
        case "except":
            arguments.require(bool(arguments.rest()), "except has no value", trap)
        case "tls":
            arguments.require(len(arguments.rest()) <= 3, "tls takes at most CERT KEY CA", trap)
        case "tls_servername":
            arguments.one(trap)
        case "policy":
            policy = arguments.one(trap)
            known = policy in POLICIES or has_variable(policy)
            arguments.require(known, f"no policy {policy}", trap)
        case "fallthrough":
            arguments.rest()
        case "}":
            pass
        case unknown:
            arguments.unknown()
            raise arguments.refuse(f"no property {unknown}", trap)


def check_forward(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        tos = _from_and_tos(arguments, "refused")
        seen: dict[str, str] = {}
        while arguments.next_property():
            name = arguments.word
            seen[name] = _check_forward_property(arguments)
        expire, age = (duration_of(seen.get(name, "")) for name in ("expire", "max_age"))
        short = age and age < (DEFAULT_EXPIRE if expire is None else expire)
        known = not has_variable(seen.get("expire", ""))
        arguments.require(not (short and known), "max_age is less than expire")
        for to in tos:
            _check_forward_to(arguments, to, "tls_servername" in seen)
        count = sum(not is_file(to) for to in tos)  # a file without name servers does not count
        arguments.require(count <= MAX_TOS, f"{count} TOs, at most {MAX_TOS}")


def _is_natural(word: str) -> bool:
    return is_integer(word, 0)


def _is_duration(word: str) -> bool:
    return is_duration(word, 0)


def _is_time(word: str) -> bool:
    return is_duration(word, 1)


_ONE_WORD: Final[dict[str, Callable[[str], bool]]] = {
    "max_fails": is_unsigned,
    "max_connect_attempts": is_unsigned,
    "max_idle_conns": _is_natural,
    "max_concurrent": _is_natural,
    "expire": _is_duration,
    "max_age": _is_duration,
    "read_timeout": _is_time,
    "tls_servername": lambda _: True,
    "doh_method": lambda word: word in ("POST", "GET") or has_variable(word),
    "policy": lambda word: word in POLICIES or has_variable(word),
    "source_address": is_address,
}
"""Properties with one argument, which leave the rest of the line to the next property."""

_ALONE: Final = ("force_tcp", "prefer_udp", "next_on_nodata", "failfast_all_unhealthy_upstreams")


def _check_forward_property(arguments: Arguments) -> str:
    """The argument of a property that has one."""
    name = arguments.word
    if accepts := _ONE_WORD.get(name):
        word = arguments.one()
        arguments.require(accepts(word), f"{name} {word} is not accepted")
        return word
    if name in _ALONE:
        arguments.count(0, 0)
        return ""
    match name:
        case "except":
            arguments.count(1)
        case "resolver":
            for word in arguments.count(1):
                host = (split_host_port(word) or (word, ""))[0]
                arguments.require(is_address(host), f"resolver {word} is not an IP address")
        case "health_check":
            _check_health(arguments)
        case "tls":
            arguments.count(0, 3)
        case "next" | "failover":
            for word in arguments.count(1):
                known = has_variable(word) or word.upper() in RCODES
                fits = known and not (name == "failover" and word.upper() == "NOERROR")
                arguments.require(fits, f"{name} {word} is not a response code for it")
        case _:
            raise arguments.unknown()
    return ""


def _check_health(arguments: Arguments) -> None:
    word = arguments.one()
    arguments.require(is_duration(word, 0), f"health_check {word} is not a duration")
    while arguments.next_argument():
        match arguments.word:
            case "no_rec":
                pass
            case "domain":
                domain = arguments.one()
                arguments.require(is_name(domain), f"health_check: {domain} is not a domain name")
            case unknown:
                if not has_variable(unknown):
                    raise arguments.refuse(f"health_check has no option {unknown}")


def _check_forward_to(arguments: Arguments, to: str, named: bool) -> None:
    if has_variable(to):
        return
    scheme, rest = split_scheme(to)
    if not rest:
        raise arguments.refuse(f"TO {to} has no address")
    if scheme == "https" and "/" in rest:
        raise arguments.refuse(f"TO {to} has a path")
    if scheme == "unix":
        raise arguments.refuse(f"TO {to}: forward cannot use unix sockets")
    if not _is_network_to(rest):
        _check_host_name(arguments, to, scheme, rest)
        return
    if scheme not in ("dns", "tls", "https"):
        raise arguments.refuse(f"TO {to}: forward cannot use {scheme}://")
    if scheme == "tls" and "%" in rest and named:
        raise arguments.refuse(f"TO {to} and tls_servername both name the server")


def _check_host_name(arguments: Arguments, to: str, scheme: str, rest: str) -> None:
    """A TO that is no address is a file's path, or a name that CoreDNS looks up when it starts."""
    if is_file(rest):
        return
    if scheme not in ("dns", "tls", "https"):
        raise arguments.refuse(f"TO {to}: forward cannot use {scheme}://")
    bare, percent, zone = rest.rpartition("%")
    name = (bare + (f":{zone.rpartition(':')[2]}" if ":" in zone else "")) if percent else rest
    name = (split_host_port(name) or (name, ""))[0].strip("[]")
    if not is_name(name) or is_address(name):
        raise Refusal(arguments.line, f"forward: TO {to} is neither an address nor a name")
