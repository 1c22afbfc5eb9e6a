"""The memory that a relist of everything costs: the peak is below 1.5 times the steady state.

`make soak` runs it with ``SOAK_SIZE=10000``: 10,000 Services, 100,000 endpoints.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bench import usage
from bench.fill import fill
from harness.cluster import Cluster
from harness.metrics import sample
from harness.objects import port, service
from harness.waiting import wait_until
from harness.wire import Wire
from tests.system.faults.test_api import Away

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SIZE = int(os.environ.get("SOAK_SIZE", "1000"))
LISTS = 'grpcdns_kubernetes_events_total{event="list",kind="endpoint_slice"}'


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    fill(own_cluster, SIZE)
    return own_cluster


def test_a_relist_peaks_below_one_and_a_half_of_the_steady_state(cluster: Cluster) -> None:
    """An object changes while the link is cut, and the API server is restarted: it does not know
    of the change as an event, so every watch is too old (410)."""
    with Wire(cluster.address) as wire:
        away = Away(cluster, wire)
        with away.grpcdns() as grpcdns:
            children = grpcdns.children()
            assert set(children) == {"feed", "worker 0", "worker 1"}
            before = sample(away.metrics, LISTS)
            steady = {name: usage.memory([pid]).rss for name, pid in children.items()}
            for pid in children.values():
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak (VmHWM)
            wire.cut()
            cluster.api.create(service("meanwhile", ports=[port(80)]))
            cluster.apiserver.kill()
            cluster.start_apiserver()
            wire.mend()
            wait_until(lambda: sample(away.metrics, LISTS) > before, "a relist", timeout=90)
            print()
            for name, pid in children.items():
                peak = usage.memory([pid]).peak
                ratio = peak / steady[name]
                print(f"{name}: {steady[name]:.1f} MB, peak {peak:.1f} MB, {ratio:.2f} times")
                assert ratio < 1.5
            assert grpcdns.children() == children
