"""What ``rewrite`` refuses (CoreDNS plugin/rewrite): one rule a line or block."""

from __future__ import annotations

import re
from typing import Final

from grpcdns.corefile.arguments import Arguments
from grpcdns.corefile.plugins.caching import check_regex
from grpcdns.corefile.plugins.registries import CLASSES, RCODES, TYPES, word_set
from grpcdns.corefile.syntax import Server
from grpcdns.corefile.words import has_variable, is_unsigned

MATCHES: Final = ("exact", "prefix", "suffix", "substring", "regex")
_CODE: Final = re.compile(r"0[xX](_?[0-9a-fA-F])+|0[bB](_?[01])+|0[oO]?(_?[0-7])+|[1-9](_?\d)*|0")
_VARIABLES: Final = word_set(
    "{qname} {qtype} {client_ip} {client_port} {protocol} {server_ip} {server_port}"
)
_LABEL: Final = re.compile(r"\{[^/{}]+(/[^{}]+)+\}")
_GROUP: Final = re.compile(r"(?<!\\)\((?!\?(?!P?<))")


def check_rewrite(arguments: Arguments, _: Server) -> None:
    while arguments.next():
        words = arguments.rest()
        if len(words) < 2:
            while arguments.next_property():
                words.append(arguments.word)
        arguments.require(bool(words), "it has no rule")
        mode = words[0].lower() in ("continue", "stop")
        arguments.require(len(words) > 1 or not mode, f"{words[0]} needs a rule")
        kind, rest = (words[1].lower(), words[2:]) if mode else (words[0].lower(), words[1:])
        rule = _RULES.get(kind)
        if rule is not None:
            rule(arguments, rest)
        elif not has_variable(kind):
            raise arguments.refuse(f"no rule {kind}; rules are {', '.join(_RULES)}")


def _check_name(arguments: Arguments, words: list[str]) -> None:
    arguments.require(len(words) > 1, "name needs two names")
    match = words[0].lower() if len(words) > 2 else "exact"
    arguments.knows(match, MATCHES, "name match")
    source, target = words[1:3] if len(words) > 2 else words
    if len(words) > 3:
        _check_answers(arguments, words[3:])
    if match == "exact":
        _check_pattern(arguments, target, source)
    elif match == "regex":
        _check_pattern(arguments, source, target)


def _check_pattern(arguments: Arguments, pattern: str, target: str) -> None:
    """A regular expression and the text that uses its groups as {1}."""
    check_regex(arguments, pattern)
    if has_variable(pattern) or has_variable(target):
        return
    used = sum(f"{{{number}}}" in target for number in range(101))
    groups = len(_GROUP.findall(pattern))
    arguments.require(used <= groups, f"{target} uses more groups than {pattern} has")


def _check_answers(arguments: Arguments, words: list[str]) -> None:
    """``answer auto``, or pairs behind ``answer name`` and ``answer value``."""
    arguments.require(len(words) > 1, "answer is incomplete")
    at = names = 0
    auto, last = False, ""
    while at < len(words):
        arguments.require(bool(last) or words[at] == "answer", f"{words[at]} instead of answer")
        at += words[at] == "answer"
        arguments.require(at < len(words), "answer is incomplete")
        last = words[at]
        arguments.knows(last, ("auto", "name", "value"), "answer")
        at += 1
        if last == "auto":
            auto = True
            continue
        arguments.require(len(words) - at > 1, f"answer {last} needs two arguments")
        _check_pattern(arguments, words[at], words[at + 1])
        at += 2
        names += last == "name"
    arguments.require(not (auto and names), "answer auto and answer name exclude each other")


def _check_pair(arguments: Arguments, words: list[str], known: frozenset[str], what: str) -> None:
    arguments.require(len(words) == 2, f"{what} needs two arguments")
    for word in words:
        fits = word.upper() in known or has_variable(word)
        arguments.require(fits, f"{word} is not a {what}")


def _check_class(arguments: Arguments, words: list[str]) -> None:
    _check_pair(arguments, words, CLASSES, "class")


def _check_type(arguments: Arguments, words: list[str]) -> None:
    _check_pair(arguments, words, TYPES, "record type")


def _check_match(arguments: Arguments, words: list[str]) -> None:
    """[MATCH] NAME, where a MATCH is given."""
    arguments.knows(words[0].lower(), MATCHES, "match")
    if words[0].lower() == "regex":
        check_regex(arguments, words[1])


def _check_ttl(arguments: Arguments, words: list[str]) -> None:
    arguments.require(len(words) in (2, 3), "ttl needs NAME TTL or MATCH NAME TTL")
    word = words[-1]
    low, dash, high = word.partition("-")
    fits = has_variable(word) or (
        is_unsigned(low)
        if not dash
        else word != "-"
        and (not low or is_unsigned(low))
        and (not high or is_unsigned(high))
        and int(low or 0) <= int(high or 2**31 - 1)
    )
    arguments.require(fits, f"ttl {word} is neither a number nor a range")
    if len(words) == 3:
        _check_match(arguments, words)


def _check_cname(arguments: Arguments, words: list[str]) -> None:
    arguments.require(len(words) in (2, 3), "cname needs FROM TO or MATCH FROM TO")
    if len(words) == 3:
        _check_match(arguments, words)


def _check_rcode(arguments: Arguments, words: list[str]) -> None:
    arguments.require(len(words) in (3, 4), "rcode needs NAME FROM TO or MATCH NAME FROM TO")
    for word in words[-2:]:
        fits = is_unsigned(word, 23) or word.upper() in RCODES
        arguments.require(fits, f"{word} is not a response code")
    if len(words) == 4:
        _check_match(arguments, words)


def _check_edns0(arguments: Arguments, words: list[str]) -> None:
    arguments.require(len(words) > 1, "edns0 needs an option and an action")
    if any(map(has_variable, words)):
        return
    option, action = words[0].lower(), words[1].lower()
    arguments.knows(action, ("append", "replace", "set", "unset"), "edns0 action")
    arguments.knows(option, ("local", "nsid", "subnet"), "edns0 option")
    if action == "unset":
        count = 3 if option == "local" else 2
        arguments.require(len(words) == count, f"edns0 {option} unset has other arguments")
        values = [*words[2:], ""]
    else:
        if words[-1] == "revert":
            words = words[:-1]
        count = 2 if option == "nsid" else 4
        arguments.require(len(words) == count, f"edns0 {option} has other arguments")
        values = words[2:]
    if option == "local":
        _check_local(arguments, values[0], values[1])
    elif option == "subnet" and action != "unset":
        for word, high in zip(values, (32, 128), strict=False):
            fits = bool(_CODE.fullmatch(word)) and _number(word) <= high
            arguments.require(fits, f"{word} is not a mask length up to {high}")


def _check_local(arguments: Arguments, code: str, data: str) -> None:
    fits = bool(_CODE.fullmatch(code)) and _number(code) < 2**16
    arguments.require(fits, f"edns0 local {code} is not an option code")
    if data.startswith("{") and data.endswith("}"):
        known = data in _VARIABLES or bool(_LABEL.fullmatch(data))
        arguments.require(known, f"edns0 local has no variable {data}")
    elif data.startswith("0x"):
        fits = re.fullmatch(r"([0-9a-fA-F]{2})*", data[2:]) is not None
        arguments.require(fits, f"{data} is not hexadecimal")


def _number(word: str) -> int:
    """strconv.ParseUint in base 0, where 017 is octal, too."""
    word = word.replace("_", "")
    return int(word, 8) if re.fullmatch(r"0[0-7]+", word) else int(word, 0)


_RULES: Final = {
    "name": _check_name,
    "class": _check_class,
    "type": _check_type,
    "edns0": _check_edns0,
    "ttl": _check_ttl,
    "cname": _check_cname,
    "rcode": _check_rcode,
}
