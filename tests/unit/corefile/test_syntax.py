"""Corefiles are read as CoreDNS reads them: tokens, blocks and snippets, for any text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.syntax import SyntaxProblem, parse_corefile
from grpcdns.corefile.zones import zones, zones_of_text
from harness.coredns import CoreDNS
from harness.dns import ask, section

Tree = list[tuple[tuple[str, ...], list[tuple[str, tuple[str, ...], int]]]]


def tree(text: str) -> Tree:
    """Keys, and each directive's name, arguments and line; properties follow their directive."""
    servers: Tree = []
    for server in parse_corefile(text).servers:
        lines = []
        for one in server.directives:
            lines.append((one.name, one.args, one.line))
            lines += [(f".{p.name}", p.args, p.line) for p in one.block]
        servers.append((server.keys, lines))
    return servers


ROWS = {
    "a block": ("a {\n b c\n}", [(("a",), [("b", ("c",), 2)])]),
    "two blocks": ("a {\n b\n}\nc {\n d\n}", [(("a",), [("b", (), 2)]), (("c",), [("d", (), 5)])]),
    "commas": ("a, b,\nc {\n d\n}", [(("a", "b", "c"), [("d", (), 3)])]),
    "a brace on the next line": ("a\n{\n b\n}", [(("a",), [("b", (), 3)])]),
    "no braces": ("a\nb c\nd", [(("a",), [("b", ("c",), 2), ("d", (), 3)])]),
    "properties": ("a {\n b {\n  c d\n }\n}", [(("a",), [("b", (), 2), (".c", ("d",), 3)])]),
    "comments": ("# x\na { # y\n b c # d\n e#f\n}", [(("a",), [("b", ("c",), 3), ("e", (), 4)])]),
    "quotes": ('a {\n b "c d" "e\\"f"\n}', [(("a",), [("b", ("c d", 'e"f'), 2)])]),
    "a quote over lines": ('a {\n b "c\nd" e\n f\n}', [(("a",), [("b", ("c\nd", "e"), 2),
                                                                ("f", (), 4)])]),
    "a snippet": ("(s) {\n b\n}\na {\n import s\n c\n}", [(("a",), [("b", (), 2), ("c", (), 6)])]),
    "a snippet of properties": ("(s) {\n c\n}\na {\n b {\n  import s\n }\n}",
                                [(("a",), [("b", (), 5), (".c", (), 2)])]),
    "a variable": ("a {\n b {$C}\n}", [(("a",), [("b", ("{$C}",), 2)])]),
    "a byte order mark": ("\ufeffa {\n b\n}", [(("a",), [("b", (), 2)])]),
    "carriage returns": ("a {\r\n b c\r\n}\r\n", [(("a",), [("b", ("c",), 2)])]),
    "nothing": ("# nothing\n", []),
    "addresses alone": ("a b", [(("a", "b"), [])]),
    "a brace too many": ("a {\n b\n}\n}", [(("a",), [("b", (), 2)]), (("}",), [])]),
    "a comment in a word": ("a {\n b#c d\n}", [(("a",), [("b", ("d",), 2)])]),
    "a quote at once after a word": ('a {\n b "c"d\n}', [(("a",), [("b", ("c", "d"), 2)])]),
    "a block in one line": ("a {\n b c { d e }\n}", [(("a",), [("b", ("c",), 2),
                                                              (".d", ("e",), 2)])]),
    "a brace on the line after": ("a {\n b\n{\n c\n}\n}", [(("a",), [("b", (), 2),
                                                               (".c", (), 4)])]),
    "the last brace closes two": ("a {\n b {\n c\n }", [(("a",), [("b", (), 2), (".c", (), 3)])]),
    "a snippet that is defined later": ("(t) {\n import s\n}\n(s) {\n b\n}\na {\n import t\n c\n}",
                                        [(("a",), [("b", (), 5), ("c", (), 9)])]),
    "no key": ('"" {\n b\n}', []),
}  # fmt: skip


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS.keys())
def test_tree(row: tuple[str, Tree]) -> None:
    text, expected = row
    assert tree(text) == expected


BAD = {
    "never closed": "a {\n b",
    "a property's block never closed": "a {\n b {\n c\n",
    "closed in the line": "a {\n b }\n}",
    "a comma at the end": "a {\n b\n}\nc,",
    "a comma before the brace": "a, {\n b\n}",
    "two snippets of a name": "(s) {\n b\n}\n(s) {\n b\n}\n",
    "a snippet without braces": "(s)\nb",
    "a snippet never closed": "(s) {\n b\n",
    "an import of nothing": "a {\n import\n}",
    "an import of two": "a {\n import b c\n}",
    "a snippet in itself": "(s) {\n import s\n}\na {\n import s\n}",
    "too deep": "a {\n" * 1000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD.keys())
def test_problems(text: str) -> None:
    with pytest.raises(SyntaxProblem) as raised:
        parse_corefile(text)
    assert raised.value.line >= 1
    assert [one.trap.name for one in check_corefile(text)] == ["syntax"]


def test_variables_are_replaced_when_they_are_known() -> None:
    text = "{$ZONE} {%P%} x{$NONE}y {\n b {$T} {$}\n}"
    environment = {"ZONE": "a", "P": "{$ZONE}", "T": "30"}
    (server,) = parse_corefile(text, environment).servers
    assert server.keys == ("a", "a", "xy")
    assert server.directives[0].args == ("30", "{$}")


def test_an_import_of_a_file_is_noted() -> None:
    parsed = parse_corefile("import more.conf\na {\n import *.conf\n b\n}")
    assert [(one.args, one.line) for one in parsed.imports] == [(("more.conf",), 1),
                                                                (("*.conf",), 3)]  # fmt: skip


ZONES = {
    "a": ("a.",),
    "A.B.": ("a.b.",),
    ".": (".",),
    "10.96.0.0/15": ("96.10.in-addr.arpa.", "97.10.in-addr.arpa."),
    "fd00::/8": ("d.f.ip6.arpa.",),
    "not/a/network": ("not/a/network.",),
}


@pytest.mark.parametrize(("text", "expected"), ZONES.items())
def test_zones(text: str, expected: tuple[str, ...]) -> None:
    assert zones_of_text(text) == expected


def test_keys_with_schemes_ports_and_variables() -> None:
    (server,) = parse_corefile("dns://a:53 tls://b 10.0.0.0/8:1053 {$ZONE} .:53 {\n c\n}").servers
    assert zones(server) == ("a.", "b.", "10.in-addr.arpa.", ".")


words = st.sampled_from([
    *"{}#\",.()", "\n", "\\", "import", "grpc", "forward", "cache", "servfail", "except", "tls",
    "cluster.local", "10.96.0.0/12", "::/1", "unix:///0.sock", "127.0.0.1", "[::1]:5301", "(s)",
    "s", "{$X}", "kubernetes", "policy", "health", "10.0.0.0/33", "grpc://", "\x00", "é",
])  # fmt: skip


@given(st.lists(words, max_size=60).map(" ".join) | st.text(max_size=200))
@example("import s\n(s) {\nimport t\n}\n(t) {\nimport s\n}\n")
def test_any_text_can_be_checked(text: str) -> None:
    lines = len(text.splitlines()) + 1
    for finding in check_corefile(text, ("cluster.local.",)):
        assert 1 <= finding.line <= lines
        assert finding.what
        assert "\n" not in finding.trap.why


TRICKY = """# a comment with { a brace
(common) {
    errors # and what follows "is not
    template IN TXT "quoted" {
        answer "{{ .Name }} 5 IN TXT \\"a # b\\""
    }
}
quoted, other
{
    import common
}
"""


def test_a_real_coredns_reads_it_the_same_way(coredns: Callable[..., CoreDNS]) -> None:
    keys, lines = tree(TRICKY)[0]
    assert keys == ("quoted", "other")
    assert [name for name, _, _ in lines] == ["errors", "template", ".answer"]
    assert lines[2][1] == ('{{ .Name }} 5 IN TXT "a # b"',)
    running = coredns(TRICKY.replace("quoted, other\n{", "quoted, other {"))
    assert section(ask(running.address, "x.quoted", "TXT")) == ['x.quoted. 5 IN TXT "a # b"']
