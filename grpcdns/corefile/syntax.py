"""A Corefile's text to server blocks: the syntax alone, as CoreDNS's parser understands it.

    corefile := { server | "(" name ")" "{" directives "}" | "import" pattern }
    server := addresses "{" directives "}"
    directive := name { argument } [ "{" properties "}" ]

Tokens end at white space; one that begins with a double quote ends at the next; "#" outside quotes
begins a comment, in the middle of a word too. Braces are tokens of their own. What stands on one
line belongs together. ``{$NAME}`` is left as it is: its value is known where CoreDNS runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

MAX_IMPORTS: Final = 1000
MAX_DEPTH: Final = 100


class SyntaxProblem(Exception):
    """Why CoreDNS will not read the text, and in which line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Token(NamedTuple):
    """``first``: whether it opens a line."""

    text: str
    line: int
    first: bool


class Directive(NamedTuple):
    """``forward . 1.1.1.1 { ... }``: properties are directives inside the braces."""

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] = ()

    def find(self, name: str) -> Directive | None:
        """The last property of this name, which is the one that counts."""
        return next((one for one in reversed(self.block) if one.name == name), None)


class Server(NamedTuple):
    """A server block: its keys as written (zones, CIDRs, ports, schemes) and its directives."""

    keys: tuple[str, ...]
    line: int
    directives: tuple[Directive, ...]

    def all(self, name: str) -> list[Directive]:
        return [one for one in self.directives if one.name == name]

    def has(self, name: str) -> bool:
        return any(one.name == name for one in self.directives)


class Parsed(NamedTuple):
    """``imports``: files that a Corefile takes in and that were not read."""

    servers: tuple[Server, ...]
    imports: tuple[Directive, ...]


def parse_corefile(text: str) -> Parsed:
    """Raises SyntaxProblem for what CoreDNS would refuse to parse."""
    reader = _Reader(list(_tokens(text.removeprefix("\ufeff"))))
    servers = list(reader.servers())
    return Parsed(tuple(servers), tuple(reader.imports))


def _tokens(text: str) -> Iterator[Token]:
    line, at, end, last = 1, 0, len(text), 0
    while at < end:
        char = text[at]
        if char == "\n":
            line += 1
            at += 1
        elif char.isspace():
            at += 1
        elif char == "#":
            at = _line_end(text, at)
        else:
            first, began = line != last, line
            if char == '"':
                word, at = _quoted(text, at + 1)
                line += word.count("\n")
            else:
                word, at = _bare(text, at)
            last = line
            yield Token(word, began, first)


def _line_end(text: str, at: int) -> int:
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _bare(text: str, at: int) -> tuple[str, int]:
    """A word up to white space; a comment in its middle hides the rest of the line."""
    parts = []
    while at < len(text) and not text[at].isspace():
        if text[at] == "#":
            at = _line_end(text, at)
            break
        parts.append(text[at])
        at += 1
    return "".join(parts), at


def _quoted(text: str, at: int) -> tuple[str, int]:
    parts = []
    while at < len(text):
        char = text[at]
        if char == "\\" and at + 1 < len(text):
            parts.append(text[at + 1] if text[at + 1] == '"' else char + text[at + 1])
            at += 2
        elif char == '"':
            return "".join(parts), at + 1
        else:
            parts.append(char)
            at += 1
    return "".join(parts), at


class _Reader:
    """Goes through the tokens once; snippets are put in where they are imported."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._snippets: dict[str, list[Token]] = {}
        self._expanded = 0
        self._depth = 0
        self.imports: list[Directive] = []

    def servers(self) -> Iterator[Server]:
        while self._at < len(self._tokens):
            line = self._tokens[self._at].line
            if self._tokens[self._at].text == "import" and self._tokens[self._at].first:
                self._import()
                continue
            keys, braced = self._addresses()
            if len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
                self._snippet(keys[0][1:-1], line, braced)
                continue
            directives = tuple(self._directives(line, braced, outermost=True))
            if keys:
                yield Server(tuple(keys), line, directives)

    def _addresses(self) -> tuple[list[str], bool]:
        """The keys of a block, and whether a brace follows (one block alone needs none)."""
        keys: list[str] = []
        more = False
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.text == "{":
                if more:
                    raise SyntaxProblem(token.line, "another address is missing after the comma")
                self._at += 1
                return keys, True
            if token.text == "}":
                raise SyntaxProblem(token.line, "a '}' too many, which CoreDNS takes for a zone")
            if keys and token.first and not more:
                return keys, False
            more = token.text.endswith(",")
            if token.text.rstrip(","):
                keys.append(token.text.removesuffix(","))
            self._at += 1
        if more:
            raise SyntaxProblem(self._tokens[-1].line, "the file ends after a comma")
        return keys, False

    def _directives(
        self, opened: int, braced: bool, *, outermost: bool = False
    ) -> Iterator[Directive]:
        if self._depth == MAX_DEPTH:
            raise SyntaxProblem(opened, f"braces more than {MAX_DEPTH} deep")
        self._depth += 1
        yield from self._lines(opened, braced, outermost)
        self._depth -= 1

    def _lines(self, opened: int, braced: bool, outermost: bool) -> Iterator[Directive]:
        while self._at < len(self._tokens):
            token = self._tokens[self._at]
            if token.text == "}":
                if not braced:
                    raise SyntaxProblem(token.line, "'}' without a '{' before it")
                self._at += 1
                return
            if token.text == "import":
                self._import()
                continue
            yield self._directive()
        # CoreDNS takes the last brace of a file for the server block's, whatever else it closed.
        if braced and not (outermost and self._tokens[-1].text == "}"):
            raise SyntaxProblem(opened, "its '{' is never closed")

    def _directive(self) -> Directive:
        token = self._tokens[self._at]
        self._at += 1
        args: list[str] = []
        block: list[Directive] = []
        while self._at < len(self._tokens):
            here = self._tokens[self._at]
            if here.text == "{":
                self._at += 1
                block += self._directives(here.line, True)
                continue
            if here.text == "}" and not here.first:
                raise SyntaxProblem(here.line, "'}' must stand in a line of its own")
            if here.first:
                break
            args.append(here.text)
            self._at += 1
        return Directive(token.text, tuple(args), token.line, tuple(block))

    def _snippet(self, name: str, line: int, braced: bool) -> None:
        if not braced:
            raise SyntaxProblem(line, f"snippet ({name}) needs a block in braces")
        if name in self._snippets:
            raise SyntaxProblem(line, f"snippet ({name}) is declared twice")
        depth, start = 1, self._at
        while self._at < len(self._tokens):
            text = self._tokens[self._at].text
            depth += (text == "{") - (text == "}")
            self._at += 1
            if depth == 0:
                self._snippets[name] = self._tokens[start : self._at - 1]
                return
        raise SyntaxProblem(line, f"snippet ({name}): its '{{' is never closed")

    def _import(self) -> None:
        """Puts a snippet's tokens in the place of its import; a file's are not known."""
        token = self._tokens[self._at]
        args = []
        end = self._at + 1
        while end < len(self._tokens) and not self._tokens[end].first:
            if self._tokens[end].text == "}":
                break
            args.append(self._tokens[end].text)
            end += 1
        if len(args) != 1:
            raise SyntaxProblem(token.line, "import takes one snippet or file")
        snippet = self._snippets.get(args[0])
        if snippet is None:
            self.imports.append(Directive("import", tuple(args), token.line))
        self._expanded += 1
        if self._expanded > MAX_IMPORTS:
            raise SyntaxProblem(token.line, f"import {args[0]} never ends")
        self._tokens[self._at : end] = snippet or []
