"""What the memo keeps, and what it evicts."""

from __future__ import annotations

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Kind,
    Namespace,
)
from grpcdns.core.dns.wire import NXDOMAIN
from grpcdns.core.handler import Handler
from tests.conformance.loading import ask, fail
from tests.conformance.reply import query, read_reply
from tests.unit.core.making import CROWD, HEADLESS, T, change, get, made, rdata, sliced


def test_answer_too_large_for_the_memo() -> None:
    handler = Handler(Policy(), report=fail, memo_bytes=1000)
    for kind in Kind:
        list(handler.replace(kind, [], 1))
    for obj in (Namespace("", "ns"), HEADLESS, sliced("a", *CROWD[:100])):
        handler.apply(change(obj))
    assert rdata(get(handler, f"s.{T}")) == rdata(get(handler, f"s.{T}"))
    assert handler.memo_sizes() == (0, 0)
    assert handler.stats.misses == 2


def test_a_flood_evicts_only_cheap_entries() -> None:
    """Random names that do not exist stay within the bound of their shelf."""
    handler = made([])
    asked = query("dns-version.cluster.local.", "TXT")
    first = ask(handler, asked)
    for number in range(20_000):
        ask(handler, query(f"{number:059}.cluster.local.", "A"))
    entries, octets = handler.memo_sizes()
    assert 1_000 < entries < 20_000
    assert octets < 9 << 20
    assert handler.counted().evictions > 0
    misses = handler.stats.misses
    assert ask(handler, asked) == first
    assert handler.stats.misses == misses


def test_an_entry_that_is_hit_is_evicted_last() -> None:
    handler = made([])
    popular = query("popular.cluster.local.", "A")
    for number in range(40_000):
        ask(handler, query(f"{number:059}.cluster.local.", "A"))
        if number % 1_000 == 0:
            ask(handler, popular)
    assert handler.counted().evictions > 20_000
    misses = handler.stats.misses
    ask(handler, popular)
    assert handler.stats.misses == misses


def test_a_negative_answer_is_kept_and_counted() -> None:
    handler = made([])
    asked = query("late.one.svc.cluster.local.", "A")
    assert read_reply(ask(handler, asked) or b"").rcode == "NXDOMAIN"
    assert handler.stats.answers[1, NXDOMAIN] == 1
