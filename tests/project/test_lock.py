"""The locks fit pyproject.toml, name no registry, and hold only packages with allowed licences."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

from tools import audit


@pytest.mark.parametrize(("lock", "extra"), [(audit.RUNTIME, ""), (audit.DEV, "dev")])
def test_lock_fits_pyproject(lock: Path, extra: str) -> None:
    assert list(audit.lock_faults(lock, extra)) == []


@pytest.mark.parametrize("lock", audit.LOCKS, ids=lambda lock: lock.name)
def test_lock_has_hashes_names_no_registry_and_agrees_with_the_others(lock: Path) -> None:
    assert audit.pins(lock)
    assert list(audit.text_faults(lock)) == []


def test_every_licence_is_allowed() -> None:
    assert list(audit.licence_faults()) == []


def test_installed_versions_are_those_locked() -> None:
    locked = audit.pins(audit.DEV)
    assert {name: metadata.version(name) for name in locked} == locked


def test_an_installation_has_dnslib_and_no_second_dns_library() -> None:
    """dnspython reads in the tests what we write with dnslib."""
    assert "dnslib" in audit.pins(audit.RUNTIME)
    assert "dnspython" not in audit.pins(audit.RUNTIME)
    assert "dnspython" in audit.pins(audit.DEV)
