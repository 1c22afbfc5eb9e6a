"""The Corefile that is written: its networks and its TLS line."""

from __future__ import annotations

import pytest

from grpcdns.corefile.cache import Names
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.traps.trap import Backend
from grpcdns.corefile.write import Plan, merge_networks, pod_networks, write_corefile
from harness.paths import ROOT


@pytest.mark.parametrize(
    ("nodes", "network"),
    [
        (["10.244.0.0/24", "10.244.7.0/24"], "10.244.0.0/16"),
        (["10.0.0.0/24", "10.1.0.0/24"], "10.0.0.0/15"),
        (["10.0.0.0/12"], "10.0.0.0/12"),
        (["fd00:1::/64", "fd00:1:0:1::/64"], "fd00:1::/56"),
    ],
)
def test_pod_networks(nodes: list[str], network: str) -> None:
    assert pod_networks(nodes) == (network,)


def test_a_network_inside_another_is_dropped() -> None:
    """CoreDNS does not start when a zone is listed twice."""
    assert merge_networks(["10.0.0.0/8", "10.96.0.0/12", "fd00::/64", "10.0.0.0/8"]) == (
        "10.0.0.0/8",
        "fd00::/64",
    )


def test_tls_is_written() -> None:
    plan = Plan(
        zones=("c.local",), sockets=("192.0.2.1:5301", "192.0.2.1:5302"), tls=("a", "b", "c")
    )
    assert "        tls a b c\n" in write_corefile(plan)


def test_the_shipped_corefile_is_what_is_written() -> None:
    """deploy/kubeadm/Corefile, but for its comments."""
    plan = Plan(
        zones=("cluster.local",),
        services=("10.96.0.0/12",),
        pods=("10.244.0.0/16",),
        sockets=("unix:///run/grpcdns/0.sock", "unix:///run/grpcdns/1.sock"),
    )
    shipped = (ROOT / "deploy" / "kubeadm" / "Corefile").read_text()
    assert code(write_corefile(plan)) == code(shipped)


def test_the_cache_has_room_for_the_names() -> None:
    """The comment says which number, and when it was counted."""
    plan = Plan(
        zones=("c.local",), sockets=("unix:///a", "unix:///b"), names=Names(16000, "counted then")
    )
    text = write_corefile(plan)
    assert "    # Room for 16,000 names: counted then.\n" in text
    assert "        success 20224 30 0\n        denial 20224 30 0\n" in text
    found = check_corefile(text, backend=Backend(16000, adaptive=True))
    assert {one.trap.name for one in found} == {"no-reverse"}


def code(corefile: str) -> list[str]:
    return [line for line in corefile.splitlines() if not line.strip().startswith("#")]
