"""Harm at the gRPC edge of a real worker: it stays up and small, and honest callers are served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.waiting import wait_until
from tests.system.hostile.abuse import HOW
from tests.system.hostile.worker import SPARE, Worker, abused

pytestmark = pytest.mark.slow

SECONDS = 1.0
SLOWER = 3.0
"""How much the honest p99 may grow; from `FLOOR` on, under which the machine's own noise is."""
FLOOR = 0.005 if SPARE else 0.025
MEMORY = 160
"""MiB that harm may cost while it lasts, and what may stay: allocators keep some."""
DESCRIPTORS = 350
"""256 connections may be open, and what a worker has of its own."""


THREADLESS = {"streams_left", "slow_writers", "rapid_reset"}
"""Harm that `--transport threads` cannot stand: grpcio gives each call a thread before its message
is there. Such a worker answers nobody, its supervisor ends it, and the next is up in a moment
(SECURITY.md)."""


@pytest.fixture(params=["lane", "threads"])
def worker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Worker]:
    with Worker.run(tmp_path, request.param) as running:
        yield running


@pytest.mark.parametrize("how", HOW)
def test_harm_is_bounded(worker: Worker, how: str) -> None:
    if worker.transport == "threads" and how in THREADLESS:
        with abused(worker, how):
            wait_until(lambda: worker.old > SECONDS, "harm has been done", timeout=30)
        wait_until(worker.grpcdns.serving, "it, or the next worker, serves", timeout=30)
        return
    with worker.caller() as caller:
        caller.p99(0.3)
        rss, descriptors = worker.rss, worker.descriptors
        calm = caller.p99(SECONDS)
        with abused(worker, how):
            beside = caller.p99(SECONDS)
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
    with worker.caller() as caller:
        caller.p99(0.1)
