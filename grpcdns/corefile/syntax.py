"""A Corefile's text to server blocks: the syntax alone, as CoreDNS's parser understands it.

    corefile := { server | "(" name ")" "{" directives "}" | "import" pattern }
    server := addresses "{" directives "}"
    directive := name { argument } [ "{" properties "}" ]

Braces are tokens of their own. A line ends a directive unless a brace is open. The tokens of an
imported snippet take the place of the import. Whether a directive or its arguments mean anything is
not decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from grpcdns.corefile.lexer import Token, tokens
from grpcdns.corefile.words import expand

MAX_IMPORTS: Final = 10_000
"""As many snippets does CoreDNS put in before it gives up."""

MAX_TOKENS: Final = 100_000
"""More tokens than this, snippets included, are not read."""

END: Final = 10**9
"""The last line of a block without braces, which goes on to the end of the file."""


class SyntaxProblem(Exception):
    """Why CoreDNS does not parse the text, and in which line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


class Directive(NamedTuple):
    """``forward . 1.1.1.1 { ... }``: properties are directives inside the braces."""

    name: str
    args: tuple[str, ...]
    line: int
    block: tuple[Directive, ...] = ()
    tokens: tuple[Token, ...] = ()

    def find(self, name: str) -> Directive | None:
        """The last property of this name, which is the one that counts."""
        return next((one for one in reversed(self.block) if one.name == name), None)


class Server(NamedTuple):
    """A server block: its keys as written (zones, CIDRs, ports, schemes) and its directives.

    ``tokens`` are those of all directives of one name, in order: what CoreDNS gives to the plugin.
    ``imports``: the files that are imported and were not read. ``end``: the block's last line.
    """

    keys: tuple[str, ...]
    line: int
    directives: tuple[Directive, ...]
    tokens: Mapping[str, tuple[Token, ...]]
    imports: tuple[Directive, ...] = ()
    end: int = 0

    @property
    def partial(self) -> bool:
        """Whether the block may have lines that are not known."""
        return bool(self.imports)

    def all(self, name: str) -> list[Directive]:
        return [one for one in self.directives if one.name == name]

    def has(self, name: str) -> bool:
        return name in self.tokens


class Parsed(NamedTuple):
    """``imports``: imports of files, which were not read. ``dropped``: directives of blocks without
    a key, which CoreDNS parses and leaves out."""

    servers: tuple[Server, ...]
    imports: tuple[Directive, ...]
    dropped: tuple[Directive, ...] = ()


def parse_corefile(text: str, environment: Mapping[str, str] | None = None) -> Parsed:
    """Raises SyntaxProblem for text that CoreDNS does not parse.

    ``environment``: CoreDNS's variables, where one that is missing is empty. With None the values
    are unknown, and ``{$NAME}`` stays in the words.
    """
    reader = _Reader(list(tokens(text)), environment)
    servers = tuple(reader.servers())
    return Parsed(servers, tuple(reader.imports), tuple(reader.dropped))


class _Reader:
    """Goes through the tokens with a cursor, as CoreDNS does: ``_at`` is the current token."""

    def __init__(self, every: list[Token], environment: Mapping[str, str] | None) -> None:
        self._tokens = every
        self._environment = environment
        self._at = -1
        self._snippets: dict[str, list[Token]] = {}
        self._expanded = 0
        self.imports: list[Directive] = []
        self.dropped: list[Directive] = []

    def servers(self) -> Iterator[Server]:
        while self._next():
            before = len(self.imports)
            line = self._line
            keys, at_end = self._keys()
            if not at_end and len(keys) == 1 and keys[0].startswith("(") and keys[0].endswith(")"):
                self._snippet(keys[0][1:].removesuffix(")"), line)
                continue
            statements = [] if at_end else list(self._block())
            if keys:
                imports = tuple(self.imports[before:])
                end = self._line if self._text == "}" else END
                yield _server(keys, line, statements, imports, end)
            else:
                self.dropped += map(_tree, statements)

    # -- the cursor

    def _next(self) -> bool:
        if self._at < len(self._tokens) - 1:
            self._at += 1
            return True
        return False

    @property
    def _text(self) -> str:
        return self._tokens[self._at].text if 0 <= self._at < len(self._tokens) else ""

    @property
    def _line(self) -> int:
        return self._tokens[min(self._at, len(self._tokens) - 1)].line if self._tokens else 1

    def _on_new_line(self) -> bool:
        if not 1 <= self._at < len(self._tokens):
            return self._at < 1
        return self._tokens[self._at - 1].is_before_line_of(self._tokens[self._at])

    def _next_argument(self) -> bool:
        if self._at < len(self._tokens) - 1 and self._tokens[self._at].is_on_line_of(
            self._tokens[self._at + 1]
        ):
            self._at += 1
            return True
        return False

    # -- the parts of a Corefile

    def _keys(self) -> tuple[list[str], bool]:
        """The keys of a block, and whether the file ends with them."""
        keys: list[str] = []
        more = False
        while True:
            word = expand(self._text, self._environment)
            if word == "import" and self._on_new_line():
                self._import()
                continue
            if word == "{":
                if more:
                    raise SyntaxProblem(self._line, "another key is missing after the comma")
                return keys, False
            if word:
                more = word.endswith(",")
                keys.append(word.removesuffix(","))
            if not self._next():
                if more:
                    raise SyntaxProblem(self._line, "the file ends after a comma")
                return keys, True
            if not more and self._on_new_line():
                return keys, False

    def _block(self) -> Iterator[list[Token]]:
        """The tokens of each directive. A block without braces ends at the file's end."""
        opened = self._line
        braced = self._text == "{"
        if not braced:
            self._at -= 1
        while self._next():
            if self._text == "}":
                break
            if self._text == "import":
                self._import()
                self._at -= 1
                continue
            yield self._directive()
        # CoreDNS takes the last brace of a file for the server block's, whatever else it closed.
        if braced and self._text != "}":
            raise SyntaxProblem(opened, "its '{' is never closed")

    def _directive(self) -> list[Token]:
        first = self._tokens[self._at]
        name = Token(expand(first.text, self._environment), first.line)
        statement = [name]
        depth, opened = 0, first.line
        while self._next():
            text = self._text
            if text == "{":
                opened = opened if depth else self._line
                depth += 1
            elif self._on_new_line() and depth == 0:
                self._at -= 1
                break
            elif text == "}" and depth == 0:
                raise SyntaxProblem(self._line, "'}' closes no '{' of this line")
            elif text == "}":
                depth -= 1
            elif text == "import" and self._on_new_line():
                self._import()
                self._at -= 1
                continue
            here = self._tokens[self._at]
            here = Token(expand(here.text, self._environment), here.line)
            self._tokens[self._at] = here
            statement.append(here)
        if depth:
            raise SyntaxProblem(opened, "its '{' is never closed")
        return statement

    def _snippet(self, name: str, line: int) -> None:
        if name in self._snippets:
            raise SyntaxProblem(line, f"snippet ({name}) is declared twice")
        if self._text != "{":
            raise SyntaxProblem(line, f"snippet ({name}) needs a block in braces")
        depth, start = 1, self._at + 1
        while self._next():
            depth += (self._text == "{") - (self._text == "}")
            if depth == 0:
                body = self._tokens[start : self._at]
                self._refuse_self_import(name, body)
                self._snippets[name] = body
                return
        raise SyntaxProblem(line, f"snippet ({name}): its '{{' is never closed")

    def _refuse_self_import(self, name: str, body: list[Token]) -> None:
        for at, (here, after) in enumerate(pairwise(body)):
            first = at == 0 or body[at - 1].line != here.line
            if here.text == "import" and first and expand(after.text, self._environment) == name:
                raise SyntaxProblem(here.line, f"snippet ({name}) imports itself")

    def _import(self) -> None:
        """Puts a snippet's tokens in the place of its import; the current token is then the first
        of them. Those of a file are not known."""
        start, line = self._at, self._line
        if not self._next_argument() or not (word := expand(self._text, self._environment)):
            raise SyntaxProblem(line, "import needs the name of a snippet or file")
        if self._next_argument():
            raise SyntaxProblem(line, "import takes one snippet or file")
        if word.count("*") > 1 or word.count("?") > 1 or ("[" in word and "]" in word):
            raise SyntaxProblem(line, f"import {word}: a pattern can have one wildcard")
        body = self._snippets.get(word)
        if body is None:
            self.imports.append(Directive("import", (word,), line))
        self._expanded += 1
        if self._expanded > MAX_IMPORTS:
            raise SyntaxProblem(line, f"import {word} never ends")
        self._tokens[start : start + 2] = body or []
        if len(self._tokens) > MAX_TOKENS:
            raise SyntaxProblem(line, f"more than {MAX_TOKENS} words with the imported snippets")
        self._at = start


def _server(
    keys: list[str],
    line: int,
    statements: list[list[Token]],
    imports: tuple[Directive, ...],
    end: int,
) -> Server:
    grouped: dict[str, list[Token]] = {}
    for statement in statements:
        grouped.setdefault(statement[0].text, []).extend(statement)
    return Server(
        tuple(keys),
        line,
        tuple(map(_tree, statements)),
        {name: tuple(words) for name, words in grouped.items()},
        imports,
        end,
    )


def _tree(statement: list[Token]) -> Directive:
    """A directive with the lines in its braces; deeper braces are words of these lines."""
    name, *rest = statement
    args: list[str] = []
    lines: list[tuple[Token, list[str]]] = []
    depth, last, fresh = 0, name, False
    for token in rest:
        if depth and not (depth == 1 and token.text == "}"):
            if fresh or last.is_before_line_of(token):
                lines.append((token, []))
            else:
                lines[-1][1].append(token.text)
            fresh = False
        elif token.text not in "{}" or not token.text:
            args.append(token.text)
        fresh = fresh or (depth == 0 and token.text == "{")
        depth += (token.text == "{") - (token.text == "}")
        last = token
    block = tuple(Directive(first.text, tuple(words), first.line) for first, words in lines)
    return Directive(name.text, tuple(args), name.line, block, tuple(statement))
