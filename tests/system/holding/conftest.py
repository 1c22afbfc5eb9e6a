"""The Service and its Pods, new for each test."""

from __future__ import annotations

import pytest

from harness.cluster import Cluster
from harness.ports import free_address
from tests.system.holding.pods import Setup


@pytest.fixture
def setup(cluster: Cluster, namespace: str) -> Setup:
    return Setup(cluster, namespace, free_address())
