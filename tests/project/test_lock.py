"""The locks fit pyproject.toml, name no places, and hold nothing whose licence is in the way."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tools import audit


@pytest.mark.parametrize(("lock", "extra"), [(audit.RUNTIME, ""), (audit.DEV, "dev")])
def test_lock_is_in_step(lock: Path, extra: str) -> None:
    assert list(audit.lock_faults(lock, extra)) == []


@pytest.mark.parametrize("lock", audit.LOCKS, ids=lambda lock: lock.name)
def test_lock_has_hashes_names_no_places_and_agrees_with_the_others(lock: Path) -> None:
    assert audit.pins(lock)
    assert list(audit.text_faults(lock)) == []


def test_every_licence_is_allowed() -> None:
    assert list(audit.licence_faults()) == []


def test_what_is_installed_is_what_is_locked() -> None:
    locked = audit.pins(audit.DEV)
    assert {name: metadata.version(name) for name in locked} == locked
