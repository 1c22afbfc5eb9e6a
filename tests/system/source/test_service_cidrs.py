"""ServiceCIDRs of a real API: one outside ``--zones`` is noticed, ``--zones auto`` follows them.
Without the right to read them all is as before.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import dns.rcode
import pytest

from grpcdns.cli import main
from harness.accounts import READ_DNS, Rules
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.metrics import get, sample
from harness.objects import service_cidr
from harness.ports import Address, free_address
from harness.waiting import wait_until

pytestmark = [pytest.mark.servers, pytest.mark.slow]

ZONES: Final = "cluster.local,10.96.0.0/16,fd00:96::/112"
RULES: Final[Rules] = (
    *READ_DNS,
    {
        "apiGroups": ["networking.k8s.io"],
        "resources": ["servicecidrs"],
        "verbs": ["list", "watch"],
    },
)
OUTSIDE: Final = "grpcdns_service_networks_outside_zones"
API: Final = "1.0.96.10.in-addr.arpa."
"""The reverse name of the Service kubernetes, which every cluster has."""
ELSEWHERE: Final = "1.0.0.9.in-addr.arpa."


@pytest.fixture
def metrics() -> Address:
    return free_address()


@pytest.fixture(scope="module")
def kubeconfig(cluster: Cluster) -> str:
    return str(cluster.service_account_kubeconfig("cidrs", RULES))


@contextmanager
def added(cluster: Cluster, cidr: str) -> Iterator[None]:
    """A ServiceCIDR that was not there when the cluster was made."""
    made = cluster.api.create(service_cidr("added", cidr))
    try:
        yield
    finally:
        cluster.api.delete(made)


def rcodes(server: Grpcdns, name: str) -> set[str]:
    """Of a reverse name, from both workers."""
    return {dns.rcode.to_text(server.ask(name, "PTR", worker=worker).rcode()) for worker in (0, 1)}


def lines(server: Grpcdns, text: str) -> list[str]:
    return [line for line in server.process.log.read_text().splitlines() if text in line]


def assert_restored(cluster: Cluster, options: tuple[Any, ...], outside: str) -> None:
    """A start from the snapshot, while the API does not answer, has the networks: a reverse name
    outside them is refused."""
    cluster.apiserver.freeze()
    try:
        with Grpcdns(*options) as server:
            assert rcodes(server, API) == {"NOERROR"}
            wait_until(lambda: rcodes(server, outside) == {"REFUSED"}, "the networks, restored")
    finally:
        cluster.apiserver.thaw()


def test_one_outside_the_zones(cluster: Cluster, kubeconfig: str, metrics: Address) -> None:
    options: tuple[Any, ...] = ("--kubeconfig", kubeconfig, "--zones", ZONES)
    with Grpcdns(*options, "--upstream", "none", "--metrics", str(metrics)) as server:
        wait_until(lambda: OUTSIDE in get(metrics, "/metrics").body, "the networks are known")
        assert sample(metrics, OUTSIDE) == 0
        with added(cluster, "10.204.0.0/16"):
            wait_until(lambda: sample(metrics, OUTSIDE) == 1, "noticed")
            assert rcodes(server, "1.0.204.10.in-addr.arpa.") == {"REFUSED"}
            (line,) = lines(server, "not in --zones")
            assert "ServiceCIDR 10.204.0.0/16" in line
        wait_until(lambda: sample(metrics, OUTSIDE) == 0, "gone")
        assert len(lines(server, "not in --zones")) == 1


def test_auto_follows(cluster: Cluster, kubeconfig: str, tmp_path: Path) -> None:
    """Both workers, one that is new too; and after a start from a snapshot."""
    inside = "1.0.205.10.in-addr.arpa."
    options: tuple[Any, ...] = ("--kubeconfig", kubeconfig, "--zones", "auto", "--upstream", "none",
                                "--snapshot", tmp_path / "snapshot")  # fmt: skip
    with Grpcdns(*options) as server:
        assert rcodes(server, API) == {"NOERROR"}
        assert rcodes(server, inside) == {"REFUSED"}
        wait_until(lambda: lines(server, "--zones auto: reverse zones of"), "logged")
        (line,) = lines(server, "--zones auto: reverse zones of")
        assert "10.96.0.0/16, fd00:96::/112" in line
        assert "the zones of the Corefile's server block must have it" in line
        with added(cluster, "10.205.0.0/16"):
            wait_until(lambda: rcodes(server, inside) == {"NXDOMAIN"}, "followed")
            old = server.children()["worker 0"]
            os.kill(old, signal.SIGKILL)
            wait_until(lambda: server.children().get("worker 0", old) != old, "a new worker")
            wait_until(server.serving, "it serves")
            assert rcodes(server, inside) == {"NXDOMAIN"}
            assert rcodes(server, API) == {"NOERROR"}
            wait_until(lambda: lines(server, "ServiceCIDR 10.205.0.0/16"), "logged")
            (line,) = lines(server, "ServiceCIDR 10.205.0.0/16")
            assert "warning" in line
        wait_until(lambda: rcodes(server, inside) == {"REFUSED"}, "followed back")
    assert_restored(cluster, options, inside)


def test_commands_follow(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--zones", "auto", "--kubeconfig", str(cluster.admin_kubeconfig)]
    assert main(["zone", "96.10.in-addr.arpa", *options]) == 0
    assert f"{API} 5 IN PTR kubernetes.default.svc.cluster.local." in capsys.readouterr().out
    assert main(["explain", "1.0.206.10.in-addr.arpa", "PTR", *options]) == 1
    assert "REFUSED" in capsys.readouterr().out


def test_auto_by_a_reload(cluster: Cluster, kubeconfig: str, tmp_path: Path) -> None:
    """Followed from then on, and after a start from the snapshot that was written then."""
    file = tmp_path / "grpcdns.toml"
    file.write_text("zones = ['cluster.local']\n")
    options: tuple[Any, ...] = ("--kubeconfig", kubeconfig, "--config", file, "--upstream", "none",
                                "--snapshot", tmp_path / "snapshot")  # fmt: skip
    with Grpcdns(*options) as server:
        assert rcodes(server, API) == {"REFUSED"}
        file.write_text(f"zones = {ZONES.split(',')}\n")
        with added(cluster, "10.207.0.0/16"):
            wait_until(lambda: lines(server, "10.207.0.0/16 is not in --zones"), "noticed")
        file.write_text("zones = ['auto']\n")
        wait_until(lambda: lines(server, "--zones auto: reverse zones of"), "reloaded")
        wait_until(lambda: rcodes(server, ELSEWHERE) == {"REFUSED"}, "followed")
        assert rcodes(server, API) == {"NOERROR"}
    assert_restored(cluster, options, ELSEWHERE)


@pytest.mark.parametrize(
    ("zones", "elsewhere"), [(ZONES, "REFUSED"), ("auto", "NXDOMAIN")], ids=["networks", "auto"]
)
def test_without_the_right(cluster: Cluster, metrics: Address, zones: str, elsewhere: str) -> None:
    """With auto the zones are those of the default, in which every address is."""
    account = cluster.service_account_kubeconfig("no-cidrs")
    options: tuple[Any, ...] = ("--kubeconfig", account, "--zones", zones, "--upstream", "none")
    with Grpcdns(*options, "--metrics", str(metrics)) as server:
        refused = 'grpcdns_kubernetes_rest_client_requests_total{verb="list",code="403"}'
        wait_until(lambda: refused in get(metrics, "/metrics").body, "refused")
        wait_until(lambda: sample(metrics, refused) > 1, "refused again")
        assert rcodes(server, API) == {"NOERROR"}
        assert rcodes(server, ELSEWHERE) == {elsewhere}
        assert get(metrics, "/readyz?all").status == 200
        text = get(metrics, "/metrics").body
        (line,) = lines(server, "ServiceCIDR:")
    assert "not allowed to list and watch" in line
    assert "going on without" in line
    assert 'event="forbidden"' not in text
    assert OUTSIDE not in text
