"""Label selectors, as kubectl and the API write them: parsing, matching, writing out.

    a=b   a==b   a!=b   a in (b, c)   a notin (b)   a   !a        joined by commas

The API applies selectors itself. Here they are parsed to find mistakes at the start, and matched
for objects that come from files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple


class SelectorError(ValueError):
    """The text is not a label selector; the message says where it goes wrong."""


class Requirement(NamedTuple):
    """One term. ``operator``: in, notin, exists, absent; a=b is ``in`` with one value."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether labels satisfy this term; a missing label satisfies ``notin``."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        return (value in self.values) == (self.operator == "in")

    def __str__(self) -> str:
        if self.operator == "exists":
            return self.key
        if self.operator == "absent":
            return f"!{self.key}"
        if len(self.values) == 1:
            return f"{self.key}{'=' if self.operator == 'in' else '!='}{self.values[0]}"
        return f"{self.key} {self.operator} ({','.join(self.values)})"


class Selector(NamedTuple):
    """All terms must hold; no terms match everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        return all(term.matches(labels or {}) for term in self.requirements)

    def also(self, requirement: Requirement) -> Selector:
        """This selector narrowed by one more term."""
        return Selector((*self.requirements, requirement))

    def __str__(self) -> str:
        """The value of a ``labelSelector`` parameter."""
        return ",".join(map(str, self.requirements))


_TOKEN: Final = re.compile(r"\s*(==|!=|[=!(),]|[A-Za-z0-9_./-]+)")
_NAME: Final = r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
_DNS: Final = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
_KEY: Final = re.compile(rf"(?=[^/]{{1,253}}/|[^/]+$)({_DNS}/)?{_NAME}")
_VALUE: Final = re.compile(rf"({_NAME})?")


def parse_selector(text: str) -> Selector:
    """Parses ``text``. Raises SelectorError."""
    return _Parser(text).selector()


def from_api(selector: Mapping[str, str] | None) -> Selector:
    """A Service's selector: equality with each of its labels."""
    return Selector(
        tuple(Requirement(key, "in", (value,)) for key, value in (selector or {}).items())
    )


class _Parser:
    """Reads tokens from left to right, with one token of lookahead; "" is the end."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [*self._scan(), ""]
        self._at = 0

    def selector(self) -> Selector:
        if self._next == "":
            return Selector()
        terms = [self._requirement()]
        while self._next == ",":
            self._take()
            terms.append(self._requirement())
        if self._next:
            raise self._error(f"expected ',' or the end, found {self._next!r}")
        return Selector(tuple(terms))

    def _requirement(self) -> Requirement:
        if self._next == "!":
            self._take()
            return Requirement(self._key(), "absent")
        key = self._key()
        if self._next in ("", ","):
            return Requirement(key, "exists")
        operator = self._take()
        if operator in ("=", "==", "!="):
            return Requirement(key, "notin" if operator == "!=" else "in", (self._value(),))
        if operator in ("in", "notin"):
            return Requirement(key, operator, self._values())
        raise self._error(f"expected =, !=, in or notin after {key!r}, found {operator!r}")

    def _values(self) -> tuple[str, ...]:
        if self._take() != "(":
            raise self._error("expected '(' after in and notin")
        values = [self._value()]
        while (after := self._take()) == ",":
            values.append(self._value())
        if after != ")":
            raise self._error("expected ',' or ')' after a value")
        return tuple(dict.fromkeys(values))

    def _key(self) -> str:
        if not self._next:
            raise self._error("expected a label's name at the end")
        if not _KEY.fullmatch(self._next):
            raise self._error(f"{self._next!r} is not a label's name")
        return self._take()

    def _value(self) -> str:
        if self._next in ("", ",", ")"):
            return ""
        if not _VALUE.fullmatch(self._next):
            raise self._error(f"{self._next!r} is not a label's value")
        return self._take()

    @property
    def _next(self) -> str:
        return self._tokens[self._at]

    def _take(self) -> str:
        token = self._tokens[self._at]
        self._at = min(self._at + 1, len(self._tokens) - 1)
        return token

    def _scan(self) -> Iterator[str]:
        at = 0
        while rest := self._text[at:].strip():
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._error(f"{rest[0]!r} has no meaning here")
            at = found.end()
            yield found[1]

    def _error(self, what: str) -> SelectorError:
        return SelectorError(f"label selector {self._text!r}: {what}")
