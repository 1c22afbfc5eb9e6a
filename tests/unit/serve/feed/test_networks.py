"""What the feed logs and counts of ServiceCIDRs, once each."""

from __future__ import annotations

import logging

import pytest

from grpcdns.config.values import cluster_zones
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, ServiceCIDR, pack
from grpcdns.core.cluster.store import Store
from grpcdns.serve.feed.networks import ServiceNetworks


def policy(zones: str) -> Policy:
    return Policy(zones=cluster_zones(zones))


class World:
    """A Store of ServiceCIDRs, and what follows it."""

    def __init__(self, zones: str, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.INFO)
        self.store = Store()
        self.networks = ServiceNetworks(self.store, policy(zones))
        self._caplog = caplog

    def tick(self, **cidrs: str) -> list[str]:
        """The ServiceCIDRs are these, by name; returns the lines that are logged."""
        self._caplog.clear()
        bodies = [
            (f"/{name}", pack(ServiceCIDR("", name, tuple(texts.split(",")))))
            for name, texts in cidrs.items()
        ]
        self.store.replace(Kind.SERVICE_CIDR, bodies)
        for _ in range(3):
            self.networks.tick()
        return self.lines()

    def lines(self) -> list[str]:
        return [f"{one.levelname} {one.getMessage()}" for one in self._caplog.records]


def test_one_outside_the_zones(caplog: pytest.LogCaptureFixture) -> None:
    world = World("cluster.local,10.96.0.0/12", caplog)
    assert (world.tick(), world.networks.outside) == ([], None)
    assert (world.tick(a="10.96.0.0/16"), world.networks.outside) == ([], 0)
    (line,) = world.tick(a="10.96.0.0/16", b="10.200.0.0/16,10.100.0.0/16")
    assert line.startswith("WARNING ServiceCIDR 10.200.0.0/16 is not in --zones: PTR")
    assert "Corefile" in line
    assert world.networks.outside == 1
    assert world.tick(a="10.96.0.0/16", b="10.200.0.0/16,10.101.0.0/16") == []
    assert (world.tick(a="10.96.0.0/16"), world.networks.outside) == ([], 0)
    assert len(world.tick(b="10.200.0.0/16")) == 1, "it is back"


def test_a_network_that_is_partly_inside(caplog: pytest.LogCaptureFixture) -> None:
    world = World("cluster.local,10.96.0.0/16", caplog)
    (line,) = world.tick(a="10.96.0.0/12")
    assert "10.96.0.0/12 is not in --zones" in line


def test_new_zones(caplog: pytest.LogCaptureFixture) -> None:
    world = World("cluster.local,10.96.0.0/16", caplog)
    world.tick(a="10.200.0.0/16")
    assert world.networks.outside == 1
    caplog.clear()
    world.networks.use(policy("cluster.local,10.200.0.0/16"))
    assert (world.lines(), world.networks.outside) == ([], 0)
    world.networks.use(policy("cluster.local,10.96.0.0/16"))
    assert (len(world.lines()), world.networks.outside) == (1, 1)


def test_auto_says_what_the_corefile_must_have(caplog: pytest.LogCaptureFixture) -> None:
    world = World("auto", caplog)
    (line,) = world.tick(a="10.96.0.0/16")
    assert line.startswith("INFO --zones auto: reverse zones of ServiceCIDR 10.96.0.0/16")
    (line,) = world.tick(a="10.96.0.0/16", b="10.200.0.0/16")
    assert line.startswith("WARNING --zones auto: reverse zones of ServiceCIDR 10.200.0.0/16")
    assert "the Corefile's server block" in line
    assert world.networks.outside == 0
    assert world.tick(b="10.200.0.0/16") == []
