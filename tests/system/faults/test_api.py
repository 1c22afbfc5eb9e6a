"""The API is unreachable, freezes, returns with fewer objects: what is served, and what the metrics
say."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest

from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.grpcdns import Grpcdns
from harness.metrics import sample
from harness.objects import endpoint_slice, port, service
from harness.ports import free_address
from harness.steady import Questions, Steady
from harness.waiting import wait_until
from harness.wire import Wire

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "5"))
SVC = ".default.svc.cluster.local."
KEPT: Questions = {(f"kept{SVC}", "A"): frozenset({"10.96.1.1"})}


class Away:
    """A cluster whose API is behind a wire, and the options to run grpcdns on it."""

    def __init__(self, cluster: Cluster, wire: Wire) -> None:
        self.cluster = cluster
        self.wire = wire
        self.metrics = free_address()
        text = cluster.service_account_kubeconfig("grpcdns").read_text()
        self.kubeconfig = cluster.folder / "through-the-wire.kubeconfig"
        self.kubeconfig.write_text(text.replace(str(cluster.address), str(wire.address)))

    def grpcdns(self, *options: str | Path) -> Grpcdns:
        return Grpcdns("--kubeconfig", self.kubeconfig, "--metrics", str(self.metrics), *options)

    def metric(self, name: str) -> float:
        """A sample of grpcdns, by its name and labels."""
        return sample(self.metrics, name)


@pytest.fixture(scope="module")
def cluster(own_cluster: Cluster) -> Cluster:
    own_cluster.api.create(service("kept", ports=[port(80)], cluster_ips=["10.96.1.1"]))
    return own_cluster


@pytest.fixture
def away(cluster: Cluster) -> Iterator[Away]:
    with Wire(cluster.address) as wire:
        yield Away(cluster, wire)


def _created(cluster: Cluster, name: str, ip: str) -> dict[str, object]:
    return cluster.api.create(service(name, ports=[port(80)], cluster_ips=[ip]))


def test_an_outage_changes_no_answer_and_what_went_meanwhile_is_gone(
    away: Away, coredns: Callable[..., CoreDNS]
) -> None:
    """The link to the API is cut; meanwhile one object is deleted and one is created."""
    doomed = _created(away.cluster, "doomed", "10.96.1.2")
    with away.grpcdns() as grpcdns:
        front = coredns(f". {{\nerrors\n{grpcdns.grpc_block}\n}}")
        wait_until(lambda: grpcdns.ask(f"doomed{SVC}").answer, "the Service")
        away.wire.cut()
        with Steady(front.address, KEPT) as steady:
            wait_until(lambda: away.metric("grpcdns_kubernetes_api_up") == 0, "the metric: away")
            away.cluster.api.delete(doomed)
            newcomer = _created(away.cluster, "newcomer", "10.96.1.3")
            end = time.monotonic() + SECONDS
            wait_until(lambda: time.monotonic() > end, "the outage's length", timeout=SECONDS + 1)
            staleness = away.metric('grpcdns_kubernetes_last_event_seconds{kind="service"}')
            assert staleness >= SECONDS
            assert section(grpcdns.ask(f"doomed{SVC}")), "an outage deletes nothing"
            assert grpcdns.serving()
            away.wire.mend()
            wait_until(lambda: grpcdns.ask(f"newcomer{SVC}").answer, "the new", timeout=70)
            for worker in (0, 1):
                wait_until(
                    lambda w=worker: ask_rcode(grpcdns, f"doomed{SVC}", w) == 3,  # type: ignore[misc]
                    "the deleted name gone",
                )
        assert not steady.report().failed, steady.report()
        assert away.metric("grpcdns_kubernetes_api_up") == 1
        away.cluster.api.delete(newcomer)


def ask_rcode(grpcdns: Grpcdns, qname: str, worker: int = 0) -> int:
    return int(grpcdns.ask(qname, worker=worker).rcode())


@pytest.mark.parametrize("part", ["apiserver", "etcd"])
def test_killed_and_restarted_parts_of_the_control_plane(away: Away, part: str) -> None:
    """grpcdns neither exits nor restarts, and follows later changes."""
    with away.grpcdns() as grpcdns:
        children = grpcdns.children()
        getattr(away.cluster, part).kill()
        assert section(grpcdns.ask(f"kept{SVC}")) == [f"kept{SVC} 5 IN A 10.96.1.1"]
        getattr(away.cluster, f"start_{part}")()
        name, ip = f"after-{part}", "10.96.1.4"
        made = wait_until(lambda: _created(away.cluster, name, ip), "the API takes objects")
        wait_until(lambda: grpcdns.ask(f"{name}{SVC}").answer, "what came after", timeout=70)
        assert grpcdns.children() == children
        away.cluster.api.delete(made)


def test_a_frozen_apiserver_and_its_return(away: Away) -> None:
    with away.grpcdns() as grpcdns:
        away.cluster.apiserver.freeze()
        try:
            assert section(grpcdns.ask(f"kept{SVC}"))
        finally:
            away.cluster.apiserver.thaw()
        made = _created(away.cluster, "thawed", "10.96.1.5")
        wait_until(lambda: grpcdns.ask(f"thawed{SVC}").answer, "what came after", timeout=70)
        away.cluster.api.delete(made)


def test_away_at_the_start_is_servfail_and_never_nxdomain(
    away: Away, coredns: Callable[..., CoreDNS]
) -> None:
    """Not ready, UNAVAILABLE, SERVFAIL at the client; until the API is there."""
    away.wire.cut()
    ours = away.grpcdns("--startup-timeout", "1s")
    with ours.start(ready=False) as grpcdns:
        front = coredns(f". {{\nerrors\n{grpcdns.grpc_block}\n}}")
        wait_until(lambda: grpcdns.health() == b"\x08\x02", "NOT_SERVING")
        for name in (f"kept{SVC}", f"nothing{SVC}", "cluster.local."):
            assert ask(front.address, name).rcode() == 2
            with pytest.raises(grpc.RpcError) as ended:
                grpcdns.ask(name)
            assert ended.value.code() is grpc.StatusCode.UNAVAILABLE
        away.wire.mend()
        wait_until(grpcdns.serving, "ready", timeout=70)
        assert section(grpcdns.ask(f"kept{SVC}"))


def test_a_snapshot_answers_while_the_api_is_away(away: Away, tmp_path: Path) -> None:
    """Ready without the API, with capped TTLs; then reconciled by a diff."""
    snapshot = tmp_path / "snapshot"
    doomed = _created(away.cluster, "doomed", "10.96.1.2")
    with away.grpcdns("--snapshot", snapshot, "--ttl", "300") as grpcdns:
        wait_until(lambda: grpcdns.ask(f"doomed{SVC}").answer, "the Service")
    assert snapshot.stat().st_mode & 0o777 == 0o600
    away.wire.cut()
    away.cluster.api.delete(doomed)
    again = away.grpcdns("--snapshot", snapshot, "--ttl", "300")
    with again.start() as grpcdns:
        ttl = int(section(grpcdns.ask(f"kept{SVC}"))[0].split()[1])
        assert 0 < ttl <= 30
        assert grpcdns.ask(f"doomed{SVC}").answer
        assert "snapshot" in grpcdns.process.log_text
        # The workers need no feed for this: they may be there before it is.
        wait_until(lambda: away.metric("grpcdns_restored_age_seconds") > 0, "the feed's metrics")
        away.wire.mend()
        wait_until(lambda: ask_rcode(grpcdns, f"doomed{SVC}") == 3, "reconciled", timeout=70)
        live = [f"kept{SVC} 300 IN A 10.96.1.1"]
        wait_until(lambda: section(grpcdns.ask(f"kept{SVC}")) == live, "the TTL of live data")
        assert away.metric("grpcdns_restored_age_seconds") == 0


@pytest.mark.parametrize("option", ["zones", "endpoint-pod-names"])
def test_a_snapshot_is_that_of_the_reloaded_options(
    away: Away, tmp_path: Path, option: str
) -> None:
    """Zones change nothing of what is kept; Pods' names are listed first."""
    snapshot, file = tmp_path / "snapshot", tmp_path / "grpcdns.toml"
    points = [{"addresses": ["10.244.1.7"], "targetRef": {"kind": "Pod", "name": "one"}}]
    ports = [port(80, "http")]
    db = away.cluster.api.create(service(f"db-{option}", headless=True, ports=ports))
    made = endpoint_slice(f"db-{option}-a", f"db-{option}", points, ports)
    away.cluster.api.create(made)
    changed = {"zones": 'zones = "example.test"', "endpoint-pod-names": "endpoint-pod-names = true"}
    name = {
        "zones": "db-zones.default.svc.example.test.",
        "endpoint-pod-names": f"one.db-endpoint-pod-names{SVC}",
    }[option]
    file.write_text("ttl = 7\n")
    options = ("--snapshot", snapshot, "--config", file)
    with away.grpcdns(*options) as grpcdns:
        wait_until(snapshot.exists, "the snapshot")
        file.write_text(f"{changed[option]}\n")
        wait_until(lambda: ask_rcode(grpcdns, name) == 0, "the new options")
    away.wire.cut()
    with away.grpcdns(*options).start(timeout=20) as grpcdns:
        assert section(grpcdns.ask(name))
    for obj in (made, db):
        away.cluster.api.delete(obj)


@pytest.mark.parametrize("what", ["torn", "foreign", "empty"])
def test_a_snapshot_that_cannot_be_used_is_ignored_with_one_line(
    away: Away, tmp_path: Path, what: str
) -> None:
    snapshot = tmp_path / "snapshot"
    with away.grpcdns("--snapshot", snapshot) as grpcdns:
        wait_until(snapshot.exists, "the snapshot")
    text = snapshot.read_bytes()
    snapshot.write_bytes({"torn": text[:-7], "foreign": b"PNG" + text, "empty": b""}[what])
    away.wire.cut()
    with away.grpcdns("--snapshot", snapshot).start(ready=False) as grpcdns:
        wait_until(lambda: grpcdns.health() == b"\x08\x02", "NOT_SERVING")
        wait_until(lambda: str(snapshot) in grpcdns.process.log_text, "a line that names it")
        assert grpcdns.process.log_text.count(str(snapshot)) == 1
