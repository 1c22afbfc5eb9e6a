"""`--hold-empty` with a real API and its controllers: Pods fail, recover and are deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.grpcdns import Grpcdns
from harness.metrics import sample
from harness.waiting import wait_until
from tests.system.holding.pods import IPS, Setup

pytestmark = [pytest.mark.servers, pytest.mark.slow]


def test_probes_fail_and_recover(setup: Setup) -> None:
    with Grpcdns(*setup.options, "--hold-empty", "5m") as ours:
        setup.wait(ours, 5, *IPS)
        setup.cluster.kubelet.set_ready(setup.pods[0], False)
        setup.wait(ours, 5, IPS[1])
        setup.cluster.kubelet.set_ready(setup.pods[1], False)
        setup.wait(ours, 1, *IPS)
        assert setup.held() == 1
        setup.cluster.kubelet.set_ready(setup.pods[0], True)
        setup.wait(ours, 5, IPS[0])
        assert setup.held() == 0


def test_scaled_to_zero_is_followed(setup: Setup) -> None:
    """Pods that end in order: the API says that their endpoints are terminating."""
    with Grpcdns(*setup.options, "--hold-empty", "5m") as ours:
        setup.wait(ours, 5, *IPS)
        for one in setup.pods:
            setup.cluster.kubelet.terminate(one)
        wait_until(lambda: setup.is_empty(ours), "empty")
        for one in setup.pods:
            setup.cluster.kubelet.remove(one)
        setup.cluster.api.delete(setup.service)
        assert setup.is_empty(ours)
        assert setup.held() == 0


def test_pods_that_fail_and_are_deleted_then(setup: Setup) -> None:
    with Grpcdns(*setup.options, "--hold-empty", "5m") as ours:
        setup.wait(ours, 5, *IPS)
        setup.fail()
        setup.wait(ours, 1, *IPS)
        setup.cluster.kubelet.terminate(setup.pods[0])
        setup.wait(ours, 1, IPS[1])
        setup.cluster.kubelet.terminate(setup.pods[1])
        wait_until(lambda: setup.is_empty(ours), "empty")


def test_it_ends_after_its_time_and_a_restart_does_not_prolong_it(
    setup: Setup, tmp_path: Path
) -> None:
    options = (*setup.options, "--hold-empty", "12s", "--snapshot", tmp_path / "snapshot")
    with Grpcdns(*options) as ours:
        setup.wait(ours, 5, *IPS)
        setup.fail()
        setup.wait(ours, 1, *IPS)
    with Grpcdns(*options) as ours:
        wait_until(lambda: sample(setup.metrics, "grpcdns_restored_age_seconds") == 0, "live")
        setup.wait(ours, 1, *IPS)
        wait_until(lambda: setup.is_empty(ours), "empty", timeout=15)


def test_without_the_option_it_is_empty(setup: Setup) -> None:
    with Grpcdns(*setup.options) as ours:
        setup.wait(ours, 5, *IPS)
        setup.fail()
        wait_until(lambda: setup.is_empty(ours), "empty")


def test_a_service_that_is_deleted(setup: Setup) -> None:
    with Grpcdns(*setup.options, "--hold-empty", "5m") as ours:
        setup.wait(ours, 5, *IPS)
        setup.fail()
        setup.wait(ours, 1, *IPS)
        setup.cluster.api.delete(setup.service)
        wait_until(lambda: setup.is_empty(ours), "gone")
        assert setup.held() == 0
