"""The size of CoreDNS's cache for a cluster."""

from __future__ import annotations

import pytest

from grpcdns.corefile.cache import DEFAULT_CAPACITY, cache_lines, capacity


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
