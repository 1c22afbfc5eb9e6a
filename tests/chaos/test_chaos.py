"""Two minutes of chaos, by fixed seeds; and the checker can fail: it finds each planted fault."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cluster import Cluster
from harness.fixtures import skip_unless_built
from tests.chaos.history import History
from tests.chaos.planted import PLANTS, Plant
from tests.chaos.runs import Options, run
from tests.chaos.truth import STORE_JSON
from tests.chaos.world import World

pytestmark = [pytest.mark.slow, pytest.mark.servers, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """One that stores what `truth` can read."""
    for fixture in ("cluster", "coredns"):
        skip_unless_built(fixture)
    with Cluster(apiserver_flags=STORE_JSON) as running:
        yield running


def _in(cluster: Cluster, plant: str = "") -> Callable[[History], World]:
    return lambda history: World(history, cluster, plant=plant)


# Together they have most kinds of faults; `etcd restored` alone takes too long.
@pytest.mark.parametrize("seed", [29, 221])
def test_every_answer_was_true(cluster: Cluster, tmp_path: Path, seed: int) -> None:
    path = tmp_path / "history.jsonl"
    verdict = run(Options(seed=seed, seconds=45, burst=400), path, world=_in(cluster))
    assert not verdict.violations, f"{path}\n" + "\n".join(map(str, verdict.violations))
    assert verdict.answers > 20_000
    assert verdict.unchecked < verdict.answers / 1000
    assert sum(verdict.faults.values()) > 5


@pytest.mark.parametrize("plant", PLANTS.values(), ids=PLANTS)
def test_a_planted_fault_is_found(cluster: Cluster, tmp_path: Path, plant: Plant) -> None:
    path = tmp_path / "history.jsonl"
    options = Options(seconds=4, rate=6.0, compare=False)
    world = _in(cluster, plant.code)
    verdict = run(options, path, world=world, planned=plant.schedule())
    assert plant.found & verdict.counts.keys(), verdict.counts
