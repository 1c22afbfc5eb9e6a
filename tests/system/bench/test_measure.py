"""Every measurement runs on a small cluster, and its table has a row for each server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench import report, servers
from bench import setup as setups
from bench.measure import growth
from bench.samples import Results
from harness.fixtures import skip_unless_built

pytestmark = [pytest.mark.servers, pytest.mark.slow]

SIZE = 100


@pytest.fixture(scope="module")
def setup() -> Iterator[setups.Setup]:
    for fixture in ("own_cluster", "coredns"):
        skip_unless_built(fixture)
    with setups.make(SIZE, 1, 0.3) as made:
        yield made


@pytest.mark.parametrize("name", [one for one in report.MEASUREMENTS if one != "growth"])
def test_measurement(name: str, setup: setups.Setup) -> None:
    module = report.module_of(name)
    results: Results = module.measure(setup)
    _complete(name, results, module.table(results))


def test_growth(setup: setups.Setup) -> None:
    results = growth.measure(setup, (SIZE,))
    _complete("growth", results, growth.table(results))
    assert results.servers() == [servers.OURS_2, servers.COREDNS]


def _complete(name: str, results: Results, table: str) -> None:
    assert results.name == name
    assert results.samples
    assert all(value == value for one in results.samples for value in one.values.values())
    for server in results.servers():
        assert server in table or server == name
    assert Results.from_json(results.to_json()).samples == results.samples
