"""A Corefile's text to tokens, by the rules of CoreDNS's lexer.

A token ends at white space; one that begins with a double quote ends at the next double quote.
Inside quotes only ``\\"`` is an escape. ``#`` outside quotes starts a comment, also in the middle
of a word: there the comment ends with the word, and the next word of the line counts again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

SPACE: Final = frozenset(
    "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000"
)
"""White space of Go's unicode.IsSpace; str.isspace has four control characters more."""


class Token(NamedTuple):
    """``line``: where the token begins, from 1. Tokens of snippets keep the line they stand in."""

    text: str
    line: int

    def is_before_line_of(self, other: Token) -> bool:
        """Whether ``other``, the next token, is on another line, as CoreDNS decides it."""
        return self.line + self.text.count("\n") < other.line

    def is_on_line_of(self, other: Token) -> bool:
        """Whether ``other``, the next token, is on this line. Where the tokens of a snippet meet
        others, a token can be on neither this line nor a later one."""
        return self.line + self.text.count("\n") == other.line


def tokens(text: str) -> Iterator[Token]:
    text = text.removeprefix("\ufeff")
    line, at = 1, 0
    while at < len(text):
        char = text[at]
        if char == "\n":
            line += 1
            at += 1
        elif char in SPACE:
            at += 1
        elif char == "#":
            at = _line_end(text, at)
        elif char == '"':
            word, at, closed = _quoted(text, at + 1)
            if word or closed:
                yield Token(word, line)
            line += word.count("\n")
        else:
            word, at = _bare(text, at)
            yield Token(word, line)


def _line_end(text: str, at: int) -> int:
    end = text.find("\n", at)
    return len(text) if end < 0 else end


def _bare(text: str, at: int) -> tuple[str, int]:
    """A word up to white space, without carriage returns and without the comment at its end."""
    word: list[str] = []
    comment = False
    while at < len(text):
        char = text[at]
        if char != "\r":
            if char in SPACE:
                break
            comment = comment or char == "#"
            if not comment:
                word.append(char)
        at += 1
    return "".join(word), at


def _quoted(text: str, at: int) -> tuple[str, int, bool]:
    """The text up to the closing quote, where it ends, and whether there was a closing quote."""
    word: list[str] = []
    while at < len(text):
        char = text[at]
        if char == '"':
            return "".join(word), at + 1, True
        if char == "\\":
            at += 1
            if at == len(text):
                break
            word.append(text[at] if text[at] == '"' else char + text[at])
        else:
            word.append(char)
        at += 1
    return "".join(word), at, False
