"""The labels of endpoints: facts about the plugin, each with its id (un)."""

from __future__ import annotations

from typing import Final

import pytest

from grpcdns.core.cluster.endpoints import endpoint_label
from grpcdns.core.cluster.objects import (
    Endpoint,
)

_SIX: Final = "2001:db8:3333:4444:5555:6666:7777:8888"


@pytest.mark.parametrize(
    ("ip", "hostname", "pod", "pod_names", "label"),
    [
        pytest.param("10.11.12.13", "", "", False, "10-11-12-13", id="un-01"),
        pytest.param("10.11.12.13", "epname", "", False, "epname", id="un-02"),
        pytest.param("10.11.12.13", "", "hello-abcde", False, "10-11-12-13", id="un-03"),
        pytest.param("10.11.12.13", "epname", "hello-abcde", False, "epname", id="un-04"),
        pytest.param("10.11.12.13", "epname", "hello-abcde", True, "epname", id="un-05"),
        pytest.param("10.11.12.13", "", "hello-abcde", True, "hello-abcde", id="un-06"),
        pytest.param(_SIX, "", "", False, _SIX.replace(":", "-"), id="un-07"),
        pytest.param("2001:db8:3333:4444:5555:6666::", "", "", False,
                     "2001-db8-3333-4444-5555-6666--0", id="un-08"),
        pytest.param("10.11.12.13", "a.b", "", False, "10-11-12-13", id="dotted-hostname"),
        pytest.param("10.11.12.13", "a.b", "hello", True, "hello", id="dotted-hostname-of-a-pod"),
    ],
)  # fmt: skip
def test_endpoint_name(ip: str, hostname: str, pod: str, pod_names: bool, label: str) -> None:
    assert endpoint_label(Endpoint((ip,), True, hostname, pod), ip, pod_names) == label
