"""Single words of a Corefile as CoreDNS, that is Go, reads them: numbers, durations, addresses.

Each function says whether CoreDNS accepts the word. A word with a variable in it (``{$NAME}``)
counts as accepted: its value is known only where CoreDNS runs.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

MAX_NAME: Final = 255
MAX_LABEL: Final = 63
MAX_REGEX: Final = 10_000
MAX_PORT: Final = 65535

_UNITS: Final = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,
    "\u03bcs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART: Final = re.compile(r"(?=\.?[0-9])([0-9]*)(?:\.([0-9]*))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_INTEGER: Final = re.compile(r"[+-]?[0-9]+")
_UNSIGNED: Final = re.compile(r"[0-9]+")
_LOOK_OR_BACK: Final = re.compile(r"\(\?(=|!|<[=!]|>|#|\()|(?<!\\)(?:\\\\)*\\[1-9]")
_REPEAT: Final = re.compile(r"\{(\d+)(?:,(\d*))?\}")
MAX_REPEAT: Final = 1000

_VARIABLES: Final = (re.compile(r"\{\$[^}]+\}"), re.compile(r"\{%.+?%\}", re.S))

MAX_VARIABLES: Final = 100
_VARIABLE_ENDS: Final = (("{%", "%}"), ("{$", "}"))

SECOND: Final = _UNITS["s"]
MINUTE: Final = _UNITS["m"]


def has_variable(word: str) -> bool:
    return any(form.search(word) for form in _VARIABLES)


def expand(word: str, environment: Mapping[str, str] | None) -> str:
    """The word with its variables replaced."""
    if environment is None or not has_variable(word):
        return word
    for opening, closing in _VARIABLE_ENDS:
        for _ in range(MAX_VARIABLES):  # a value can have variables in it
            before, _, rest = word.partition(opening)
            name, closed, _ = rest.partition(closing)
            if len(before) == len(word) or not closed or not name:
                break
            word = word.replace(f"{opening}{name}{closing}", environment.get(name, ""))
    return word


def integer_of(word: str) -> int | None:
    """The number, as strconv.Atoi reads it; None when it is not one."""
    if not _INTEGER.fullmatch(word) or len(word) > 30:
        return None
    number = int(word)
    return number if -(2**63) <= number < 2**63 else None


def is_integer(word: str, low: int | None = None, high: int | None = None) -> bool:
    if has_variable(word):
        return True
    number = integer_of(word)
    return (
        number is not None and (low is None or number >= low) and (high is None or number <= high)
    )


def is_unsigned(word: str, high: int = 2**32 - 1) -> bool:
    """strconv.ParseUint in base 10."""
    if has_variable(word):
        return True
    return bool(_UNSIGNED.fullmatch(word)) and len(word) < 30 and int(word) <= high


def duration_of(word: str) -> int | None:
    """Nanoseconds, as time.ParseDuration reads it; None when it is not a duration."""
    sign = -1 if word.startswith("-") else 1
    rest = word[1:] if word[:1] in ("+", "-") else word
    if rest == "0":
        return 0
    total = 0
    while rest:
        part = _PART.match(rest)
        if part is None:
            return None
        whole, fraction, unit = part[1], part[2] or "", part[3]
        total += int(whole or "0") * _UNITS[unit]
        if fraction:
            total += int(fraction) * _UNITS[unit] // 10 ** len(fraction)
        rest = rest[part.end() :]
    if not word.strip("+-") or total > 2**63 - (sign > 0):
        return None
    return sign * total


def is_duration(word: str, low: int | None = None, high: int | None = None) -> bool:
    """``low`` and ``high`` in nanoseconds."""
    if has_variable(word):
        return True
    duration = duration_of(word)
    return (
        duration is not None
        and (low is None or duration >= low)
        and (high is None or duration <= high)
    )


def is_address(word: str) -> bool:
    """net.ParseIP: an IPv4 or IPv6 address without a zone."""
    if has_variable(word):
        return True
    try:
        ipaddress.ip_address(word)
    except ValueError:
        return False
    return "%" not in word


def is_network(word: str) -> bool:
    """net.ParseCIDR: host bits may be set."""
    if has_variable(word):
        return True
    address, slash, length = word.partition("/")
    if not slash or not is_address(address) or not length.isascii() or not length.isdigit():
        return False
    return int(length[:5]) <= (128 if ":" in address else 32)


def split_host_port(word: str) -> tuple[str, str] | None:
    """net.SplitHostPort: host and port, either of which can be empty; None when there is no port
    or a colon too many."""
    host, colon, port = word.rpartition(":")
    if not colon:
        return None
    if word.startswith("["):
        inner, bracket, rest = word[1:].partition("]")
        if not bracket or not rest.startswith(":") or ":" in rest[1:]:
            return None
        host, port = inner, rest[1:]
    elif ":" in host:
        return None
    return None if set(host + port) & set("[]") else (host, port)


def is_listener(word: str) -> bool:
    """HOST:PORT for a listener. A port given as a service's name counts as accepted."""
    if has_variable(word):
        return True
    parts = split_host_port(word)
    if parts is None:
        return False
    port = parts[1]
    return not _INTEGER.fullmatch(port) or 0 <= int(port[:9]) <= MAX_PORT


def is_name(word: str) -> bool:
    """Whether miekg/dns takes the word for a domain name: label lengths and dots, no alphabet."""
    if has_variable(word):
        return True
    name = fqdn(word).encode(errors="replace")
    if not word or len(name) > MAX_NAME + 5 * name.count(b"\\"):
        return False
    return name == b"." or _labels_fit(name)


def _labels_fit(name: bytes) -> bool:
    offset = begin = at = 0
    was_dot = escape = False
    while at < len(name):
        char = name[at : at + 1]
        if char == b"\\":
            escape = not escape
            if offset + 1 > MAX_NAME + 1:
                return False
            skipped = 3 if re.match(rb"[0-9]{3}", name[at + 1 :]) else 1
            at += skipped
            begin += skipped
            was_dot = False
        elif char == b".":
            escape = False
            length = at - begin
            offset += 1 + length
            if at == 0 or was_dot or length > MAX_LABEL or offset > MAX_NAME + 1:
                return False
            was_dot = True
            begin = at + 1
        else:
            escape = was_dot = False
        at += 1
    return not escape


def fqdn(word: str) -> str:
    """The word with a final dot, unless it has one that is not escaped."""
    stem = word.removesuffix(".")
    if stem != word:
        slashes = len(stem) - len(stem.rstrip("\\"))
        if slashes % 2 == 0:
            return word
    return word + "."


def has_regex_mistake(pattern: str) -> bool:
    """Whether Go does not compile the regular expression. Only common mistakes are found:
    lookarounds and back references, which Go does not have, unbalanced brackets, repetitions of
    nothing."""
    if has_variable(pattern):
        return False
    if len(pattern.encode(errors="replace")) > MAX_REGEX or _LOOK_OR_BACK.search(pattern):
        return True
    return _has_unbalanced(pattern)


def _has_unbalanced(pattern: str) -> bool:
    depth = at = 0
    before = ""  # what a repetition would apply to: "" nothing, "a" something, "*" a repetition
    while at < len(pattern):
        char = pattern[at]
        counted = _REPEAT.match(pattern, at)
        if counted:
            if any(int(number[:9]) > MAX_REPEAT for number in counted.groups() if number):
                return True
            at = counted.end() - 1
            char = "*"
        if char in "*+?":
            if not before or (before == "*" and char != "?") or before == "?":
                return True
            before = "?" if before == "*" else "*"
        else:
            before = "" if char in "(|" else "a"
        if char == "\\":
            at += 1
            if at == len(pattern):
                return True
        elif char == "[":
            at = _class_end(pattern, at)
            if at < 0:
                return True
        elif char == "(" and pattern[at + 1 : at + 2] == "?":
            at += 1
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return True
        at += 1
    return depth != 0


def _class_end(pattern: str, at: int) -> int:
    """The index of the bracket that closes the class which opens at ``at``, or -1."""
    end = at + 1
    if pattern[end : end + 1] == "^":
        end += 1
    if pattern[end : end + 1] == "]":
        end += 1
    while end < len(pattern) and pattern[end] != "]":
        if pattern[end] == "\\":
            end += 1
        elif pattern.startswith("[:", end) and ":]" in pattern[end:]:
            end = pattern.index(":]", end) + 1
        end += 1
    return end if end < len(pattern) else -1
