"""The tokens of a directive, read one after another as CoreDNS's plugins read them.

How a plugin reads decides what it accepts: a property that takes one argument (`next_argument`)
leaves the closing brace of a one-line block alone, one that takes the rest of the line (`rest`)
takes the brace, too.

    while arguments.next():
        zones = arguments.rest()
        while arguments.next_property():
            match arguments.word: ...
"""

from __future__ import annotations

from collections.abc import Sequence

from grpcdns.corefile.lexer import Token
from grpcdns.corefile.words import has_variable


class Refusal(Exception):
    """Why a plugin refuses its lines: CoreDNS does not start. ``trap`` names the kind."""

    def __init__(self, line: int, what: str, trap: str = "refused") -> None:
        super().__init__(what)
        self.line = line
        self.what = what
        self.trap = trap


class Undecided(Exception):
    """A variable decides how the rest is read."""


class Arguments:
    """All directives of one name in a server block. ``word`` and ``line``: the current token."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = -1
        self._depth = 0

    @property
    def word(self) -> str:
        return self._tokens[self._at].text if self._at >= 0 else ""

    @property
    def line(self) -> int:
        return self._tokens[max(self._at, 0)].line

    @property
    def name(self) -> str:
        return self._tokens[0].text

    def next(self) -> bool:
        """Goes to the next token, wherever it is."""
        if self._at < len(self._tokens) - 1:
            self._at += 1
            return True
        return False

    def next_argument(self) -> bool:
        """Goes to the next token if it is on the same line."""
        if self._at < 0 or (
            self._at < len(self._tokens) - 1
            and self._tokens[self._at].is_on_line_of(self._tokens[self._at + 1])
        ):
            self._at += 1
            return True
        return False

    def next_property(self) -> bool:
        """Goes to the next token of the block in braces, or past the block."""
        if self._depth:
            if not self.next():
                return False
            if self.word == "}":
                self._depth -= 1
                return False
            return True
        if not self.next_argument():
            return False
        if self.word != "{":
            self._at -= 1
            return False
        if not self.next() or self.word == "}":
            return False
        self._depth += 1
        return True

    def rest(self) -> list[str]:
        """The words up to the end of the line or an opening brace."""
        words = []
        while self.next_argument():
            if self.word == "{":
                self._at -= 1
                break
            words.append(self.word)
        return words

    # -- what most plugins say

    def refuse(self, what: str, trap: str = "refused") -> Refusal:
        return Refusal(self.line, f"{self.name}: {what}" if trap == "refused" else what, trap)

    def require(self, accepted: bool, what: str, trap: str = "refused") -> None:
        """Raises `Refusal` unless the plugin accepts it."""
        if not accepted:
            raise self.refuse(what, trap)

    def once(self) -> bool:
        """Like `next`, for a plugin that a server block can have once."""
        if self._at < 0:
            return self.next()
        if self.next():
            trap = "grpc-twice" if self.name == "grpc" else "refused"
            raise self.refuse("a server block can have it only once", trap)
        return False

    def count(self, low: int, high: int | None = None) -> list[str]:
        """The rest of the line, refused unless it is ``low`` to ``high`` words."""
        name, words = self.word, self.rest()
        if len(words) < low:
            raise self.refuse(f"{name} needs {'an argument' if low == 1 else f'{low} arguments'}")
        if high is not None and len(words) > high:
            extra = words[high]
            hint = ", which must be on a line of its own" if extra == "}" else ""
            raise self.refuse(f"{name} has an argument too many: {extra}{hint}")
        return words

    def one(self, trap: str = "refused") -> str:
        """The next word of the line, refused when there is none."""
        name = self.word
        if not self.next_argument():
            raise self.refuse(f"{name} needs an argument", trap)
        return self.word

    def unknown(self) -> Refusal:
        """For a property that the plugin does not have. Raises `Undecided` for a variable."""
        if has_variable(self.word):
            raise Undecided
        return self.refuse(f"no property {self.word}")

    def knows(self, word: str, choices: Sequence[str], what: str) -> None:
        """Refuses a word that is none of the choices."""
        if word not in choices and not has_variable(word):
            raise self.refuse(f"{what} {word} is none of {', '.join(choices)}")
