"""Harm at the gRPC edge of a real worker: it stays up and small, and honest callers are served."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.harness.waiting import wait_until
from tests.hostile.abuse import HOW
from tests.hostile.worker import Worker, abused

pytestmark = pytest.mark.slow

SECONDS = 2.0
SLOWER = 3.0
"""How much the honest p99 may grow; from `FLOOR` on, under which the machine's own noise is."""
FLOOR = 0.005
MEMORY = 160
"""MiB that harm may cost while it lasts, and what may stay: allocators keep some."""
DESCRIPTORS = 600
"""512 connections may be open, and what a worker has of its own."""


@pytest.fixture(scope="module", params=["lane", "threads"])
def worker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    with Worker.run(tmp_path_factory.mktemp("edge"), request.param) as running:
        running.p99(0.5)
        yield running


@pytest.mark.parametrize("how", HOW)
def test_harm_is_bounded(worker: Worker, how: str) -> None:
    rss, descriptors = worker.rss, worker.descriptors
    calm = worker.p99(SECONDS)
    with abused(worker, how):
        beside = worker.p99(SECONDS)
        at_most = worker.rss, worker.descriptors
    print(f"{how}: p99 {calm * 1e3:.2f} -> {beside * 1e3:.2f} ms, rss {rss} -> {at_most[0]} MiB, "
          f"{descriptors} -> {at_most[1]} descriptors")  # fmt: skip
    assert worker.same, "the worker was restarted"
    assert at_most[0] <= rss + MEMORY
    assert at_most[1] <= DESCRIPTORS
    assert beside <= SLOWER * max(calm, FLOOR)
    wait_until(
        lambda: worker.descriptors <= descriptors + 3, "its connections are closed", timeout=15
    )
    worker.p99(0.1)
