"""The load generator, and the lane's echo as its target."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import load, servers
from harness.fixtures import built


@pytest.fixture(scope="session")
def generator() -> Path:
    return built(load.binary)


@pytest.fixture(scope="module")
def echo(generator: Path) -> Iterator[servers.Server]:
    assert generator.exists()
    with servers.echo() as running:
        yield running


@pytest.fixture
def names(tmp_path: Path) -> Path:
    path = tmp_path / "names"
    path.write_text("".join(f"name-{number}.example. A\n" for number in range(50)))
    return path
