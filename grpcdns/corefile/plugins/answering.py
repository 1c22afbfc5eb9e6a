"""What the plugins refuse that answer for names: kubernetes, hosts, template and others."""

from __future__ import annotations

import math
import re
from typing import Final

from grpcdns.config.selector import SelectorError, parse_selector
from grpcdns.corefile.arguments import Arguments
from grpcdns.corefile.plugins.caching import check_regex
from grpcdns.corefile.plugins.registries import CLASSES, RCODES, TYPES
from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import (
    has_variable,
    is_address,
    is_duration,
    is_integer,
    is_unsigned,
    split_host_port,
)
from grpcdns.corefile.zones import addresses, is_reverse, zones, zones_of_text

MAX_TTL: Final = 3600
_FLOAT: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(inf|infinity|nan)", re.I)


def origins(words: list[str], server: Server) -> list[str]:
    """The zones of a plugin: those of its arguments, else those of the server block."""
    if not words:
        return list(zones(server))
    return [zone for word in words for zone in zones_of_text(word)]


def check_kubernetes(arguments: Arguments, server: Server) -> None:
    while arguments.once():
        words = arguments.rest()
        given = origins(words, server)
        known = not any(map(has_variable, words or server.keys))
        # CoreDNS cannot read a key of its own without a port, and takes it for a name as it is.
        odd = not words and any(not address.port for address in addresses(server))
        forward = odd or any(not is_reverse_zone(zone) for zone in given)
        arguments.require(forward or not known, "it needs a zone that is not a reverse zone")
        seen: dict[str, list[str]] = {}
        while arguments.next_property():
            name = arguments.word
            seen[name] = _check_kubernetes_property(arguments)
        both = "namespaces" in seen and "namespace_labels" in seen
        arguments.require(not both, "namespaces and namespace_labels exclude each other")
        for word in seen.get("multicluster", ()):
            outside = [zone for zone in zones_of_text(word) if zone not in given]
            arguments.require(not (outside and known), f"multicluster {word} is none of its zones")
        without = "zonal" in seen and "noendpoints" in seen
        arguments.require(not without, "zonal and noendpoints exclude each other")


def is_reverse_zone(zone: str) -> bool:
    """Whether it lies below a reverse root; the roots themselves do not count."""
    return is_reverse(zone) and zone not in ("in-addr.arpa.", "ip6.arpa.")


_ANY: Final = None
_COUNTS: Final = {
    "endpoint_pod_names": (0, 0),
    "noendpoints": (0, 0),
    "zonal": (0, 0),
    "pods": (1, 1),
    "namespaces": (1, _ANY),
    "endpoint": (1, _ANY),
    "labels": (1, _ANY),
    "namespace_labels": (1, _ANY),
    "tls": (3, 3),
    "fallthrough": (0, _ANY),
    "multicluster": (0, _ANY),
    "ttl": (1, _ANY),
    "ignore": (0, _ANY),
    "kubeconfig": (1, 2),
    "startup_timeout": (1, _ANY),
    "apiserver_qps": (1, 1),
    "apiserver_burst": (1, 1),
    "apiserver_max_inflight": (1, 1),
}
"""How many arguments each property of ``kubernetes`` has, at least and at most."""


def _check_kubernetes_property(arguments: Arguments) -> list[str]:
    name = arguments.word
    if name not in _COUNTS:
        raise arguments.unknown()
    words = arguments.count(*_COUNTS[name])
    first = words[0] if words else ""
    match name:
        case "pods":
            arguments.knows(first, ("disabled", "insecure", "verified"), "pods")
        case "labels" | "namespace_labels":
            arguments.require(_is_selector(" ".join(words)), f"{name} is not a label selector")
        case "ttl":
            fits = is_integer(first, 0, MAX_TTL)
            arguments.require(fits, f"ttl {first} is not a number from 0 to {MAX_TTL}")
        case "ignore" if words:
            arguments.knows(first, ("empty_service",), "ignore")
        case "startup_timeout":
            arguments.require(is_duration(first), f"startup_timeout {first} is not a duration")
        case "apiserver_qps":
            arguments.require(_is_rate(first), f"{name} {first} is not a number from 0")
        case "apiserver_burst" | "apiserver_max_inflight":
            arguments.require(is_integer(first, 0), f"{name} {first} is not a number from 0")
    return words


def _is_rate(word: str) -> bool:
    """strconv.ParseFloat in 32 bits, not below 0 (which NaN is not)."""
    if has_variable(word):
        return True
    if not _FLOAT.fullmatch(word):
        return False
    number = float(word)
    return not number < 0 and (math.isinf(number) is word.lower().lstrip("+-").startswith("inf"))


def _is_selector(text: str) -> bool:
    if has_variable(text):
        return True
    if "!=" in text:
        return False  # apimachinery's ParseToLabelSelector knows notin only
    try:
        parse_selector(text)
    except SelectorError:
        return False
    return True


def check_k8s_external(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.rest()
        while arguments.next_property():
            match arguments.word:
                case "ttl":
                    word = arguments.count(1)[0]
                    fits = is_integer(word, 0, MAX_TTL)
                    arguments.require(fits, f"ttl {word} is not a number from 0 to {MAX_TTL}")
                case "apex":
                    arguments.count(1)
                case "headless":
                    pass
                case "fallthrough":
                    arguments.rest()
                case _:
                    raise arguments.unknown()


def check_hosts(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        arguments.rest()
        through = unsupported = False
        while arguments.next_property():
            match arguments.word:
                case "fallthrough":
                    words = arguments.rest()
                    zones = [zone for word in words for zone in zones_of_text(word)]
                    through = bool(zones) or not words
                case "fallthrough_unsupported":
                    arguments.count(0, 0)
                    unsupported = True
                case "no_reverse":
                    pass
                case "ttl":
                    word = arguments.count(1)[0]
                    fits = is_integer(word, 1, 65535)
                    arguments.require(fits, f"ttl {word} is not a number from 1 to 65535")
                case "reload":
                    word = arguments.count(1, 1)[0]
                    arguments.require(is_duration(word, 0), f"reload {word} is not a duration")
                case unknown:
                    hint = f"no property {unknown}; a host's line must come before fallthrough"
                    arguments.require(not through, hint)
                    arguments.rest()
        needs = not unsupported or through
        arguments.require(needs, "fallthrough_unsupported needs fallthrough")


def check_template(arguments: Arguments, _: Server) -> None:
    """CLASS TYPE [ZONE...]. The templates themselves are not read."""
    while arguments.next():
        for known, what in ((CLASSES, "class"), (TYPES, "record type")):
            arguments.require(arguments.next_argument(), f"{what} missing")
            word = arguments.word
            arguments.require(word in known or has_variable(word), f"{word} is not a {what}")
        arguments.rest()
        while arguments.next_property():
            _check_template_property(arguments)


def _check_template_property(arguments: Arguments) -> None:
    match arguments.word:
        case "match":
            for word in arguments.count(1):
                check_regex(arguments, word)
        case "answer" | "additional" | "authority":
            arguments.count(1)
        case "rcode":
            word = arguments.one()
            known = word in RCODES or has_variable(word)
            arguments.require(known, f"{word} is not a response code")
        case "ederror":
            word = arguments.count(1, 2)[0]
            arguments.require(is_unsigned(word, 65535), f"ederror {word} is not a code")
        case "fallthrough" | "upstream":
            arguments.rest()
        case _:
            raise arguments.unknown()


def check_autopath(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        words = arguments.rest()
        arguments.require(bool(words), "it needs @PLUGIN or a file")


def check_transfer(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.rest()
        to = source = False
        while arguments.next_property():
            match arguments.word:
                case "to":
                    for word in arguments.count(1):
                        fits = word == "*" or _is_host_port(word)
                        arguments.require(fits, f"to {word} is not an IP address")
                    to = True
                case "source":
                    word = arguments.count(1, 1)[0]
                    arguments.require(not source, "source can be given only once")
                    arguments.require(is_address(word), f"source {word} is not an IP address")
                    source = True
                case _:
                    raise arguments.unknown()
        arguments.require(to, "it needs a line with to")


def _is_host_port(word: str) -> bool:
    host = (split_host_port(word) or (word, ""))[0]
    return is_address(host.rpartition("%")[0] if "%" in host else host)


def check_erratic(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        while arguments.next_property():
            match arguments.word:
                case "drop" | "truncate" | "delay" as name:
                    words = arguments.count(0, 2 if name == "delay" else 1)
                    for word in words[:1]:
                        fits = is_integer(word, 0, 2**31 - 1)
                        arguments.require(fits, f"{name} {word} is not a number from 0")
                    for word in words[1:]:
                        arguments.require(is_duration(word), f"{word} is not a duration")
                case "large":
                    pass
                case _:
                    raise arguments.unknown()


_FLAGS: Final = ("aa", "ra", "rd")


def check_header(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        rules = 0
        while arguments.next_property():
            arguments.knows(arguments.word.lower(), ("query", "response"), "selector")
            action = arguments.one()
            arguments.knows(action.lower(), ("set", "clear"), "action")
            for word in arguments.count(1):
                arguments.knows(word.lower(), _FLAGS, "flag")
                rules += 1
        if rules:
            return
    raise arguments.refuse("it has no rule")
