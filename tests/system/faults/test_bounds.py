"""What a relist of everything costs in memory: at most half as much again as the steady state.

``SOAK_SIZE=10000`` is the real thing (`make soak`): 10,000 Services, 100,000 endpoints.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.fill import fill
from harness.cluster import Cluster
from harness.fixtures import skip_unless_built
from harness.objects import port, service
from harness.waiting import wait_until
from harness.wire import Wire
from tests.system.faults.test_api import Away

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SIZE = int(os.environ.get("SOAK_SIZE", "1000"))
LISTS = 'grpcdns_kubernetes_events_total{event="list",kind="endpoint_slice"}'


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    skip_unless_built("cluster")
    with Cluster(controllers=False) as running:
        fill(running, SIZE)
        yield running


def _memory(pid: int, field: str) -> float:
    """A field of /proc/PID/status, MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) / 1024
    raise AssertionError(field)


def test_a_relist_peaks_below_one_and_a_half_of_the_steady_state(cluster: Cluster) -> None:
    """F15. Something changes while the link is cut, and the API server, started anew, does not
    remember it as a change: every watch is too old (410)."""
    with Wire(cluster.address) as wire:
        away = Away(cluster, wire)
        with away.grpcdns() as grpcdns:
            children = grpcdns.children()
            assert set(children) == {"feed", "worker 0", "worker 1"}
            before = away.metric(LISTS)
            steady = {name: _memory(pid, "VmRSS") for name, pid in children.items()}
            for pid in children.values():
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # VmHWM begins anew
            wire.cut()
            cluster.api.create(service("meanwhile", ports=[port(80)]))
            cluster.apiserver.kill()
            cluster.start_apiserver()
            wire.mend()
            wait_until(lambda: away.metric(LISTS) > before, "a relist", timeout=90)
            print()
            for name, pid in children.items():
                peak = _memory(pid, "VmHWM")
                ratio = peak / steady[name]
                print(f"{name}: {steady[name]:.1f} MB, peak {peak:.1f} MB, {ratio:.2f} times")
                assert ratio < 1.5
            assert grpcdns.children() == children
