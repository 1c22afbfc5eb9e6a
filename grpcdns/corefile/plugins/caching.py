"""What ``cache``, ``errors``, ``log`` and ``loadbalance`` refuse (CoreDNS plugin/*/setup.go)."""

from __future__ import annotations

from typing import Final

from grpcdns.corefile.arguments import Arguments
from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import (
    MINUTE,
    SECOND,
    duration_of,
    has_regex_mistake,
    has_variable,
    integer_of,
    is_duration,
    is_integer,
    is_network,
)

MAX_SERVFAIL: Final = 5 * MINUTE
MAX_TTL: Final = (2**32 - 1) * SECOND


def check_cache(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        words = arguments.rest()
        ttl = integer_of(words[0]) if words else None
        arguments.require(ttl is None or ttl > 0, f"TTL {ttl} is not above 0")
        seen: set[str] = set()
        while arguments.next_property():
            name = arguments.word
            _check_cache_property(arguments)
            once = not (name == "serve_stale_policy" and name in seen)
            arguments.require(once, "serve_stale_policy can be given only once")
            seen.add(name)
        needs = "serve_stale_policy" not in seen or "serve_stale" in seen
        arguments.require(needs, "serve_stale_policy needs serve_stale")


def _check_cache_property(arguments: Arguments) -> None:
    match arguments.word:
        case "success" | "denial" as name:
            _check_capacity(arguments, name)
        case "prefetch":
            words = arguments.count(1, 3)
            arguments.require(is_integer(words[0], 0), f"prefetch {words[0]} is not a number")
            if len(words) > 1:
                arguments.require(is_duration(words[1]), f"{words[1]} is not a duration")
            if len(words) > 2 and not has_variable(words[2]):
                fits = words[2].endswith("%") and is_integer(words[2][:-1], 10, 90)
                arguments.require(fits, f"{words[2]} is not a percentage from 10% to 90%")
        case "serve_stale":
            _check_stale(arguments, arguments.count(0, 5))
        case "serve_stale_policy":
            word = arguments.count(1, 1)[0]
            arguments.knows(word.lower(), ("prefer_positive",), "serve_stale_policy")
        case "servfail":
            word = arguments.count(1, 1)[0]
            fits = is_duration(word, 0, MAX_SERVFAIL)
            arguments.require(fits, f"servfail {word} is not a duration up to 5m")
        case "disable":
            words = arguments.count(1)
            arguments.knows(words[0], ("success", "denial"), "disable")
        case "keepttl":
            arguments.count(0, 0)
        case _:
            raise arguments.unknown()


def _check_capacity(arguments: Arguments, name: str) -> None:
    """CAPACITY [TTL [MIN_TTL]]"""
    words = arguments.count(1)
    for word, low in zip(words, (None, 1, 0), strict=False):
        below = "" if low is None else f" from {low}"
        arguments.require(is_integer(word, low), f"{name} {word} is not a number{below}")


def _check_stale(arguments: Arguments, words: list[str]) -> None:
    """[DURATION [REFRESH_MODE [VERIFY_TIMEOUT]] [TTL [RECHECK]]]"""
    for word in words[:1]:
        arguments.require(is_duration(word, 0), f"serve_stale {word} is not a duration")
    mode = words[1].lower() if len(words) > 1 else "immediate"
    arguments.knows(mode, ("immediate", "verify"), "serve_stale mode")
    if has_variable(mode):
        return
    rest = words[2:]
    if mode == "verify":
        for word in rest[:1]:
            arguments.require(is_duration(word, 0), f"serve_stale timeout {word} is not a duration")
        rest = rest[1:]
    arguments.require(len(rest) <= 2, "serve_stale has too many arguments")
    for word in rest[:1]:
        whole = has_variable(word) or (duration_of(word) or 0) % SECOND == 0
        fits = whole and is_duration(word, 0, MAX_TTL)
        arguments.require(fits, f"serve_stale TTL {word} is not a number of seconds")
    for word in rest[1:]:
        fits = is_duration(word, 0, 5 * MINUTE)
        arguments.require(fits, f"serve_stale recheck {word} is not a duration up to 5m")


def check_errors(arguments: Arguments, _: Server) -> None:
    while arguments.once():
        for word in arguments.count(0, 1):
            arguments.knows(word, ("stdout",), "log file")
        while arguments.next_property():
            match arguments.word:
                case "stacktrace":
                    pass
                case "consolidate":
                    _check_consolidate(arguments, arguments.count(2, 4))
                case _:
                    raise arguments.unknown()


_LEVELS: Final = ("warning", "error", "info", "debug")


def _check_consolidate(arguments: Arguments, words: list[str]) -> None:
    """DURATION REGEX [LEVEL] [show_first]"""
    arguments.require(is_duration(words[0]), f"consolidate {words[0]} is not a duration")
    check_regex(arguments, words[1])
    level = first = False
    for word in words[2:]:
        arguments.knows(word, (*_LEVELS, "show_first"), "consolidate option")
        if word in _LEVELS:
            arguments.require(not level and not first, f"consolidate {word} comes too late")
            level = True
        first = first or word == "show_first"


def check_regex(arguments: Arguments, pattern: str) -> None:
    mistake = has_regex_mistake(pattern)
    arguments.require(not mistake, f"{pattern[:40]} is not a regular expression of Go")


def check_log(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        arguments.rest()
        while arguments.next_property():
            if arguments.word != "class":
                raise arguments.unknown()
            for word in arguments.count(1):
                arguments.knows(word, ("all", "success", "denial", "error"), "class")


def check_loadbalance(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        words = arguments.rest()
        policy = words[0] if words else "round_robin"
        arguments.knows(policy, ("round_robin", "weighted"), "policy")
        if policy == "round_robin":
            arguments.require(len(words) < 2, "round_robin takes no argument")
        elif policy == "weighted":
            arguments.require(len(words) == 2, "weighted takes one file")
            while arguments.next_property():
                if arguments.word != "reload":
                    raise arguments.unknown()
                word = arguments.count(1, 1)[0]
                arguments.require(is_duration(word), f"reload {word} is not a duration")
        while arguments.next_property():
            if arguments.word != "prefer":
                raise arguments.unknown()
            for word in arguments.rest():
                arguments.require(is_network(word), f"prefer {word} is not a network")
