"""The lines that CoreDNS's ``log`` plugin writes: the question in each.

    read = LogLines("{common}").read
    read('[INFO] 10.0.0.9:5 - 1 "A IN web. udp 30 false 512" NOERROR qr 50 0.1s')    A web., ID 1

A line may have anything before it: what kubectl, the container runtime or a collector put there. In
a line of JSON the quotes may be escaped.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from grpcdns.core.dns.names import BadName, name_from_user, name_to_wire
from grpcdns.core.dns.wire import IN, Question
from grpcdns.dnsclient.messages import find_type

COMMON: Final = (
    '{remote}:{port} - {>id} "{type} {class} {name} {proto} {size} {>do} {>bufsize}" '
    "{rcode} {>rflags} {rsize} {duration}"
)
COMBINED: Final = COMMON + ' "{>opcode}"'
LONGEST: Final = 4096
"""Characters. A name has at most 1,012, and the rest of a line is short."""

_LABEL: Final = re.compile(r"\{[>/]?[\w/-]+\}")
_ADJACENT: Final = re.compile(rf"({_LABEL.pattern})({_LABEL.pattern})")
_PATTERNS: Final = {
    "{name}": r"(?P<name>(?:\\.|[^\s\\]){1,1012})",
    "{type}": r"(?P<type>[A-Z][A-Z0-9-]*)",
    "{class}": r"(?P<class>[A-Z][A-Z0-9]*)",
    "{remote}": r"(?:\[[0-9a-fA-F:.%]+\]|[0-9.]+|-)",
    "{>id}": r"(?P<id>[0-9]{1,5})",
    "{>rflags}": r"[a-z,]*-?",
}
_ANY: Final = r"\S{0,256}?"


class BadFormat(ValueError):
    """A format in whose lines the question cannot be found."""


class Logged(NamedTuple):
    """``id``: of the query, None where the format does not have it."""

    question: Question
    id: int | None = None


class LogLines:
    """``form``: the format as in the Corefile. Raises `BadFormat`."""

    def __init__(self, form: str = COMMON) -> None:
        form = form.replace("{common}", COMMON).replace("{combined}", COMBINED)
        for needed in ("{name}", "{type}"):
            if needed not in form:
                raise BadFormat(f"no {needed} in it")
        if found := _ADJACENT.search(form):
            raise BadFormat(f"nothing between {found[1]} and {found[2]}")
        self._line = re.compile(_pattern(form))

    def read(self, line: str) -> Logged | None:
        """What a line has; None where there is no question in it."""
        found = self._line.search(line) if len(line) <= LONGEST else None
        if found is None:
            return None
        groups = found.groupdict()
        qtype = find_type(groups["type"])
        if qtype is None or groups.get("class", "IN") != "IN":
            return None
        try:
            name = name_from_user(groups["name"].lower())
        except BadName:
            return None
        number = groups.get("id")
        question = Question(name_to_wire(name), name, qtype, IN)
        return Logged(question, None if number is None else int(number))


def _pattern(form: str) -> str:
    """A regular expression for a format. The second of two equal labels is any text."""
    parts = []
    at = 0
    seen = set()
    for label in _LABEL.finditer(form):
        parts.append(_literal(form[at : label.start()]))
        named = label[0] not in seen
        parts.append(_PATTERNS.get(label[0], _ANY) if named else _ANY)
        seen.add(label[0])
        at = label.end()
    parts.append(_literal(form[at:]))
    return "".join(parts) + r"(?=\s|\\n|\"|$)"


def _literal(text: str) -> str:
    """Where JSON is around the line, a quote has a backslash before it."""
    return re.escape(text).replace('"', r"\\?\"")
