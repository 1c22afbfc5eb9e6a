"""Why CoreDNS does not start: what decides it, one row each. tests/differential asks CoreDNS."""

from __future__ import annotations

import re
from functools import partial

import pytest

from grpcdns.corefile.plugins import CHECKS
from grpcdns.corefile.start import refusals
from grpcdns.corefile.syntax import parse_corefile
from grpcdns.corefile.words import (
    duration_of,
    has_regex_mistake,
    is_listener,
    is_name,
    is_network,
    split_host_port,
)
from grpcdns.corefile.zones import networks_of
from harness.build import PROGRAMS, source_folder
from harness.fixtures import built
from harness.paths import ROOT


def refused(text: str) -> list[tuple[str, int]]:
    return sorted((one.trap, one.line) for one in refusals(parse_corefile(text)))


STARTS = {
    "views of one zone": "a {\n view v\n}\na {\n view w {\n  expr true\n }\n}\na {\n}",
    "other addresses": "a {\n bind 127.0.0.1\n}\na {\n bind 127.0.0.2\n}",
    "other ports and schemes": "a a:1053 tls://a {\n}",
    "a view beside a bound block": "a {\n bind 127.0.0.1\n}\na {\n bind ::1\n view v\n}",
    "bind with a variable": "a {\n bind {$A}\n}\na {\n bind {$B}\n}",
    "a view in a file": "a {\n import one.conf\n}\na {\n import two.conf\n}",
    "grpc in one line": "a {\n grpc . 127.0.0.1:1 { policy round_robin }\n}",
    "forward in one line": "a {\n forward . 127.0.0.1 { max_fails 2 }\n}",
    "a variable for a property": "a {\n cache {\n  {$X} 5\n }\n}",
    "a network that is none": "10.0.0.0/33 10.0.0/8 {\n}",
    "a host name that is looked up": "a {\n forward . dns.example.org\n}",
    "the last health counts": "a {\n health :70000\n health :0\n health\n}",
    "not served": "unix://a unix://a:1 {\n}",
}


@pytest.mark.parametrize("text", STARTS.values(), ids=STARTS.keys())
def test_it_starts(text: str) -> None:
    assert refused(text) == []


REFUSED = {
    "bound and not": ("a {\n}\na {\n bind 127.0.0.1\n}", [("zone-twice", 3)]),
    "not bound and bound": ("a {\n bind 127.0.0.1\n}\na {\n}", [("zone-twice", 4)]),
    "an address twice": ("a {\n bind ::1 ::1\n}", [("zone-twice", 1)]),
    "a view beside an unbound block": (
        "a {\n bind ::1\n view v\n}\na {\n bind ::1\n}\na {\n view w\n}",
        [("zone-twice", 8)],
    ),
    "one line for a network": ("10.0.0.0/7 10.0.0.0/8 11.0.0.0/8 {\n}",
                               [("zone-twice", 1), ("zone-twice", 1)]),
    "all that is wrong": (
        "a..b {\n cache {\n  success x\n  denial x\n }\n errors x\n frward\n}",
        [("bad-zone", 1), ("refused", 3), ("refused", 6), ("unknown-directive", 7)],
    ),
    "grpc's own": (
        "a {\n grpc . localhost:1\n}\nb {\n grpc\n}\nc {\n grpc . 1.1.1.1 {\n x\n }\n}",
        [("grpc-host-name", 2), ("grpc-property", 9), ("grpc-unfinished", 5)],
    ),
    "a directive of a block without a key": ('"" {\n nonsense\n}', [("unknown-directive", 2)]),
    "another plugin is missing": ("a {\n k8s_external\n}", [("k8s-external", 2)]),
}  # fmt: skip


@pytest.mark.parametrize("row", REFUSED.values(), ids=REFUSED.keys())
def test_it_does_not(row: tuple[str, list[tuple[str, int]]]) -> None:
    text, expected = row
    assert refused(text) == expected


def test_a_word_is_suggested() -> None:
    (one,) = refusals(parse_corefile("a {\n kubernets\n}"))
    assert one.what == "no directive kubernets; did you mean kubernetes?"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("a a. {\n}", "a is twice in this line, in a and in a."),
        ("a a {\n}", "a is twice in this line"),
        ("10.0.0.0/7 10.0.0.0/8 {\n}",
         "10.in-addr.arpa is twice in this line, in 10.0.0.0/7 and in 10.0.0.0/8"),
        ("a {\n}\na {\n}", "a is already served in line 1"),
    ],
)  # fmt: skip
def test_where_a_zone_is_twice(text: str, what: str) -> None:
    assert [one.what for one in refusals(parse_corefile(text))] == [what]


@pytest.mark.parametrize(
    ("zones", "networks"),
    [
        (["a.", "96.10.in-addr.arpa.", "97.10.in-addr.arpa."], ["a.", "10.96.0.0/15"]),
        (["96.10.in-addr.arpa."], ["96.10.in-addr.arpa."]),
        (["c.f.ip6.arpa.", "d.f.ip6.arpa."], ["fc00::/7"]),
        (["x.in-addr.arpa.", "in-addr.arpa."], ["x.in-addr.arpa.", "in-addr.arpa."]),
    ],
)
def test_networks_are_shown_as_such(zones: list[str], networks: list[str]) -> None:
    assert networks_of(zones) == networks


# -- words, as Go reads them


@pytest.mark.parametrize(
    ("word", "nanoseconds"),
    [
        ("1h1.5m", 3_690_000_000_000), ("-5s", -5_000_000_000), ("0", 0), ("+.5s", 500_000_000),
        ("1\u00b5s", 1_000), ("5", None), ("", None), ("s", None), ("1s1", None), (".s", None),
        ("-", None), ("9223372036854775807ns", 2**63 - 1), ("9223372036854775808ns", None),
    ],
)  # fmt: skip
def test_durations(word: str, nanoseconds: int | None) -> None:
    assert duration_of(word) == nanoseconds


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("a:1", ("a", "1")), (":1", ("", "1")), ("a:", ("a", "")), ("[::1]:1", ("::1", "1")),
        ("a", None), ("::1", None), ("[::1]", None), ("[::1]x:1", None), ("a:1:1", None),
        ("a]:1", None),
    ],
)  # fmt: skip
def test_hosts_and_ports(word: str, parts: tuple[str, str] | None) -> None:
    assert split_host_port(word) == parts


def test_listeners() -> None:
    assert all(map(is_listener, (":0", ":65535", "localhost:domain", "{$ADDRESS}")))
    assert not any(map(is_listener, (":65536", ":-1", "8080", "::1")))


def test_names_and_networks() -> None:
    assert all(map(is_name, (".", "a.", "*.a", "10.0.0.0/33", "a\\.b", f"{'a' * 63}.", "}")))
    assert not any(map(is_name, ("", "a..b", ".a", "a" * 64, "a\\", "abcdefg." * 40)))
    assert all(map(is_network, ("10.1.2.3/8", "::/0", "{$CIDR}")))
    assert not any(map(is_network, ("10.0.0.0", "10.0.0.0/33", "10.0.0.0/255.0.0.0", "::1%a/8")))


@pytest.mark.parametrize(
    "pattern", ["^a[.]$", "(?i)a|b", "a{2,3}?", "[]a]", "[[:alpha:]]", "\\(", "{x}"]
)
def test_regular_expressions(pattern: str) -> None:
    assert not has_regex_mistake(pattern)


@pytest.mark.parametrize(
    "pattern", ["(", "a)", "[a", "*", "a**", "(?=a)", "a\\1", "{1}a", "a{1001}", "a\\"]
)
def test_mistakes_in_regular_expressions(pattern: str) -> None:
    assert has_regex_mistake(pattern)


def test_the_page_lists_the_plugins_that_are_not_checked() -> None:
    """docs/corefile.md, under Limits."""
    limits = (ROOT / "docs" / "corefile.md").read_text().split("## Limits")[1]
    line = re.search(r"The arguments of some plugins: (.*?) are known", limits, re.S)
    assert line
    named = re.findall(r"`(\w+)`", line[1])
    assert named == sorted(name for name, check in CHECKS.items() if check is None)


@pytest.mark.servers
def test_the_directives_are_those_of_coredns() -> None:
    """In CoreDNS's order, from the source that the tests build."""
    folder = built(partial(source_folder, PROGRAMS["coredns"], "github.com/coredns/coredns"))
    source = folder / "core" / "dnsserver" / "zdirectives.go"
    assert re.findall(r'^\t"(\w+)",$', source.read_text(), re.M) == list(CHECKS)
