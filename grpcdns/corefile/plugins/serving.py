"""What the plugins refuse that shape how CoreDNS serves: addresses, probes, reloads, views."""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.arguments import Arguments
from grpcdns.corefile.plugins.registries import TYPES
from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import (
    SECOND,
    duration_of,
    has_variable,
    is_address,
    is_duration,
    is_integer,
    is_listener,
    is_network,
    split_host_port,
)

MIN_RELOAD: Final = 2 * SECOND
MIN_JITTER: Final = SECOND
MAX_SOCKETS: Final = 1024


def _check_listener(arguments: Arguments, words: list[str]) -> None:
    for word in words:
        arguments.require(is_listener(word), f"{word} is not HOST:PORT")


def _check_late_listener(arguments: Arguments, words: list[str]) -> None:
    """Reads an address without its port: when ``ready`` and ``prometheus`` cannot listen, CoreDNS
    starts without them."""
    for word in words:
        fits = has_variable(word) or split_host_port(word) is not None
        arguments.require(fits, f"{word} is not HOST:PORT")


def check_health(arguments: Arguments, _: Server) -> None:
    """Of several, the last one's address counts; those of the others are only read."""
    address: list[str] = []
    while arguments.next():
        address = arguments.count(0, 1) or address
        _check_late_listener(arguments, address)
        while arguments.next_property():
            if arguments.word != "lameduck":
                raise arguments.unknown()
            word = arguments.count(1, 1)[0]
            arguments.require(is_duration(word), f"lameduck {word} is not a duration")
    _check_listener(arguments, address)


def check_ready(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        _check_late_listener(arguments, arguments.count(0, 1))
        while arguments.next_property():
            if arguments.word != "monitor":
                raise arguments.unknown()
            word = arguments.count(1, 1)[0]
            arguments.knows(word, ("until-ready", "continuously"), "monitor")


def check_prometheus(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        _check_late_listener(arguments, arguments.count(0, 1))
        tls = False
        while arguments.next_property():
            match arguments.word:
                case "runtime_metrics":
                    arguments.count(0, 0)
                case "tls":
                    arguments.require(not tls, "tls can be given only once")
                    arguments.count(1, 1)
                    tls = True
                case _:
                    raise arguments.unknown()


def check_pprof(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        _check_listener(arguments, arguments.count(0, 1))
        while arguments.next_property():
            if arguments.word != "block":
                raise arguments.unknown()
            for word in arguments.count(0, 1):
                arguments.require(is_integer(word), f"block {word} is not a number")


def check_reload(arguments: Arguments, _: Server) -> None:
    """INTERVAL JITTER. What follows on other lines is not read."""
    arguments.next()
    words = arguments.count(0, 2)
    for word in words:
        arguments.require(is_duration(word), f"{word} is not a duration")
    for word in words[:1]:
        arguments.require(is_duration(word, MIN_RELOAD), f"interval {word} is less than 2s")
    for word in words[1:]:
        fits = is_duration(word, MIN_JITTER) or duration_of(word) == 0
        arguments.require(fits, f"jitter {word} is neither 0 nor at least 1s")


def check_loop(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        arguments.require(not arguments.next_argument(), "it takes no argument")


def check_bind(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        words = arguments.count(1)
        while arguments.next_property():
            if arguments.word != "except":
                raise arguments.unknown()
            words += arguments.count(1)
        for word in words:
            # A name can be that of a network interface, which only the machine knows.
            known = is_address(word) or not (set(word) & set(":/") or word.isdigit())
            arguments.require(known, f"{word} is neither an IP address nor an interface's name")


def check_view(arguments: Arguments, _: Server) -> None:
    """NAME { expr EXPRESSION }. The expressions are not read."""
    while arguments.once():
        arguments.count(1, 1)
        while arguments.next_property():
            if arguments.word != "expr":
                raise arguments.unknown()
            text = " ".join(arguments.rest())
            arguments.require(bool(text), "expr is empty")
            closed = text.count("}") > text.count("{")
            arguments.require(not closed, "the } must be on a line of its own")


def check_multisocket(arguments: Arguments, _: Server) -> None:
    arguments.next()
    for word in arguments.count(0, 1):
        fits = is_integer(word, 1, MAX_SOCKETS)
        arguments.require(fits, f"{word} is not a number from 1 to {MAX_SOCKETS}")
    arguments.require(not arguments.next(), "it can be given only once, without a block")


def check_root(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.one()


def check_bufsize(arguments: Arguments, _: Server) -> None:
    """What follows on other lines is not read."""
    arguments.next()
    for word in arguments.count(0, 1):
        arguments.require(is_integer(word, 512, 4096), f"{word} is not a number from 512 to 4096")


def check_cancel(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        for word in arguments.count(0, 1):
            arguments.require(is_duration(word, 1), f"{word} is not a duration above 0")


def check_metadata(arguments: Arguments, _: Server) -> None:
    arguments.next()
    arguments.rest()
    more = arguments.next_property() or arguments.next()
    arguments.require(not more, "it can be given only once, without a block")


def check_alone(arguments: Arguments, _: Server) -> None:
    """``whoami`` and ``minimal`` take no argument; what follows on other lines is not read."""
    arguments.next()
    arguments.require(not arguments.next_argument(), "it takes no argument")


def check_any(arguments: Arguments, server: Server) -> None:
    check_alone(arguments, server)
    if arguments.next_property():
        raise arguments.unknown()


def check_debug(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.require(not arguments.next_argument(), "it takes no argument")


def check_nsid(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        arguments.rest()


def check_chaos(arguments: Arguments, _: Server) -> None:
    arguments.next()
    arguments.rest()
    if arguments.next_property():
        raise arguments.unknown()


def check_local(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.count(0, 0)
        while arguments.next_property():
            if arguments.word != "localhost_prefix":
                raise arguments.unknown()
            arguments.knows(arguments.count(1, 1)[0], ("on", "off"), "localhost_prefix")


def check_acl(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.rest()
        while arguments.next_property():
            action = arguments.word.lower()
            arguments.knows(action, ("allow", "block", "filter", "drop"), "action")
            _check_acl_rule(arguments, arguments.rest())


def _check_acl_rule(arguments: Arguments, words: list[str]) -> None:
    """Sections of ``type QTYPE...`` and ``net SOURCE...``."""
    if any(map(has_variable, words)):
        return
    section, sizes = "", [1]
    rest = False
    for word in words:
        if word.lower() in ("type", "net"):
            arguments.require(sizes[-1] > 0, f"{section} is empty")
            section, rest = word.lower(), False
            sizes.append(0)
            continue
        arguments.require(bool(section), f"{word} is neither type nor net")
        sizes[-1] += 1
        if word == "*" or rest:
            rest = True
        elif section == "type":
            arguments.require(word in TYPES, f"{word} is not a record type")
        else:
            full = word if "/" in word else word + ("/128" if ":" in word else "/32")
            arguments.require(is_network(full), f"{word} is not a network")
    arguments.require(sizes[-1] > 0, f"{section} is empty")
