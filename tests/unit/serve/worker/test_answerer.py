"""Programming latency: facts about the plugin, each with its id (pl). It is measured where a
Change carries its trigger time."""

from __future__ import annotations

import time
from typing import Final

import msgspec
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointSlice,
    Port,
    Service,
)
from grpcdns.serve.worker.answerer import Answerer
from tests.unit.core.making import change

SVC: Final = Service("ns", "s", cluster_ips=("10.0.0.1",), ports=(Port("test1", "TCP", 80),))
HEADLESS: Final = msgspec.structs.replace(SVC, cluster_ips=("None",))
POINT: Final = Endpoint(("10.0.0.1",), True, "host", "", "a")
SLICE: Final = EndpointSlice(
    "ns", "e", "s", endpoints=(POINT,), ports=(Port("http", "TCP", 80),), imported_service="",
)  # fmt: skip


@pytest.mark.parametrize(
    ("service", "triggered", "observed"),
    [
        pytest.param(HEADLESS, True, {"headless_with_selector": 1}, id="pl-01"),
        pytest.param(SVC, True, {"cluster_ip": 1}, id="pl-02"),
        pytest.param(HEADLESS, False, {}, id="pl-03"),
        pytest.param(SVC, False, {}, id="pl-04"),
        pytest.param(None, True, {}, id="pl-05"),
    ],
)  # fmt: skip
def test_programming_latency(
    service: Service | None, triggered: bool, observed: dict[str, int]
) -> None:
    answerer = Answerer(Policy(), "")
    if service is not None:
        answerer.apply(change(service))
    answerer.apply(change(SLICE, triggered=time.time() - 1 if triggered else 0.0))
    counts = {
        labels.split('"')[1]: value
        for name, labels, value in answerer.samples()
        if name == "kubernetes_dns_programming_duration_seconds_count" and value
    }
    assert counts == observed
