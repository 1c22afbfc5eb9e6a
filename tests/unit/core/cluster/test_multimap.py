"""A map to one key, a few or many."""

from __future__ import annotations

from grpcdns.core.cluster.multimap import MultiMap


def test_add_and_discard() -> None:
    """One key, a few, many, and back."""
    keys: MultiMap[str, str] = MultiMap()
    wanted: list[str] = []
    for number in [*range(0, 40, 2), *range(1, 40, 2)]:
        for _ in "twice":
            keys.add("x", f"{number:02}")
        wanted.append(f"{number:02}")
        assert list(keys.find("x")) == sorted(wanted)
        assert keys.has("x", f"{number:02}")
        assert not keys.has("x", f"{number:02}x")
    for number in range(40):
        for _ in "twice":
            keys.discard("x", f"{number:02}")
        wanted.remove(f"{number:02}")
        assert list(keys.find("x")) == sorted(wanted)
        assert not keys.has("x", f"{number:02}")
    assert not keys
