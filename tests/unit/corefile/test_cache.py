"""CoreDNS's cache for a cluster: its size, and how a Corefile's own is changed and checked."""

from __future__ import annotations

import pytest

from grpcdns.corefile.cache import DEFAULT_CAPACITY, Names, cache_lines, capacity, side_of, sized
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.syntax import Directive, parse_corefile
from grpcdns.corefile.traps.trap import Backend


@pytest.mark.parametrize(
    ("names", "room"), [(0, 9984), (100, 9984), (8000, 10240), (16000, 20224), (100_000, 125_184)]
)
def test_capacity(names: int, room: int) -> None:
    assert capacity(names) == room
    assert room % 256 == 0 or room == DEFAULT_CAPACITY
    assert room >= names


def test_the_minimum_is_0() -> None:
    lines = cache_lines(16000)
    assert "    success 20224 30 0" in lines
    assert "    denial 20224 30 0" in lines


def cache_of(text: str) -> Directive:
    """A cache line and its properties, separated by semicolons."""
    first, *properties = text.split("; ")
    lines = "\n".join(properties)
    block = f" {{\n{lines}\n}}" if properties else ""
    (server,) = parse_corefile(f"cluster.local {{\n{first}{block}\n}}").servers
    return server.directives[0]


SIDES = {
    "cache": ("10000 3600 5", "10000 1800 5"),
    "cache 30": ("10000 30 5", "10000 30 5"),
    "cache cluster.local": ("10000 3600 5", "10000 1800 5"),
    "cache 30; success 100": ("100 30 5", "10000 30 5"),
    "cache 30; denial 100 7 0": ("10000 30 5", "100 7 0"),
    "cache; success 100 7 3; success 200": ("200 7 3", "10000 1800 5"),
}


@pytest.mark.parametrize(("text", "expected"), SIDES.items())
def test_what_coredns_reads(text: str, expected: tuple[str, str]) -> None:
    """plugin/cache/setup.go: the last number of each position counts."""
    found = tuple(" ".join(side_of(cache_of(text), name).words) for name in ("success", "denial"))
    assert found == expected


ROOM = {"0": 1024, "1024": 1024, "2000": 1792, "9984": 9984, "10000": 9984, "-5": 1024}


@pytest.mark.parametrize(("given", "room"), ROOM.items())
def test_the_room_there_really_is(given: str, room: int) -> None:
    """256 parts of the same size, of four answers at least."""
    assert side_of(cache_of(f"cache; success {given}"), "success").room == room


SIZED = {
    "cache 30": ["success 20224 30 0", "denial 20224 30 0", "servfail 0"],
    "cache": ["success 20224 3600 0", "denial 20224 1800 0", "servfail 0"],
    "cache 30; success 50000 60 9; denial 9 5": ["success 50000 60 0", "denial 20224 5 0",
                                                 "servfail 0"],
    "cache 30; servfail 3s; keepttl": ["success 20224 30 0", "denial 20224 30 0", "servfail 3s",
                                       "keepttl"],
    "cache 30; success {$CAP} {$TTL} 5": ["success {$CAP} {$TTL} 0", "denial 20224 30 0",
                                          "servfail 0"],
    "cache 30; disable success cluster.local": ["denial 20224 30 0",
                                                "disable success cluster.local", "servfail 0"],
    "cache 30; disable denial": ["success 20224 30 0", "disable denial", "servfail 0"],
    "cache 30; disable denial example.org": ["success 20224 30 0", "denial 20224 30 0",
                                             "disable denial example.org", "servfail 0"],
    "cache; disable success; disable denial; serve_stale": [
        "disable success", "disable denial", "serve_stale 1h verify", "servfail 0"],
    "cache; disable success; disable denial; serve_stale 2h immediate 5s 10s; servfail 0": [
        "disable success", "disable denial", "serve_stale 2h verify 0s 5s 10s", "servfail 0"],
    "cache; disable success; disable denial; serve_stale 2h verify 1s; servfail 0": [
        "disable success", "disable denial", "serve_stale 2h verify 1s", "servfail 0"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), SIZED.items())
def test_a_cache_is_made_to_fit(text: str, expected: list[str]) -> None:
    """Room for 16,000 names; CoreDNS accepts it, and the check finds nothing in it."""
    made = [*sized(cache_of(text), ["cluster.local."], 16000)]
    assert [" ".join([one.name, *one.args]) for one in made] == expected
    lines = "\n".join(expected)
    corefile = f"cluster.local {{\n grpc . unix:///a unix:///b\n cache {{\n{lines}\n}}\n}}"
    found = check_corefile(corefile, backend=Backend(16000, adaptive=True))
    traps = {one.trap.name for one in found}
    assert not traps & {"cache-small", "cache-minimum", "cache-serve-stale", "refused"}


FINDINGS = {
    "cache 30": ["cache-minimum 3 success and denial: a minimum TTL of 5 s",
                 "cache-small 3 success and denial: room for 9,984 answers, and 16,000 names"],
    "cache 30; success 20000 30 0": [
        "cache-minimum 3 denial: a minimum TTL of 5 s",
        "cache-small 3 denial: room for 9,984 answers, and 16,000 names"],
    "cache 30; success 16000 30 1; denial 15999 30 0": [
        "cache-minimum 4 success: a minimum TTL of 1 s",
        "cache-small 4 success: room for 15,872 answers, and 16,000 names",
        "cache-small 5 denial: room for 15,872 answers, and 16,000 names"],
    "cache 30; success 16128 30 0; denial 16128 30 0": [],
    "cache 30; success {$CAP} 30 {$MIN}; denial 16128 30 0": [],
    "cache 30 example.org": [],
    "cache; disable success; disable denial; prefetch 5; serve_stale": [],
    "cache; disable success; denial 16128 30 0; prefetch 5; serve_stale": [
        "cache-prefetch 6 prefetch asks grpcdns for answers that are still cached",
        "cache-serve-stale 7 serve_stale answers before it asks grpcdns"],
    "cache; disable success; denial 16128 30 0; prefetch 0; serve_stale 1h VERIFY": [],
    "cache; disable success; denial 16128 30 0; serve_stale 1h {$MODE}": [],
}  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FINDINGS.items())
def test_findings(text: str, expected: list[str]) -> None:
    first, *properties = text.split("; ")
    lines = "\n".join([f"{first} {{", *(properties or ["keepttl"]), "}"])
    corefile = f"cluster.local {{\n grpc . unix:///a unix:///b\n {lines}\n}}"
    found = check_corefile(corefile, backend=Backend(16000, adaptive=True))
    said = [f"{one.trap.name} {one.line} {one.what}" for one in found]
    assert [one for one in said if one.startswith("cache-") and "servfail" not in one] == expected
    without = {one.trap.name for one in check_corefile(corefile)}
    assert not {name for name in without if name.startswith("cache-")} - {"cache-servfail"}


def test_the_comment_outlives_the_number() -> None:
    assert Names(1, "why").comment() == "Room for 1 name: why."
    assert Names(12345, "why").comment() == "Room for 12,345 names: why."
    unknown = "CoreDNS's default size, as the names were not counted"
    assert Names().comment() == f"{unknown}: give --names COUNT."
    assert Names(source="why\nnot").comment() == f"{unknown} (why not): give --names COUNT."
