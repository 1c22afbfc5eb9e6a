"""The memory that preflight predicts, against what the benchmarks measured."""

from __future__ import annotations

import gc
import json
import tracemalloc
from collections.abc import Iterator
from statistics import median

import pytest

from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import Kind, Pod, key_of, pack
from grpcdns.preflight.size import SUPERVISOR_MB, WORKER_BYTES, Counts, expected_mb
from harness.paths import ROOT

GROWTH = json.loads((ROOT / "docs" / "benchmarks" / "growth.json").read_text())["samples"]
SIZES = sorted({int(one["case"]) for one in GROWTH})


def measured_mb(services: int) -> float:
    """Feed and two workers, every name asked, from the table Growth; and the supervisor."""
    found = [
        one["pss"]
        for one in GROWTH
        if one["case"] == str(services) and one["server"].startswith("grpcdns") and "pss" in one
    ]
    return float(median(found)) + SUPERVISOR_MB


@pytest.mark.parametrize("services", SIZES)
def test_prediction_for_the_measured_sizes(services: int) -> None:
    counts = Counts(services, services, 10 * services, 0)
    assert expected_mb(counts, 2) == pytest.approx(measured_mb(services), rel=0.15)


def pods(count: int) -> Iterator[Pod]:
    for n in range(count):
        name = f"web-{n // 50}-7d9c8b6f5-{n % 97:05d}"
        yield Pod(f"ns-{n % 50}", name, f"10.{n >> 8}.{n & 255}.1")


def test_a_pod_costs_a_worker_about_what_an_endpoint_does() -> None:
    count = 20_000
    index = Index(frozenset({Kind.POD}))
    gc.collect()
    tracemalloc.start()
    try:
        entries = [(key_of(pod), pack(pod)) for pod in pods(count)]
        index.apply_all(Kind.POD, entries, 0, set())
        del entries
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert 0.5 * WORKER_BYTES < held / count <= 1.1 * WORKER_BYTES
