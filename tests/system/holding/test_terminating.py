"""`--serve-terminating` with a real API and its controllers: what they write when Pods end."""

from __future__ import annotations

import pytest

from harness.grpcdns import Grpcdns
from harness.objects import pod
from harness.waiting import wait_until
from tests.system.holding.pods import IPS, Setup

pytestmark = [pytest.mark.servers, pytest.mark.slow]

NEW = "172.17.9.3"


def test_the_last_pods_end_in_order_and_new_ones_follow(setup: Setup) -> None:
    """A rollout with strategy Recreate."""
    kubelet = setup.cluster.kubelet
    with Grpcdns(*setup.options, "--serve-terminating") as ours:
        setup.wait(ours, 5, *IPS)
        kubelet.terminate(setup.pods[0])
        setup.wait(ours, 5, IPS[1])
        kubelet.terminate(setup.pods[1])
        setup.wait(ours, 5, *IPS)
        meta = setup.pods[0]["metadata"]
        made = pod("db-2", namespace=meta["namespace"], labels=meta["labels"])
        kubelet.run(made, [NEW])
        setup.wait(ours, 5, NEW)
        kubelet.remove(made)
        setup.wait(ours, 5, *IPS)
        for one in setup.pods:
            kubelet.remove(one)
        wait_until(lambda: setup.is_empty(ours), "empty")


def test_pods_that_fail_before_they_end_are_not_served(setup: Setup) -> None:
    """They are terminating, but not serving."""
    kubelet = setup.cluster.kubelet
    with Grpcdns(*setup.options, "--serve-terminating") as ours:
        setup.wait(ours, 5, *IPS)
        kubelet.set_ready(setup.pods[0], False)
        for one in setup.pods:
            kubelet.terminate(one)
        setup.wait(ours, 5, IPS[1])


@pytest.mark.parametrize("options", [(), ("--hold-empty", "5m")], ids=["neither", "hold-empty"])
def test_without_the_option_they_are_not_served(setup: Setup, options: tuple[str, ...]) -> None:
    with Grpcdns(*setup.options, *options) as ours:
        setup.wait(ours, 5, *IPS)
        for one in setup.pods:
            setup.cluster.kubelet.terminate(one)
        wait_until(lambda: setup.is_empty(ours), "empty")


def test_with_hold_empty_what_is_terminating_is_served_and_not_held(setup: Setup) -> None:
    with Grpcdns(*setup.options, "--serve-terminating", "--hold-empty", "5m") as ours:
        setup.wait(ours, 5, *IPS)
        for one in setup.pods:
            setup.cluster.kubelet.terminate(one)
        setup.wait(ours, 5, *IPS)
        assert setup.held() == 0
