"""Each alert fires in the incident that it names, and no other alert does.

The series are recorded from a running product while the incident happens. A recording lasts
seconds, a rule looks at minutes: each scrape is held for as long as the rule needs, and an age goes
on growing with the time. Prometheus's own rule engine evaluates the rules.
"""

from __future__ import annotations

import os
import re
import signal
import time
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import grpc
import pytest
import yaml

from grpcdns.cli import main
from grpcdns.serve.worker.transport.packet import to_wire
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.metrics import get, sample
from harness.objects import endpoint_slice, namespace, port, service, service_cidr, write_list
from harness.paths import EXAMPLES, ROOT
from harness.ports import Address, free_address
from harness.waiting import wait_until
from harness.wire import Wire
from tests.conformance.reply import query
from tests.system.monitoring.promql import EVERY, Alert, Scrape, evaluate
from tests.system.monitoring.test_monitoring import FOLDER, alerts
from tests.transports import method

pytestmark = [pytest.mark.servers, pytest.mark.slow]

NAME: Final = "xecho.default.svc.cluster.local"
MINUTE: Final = 60.0
GROWING: Final = ("grpcdns_kubernetes_last_event_seconds", "grpcdns_restored_age_seconds")
_AGE: Final = re.compile(rf"^((?:{'|'.join(GROWING)})\S*) (\S+)$", re.M)


class Recording:
    """Scrapes of instances, in a time of their own that passes with ``hold``."""

    def __init__(self, promrules: Path) -> None:
        self.now = 0.0
        self._promrules = promrules
        self.scrapes: list[Scrape] = []

    def hold(self, minutes: float, **instances: str | None) -> None:
        """The instances give these texts for so long; ages in them grow with the time."""
        began, end = self.now, self.now + minutes * MINUTE
        while self.now < end:
            for instance, text in instances.items():
                aged = text and _aged(text, self.now - began)
                self.scrapes.append(Scrape(self.now, instance, aged))
            self.now += EVERY

    def evaluate(self) -> list[Alert]:
        return evaluate(self._promrules, FOLDER / "alerts.yaml", self.scrapes, self.now)


def _aged(text: str, seconds: float) -> str:
    """The text as it reads so much later, if nothing happens: an age of more than 0 has grown."""

    def grown(found: re.Match[str]) -> str:
        age = float(found[2])
        return f"{found[1]} {age + seconds if age else age}"

    return _AGE.sub(grown, text)


def _fired(found: list[Alert]) -> set[str]:
    assert all("error expanding template" not in str(one.annotations) for one in found)
    return {one.name for one in found if one.firing is not None}


@pytest.fixture
def recording(promrules: Path) -> Recording:
    return Recording(promrules)


@pytest.fixture
def metrics() -> Address:
    return free_address()


@pytest.fixture
def ours(metrics: Address) -> Iterator[Grpcdns]:
    """Serves manifests. No API, so nothing is stale here."""
    with Grpcdns("--manifests", EXAMPLES, "--metrics", str(metrics)) as running:
        yield running


def scrape(metrics: Address) -> str:
    """/metrics without the ages that only an API keeps young."""
    return get(metrics, "/metrics").body


def without_api(text: str) -> str:
    """Manifests send no bookmarks: docs/operations.md says to leave GrpcdnsStale out for them."""
    return re.sub(r"^grpcdns_kubernetes_last_event_seconds\S* \S+\n", "", text, flags=re.M)


def test_nothing_fires_while_all_is_well(
    recording: Recording, cluster: Cluster, metrics: Address
) -> None:
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics))
    with Grpcdns(*options, "--upstream", "none") as running:
        for _ in range(3):
            for worker in range(2):
                running.ask("kubernetes.default.svc.cluster.local", worker=worker)
                running.ask("not-there.default.svc.cluster.local", worker=worker)
            recording.hold(1, a=_young(scrape(metrics)))
        recording.hold(60, a=_young(scrape(metrics)))
    assert recording.evaluate() == []


def _young(text: str) -> str:
    """Bookmarks go on coming, as they do once a minute: the ages stay what they are."""
    return _AGE.sub(lambda found: f"{found[1]} 0", text)


@contextmanager
def workers_killed(ours: Grpcdns, *names: str) -> Iterator[None]:
    """The supervisor is stopped meanwhile: it would replace them within a second."""
    ours.process.freeze()
    try:
        for name in names:
            os.kill(ours.children()[name], signal.SIGKILL)
        yield
    finally:
        ours.process.thaw()
    wait_until(ours.serving, "serving again")


@pytest.mark.parametrize(
    ("killed", "alert", "severity"),
    [
        (("worker 0", "worker 1"), "GrpcdnsDown", "critical"),
        (("worker 1",), "GrpcdnsRedundancyLost", "warning"),
    ],
    ids=["both", "one"],
)
def test_workers_dead(
    recording: Recording,
    ours: Grpcdns,
    metrics: Address,
    killed: tuple[str, ...],
    alert: str,
    severity: str,
) -> None:
    recording.hold(5, a=without_api(scrape(metrics)))
    died = recording.now
    with workers_killed(ours, *killed):
        serving = 2 - len(killed)
        wait_until(
            lambda: sample(metrics, "grpcdns_workers_serving") == serving, "the feed has noticed"
        )
        recording.hold(10, a=without_api(scrape(metrics)))
    recovered = recording.now
    wait_until(lambda: sample(metrics, "grpcdns_workers_serving") == 2, "the feed has noticed")
    recording.hold(10, a=without_api(scrape(metrics)))
    found = recording.evaluate()
    assert _fired(found) == {alert}
    (one,) = (one for one in found if one.firing is not None)
    assert one.labels["severity"] == severity
    assert one.firing is not None
    assert one.resolved is not None
    assert died < one.firing <= died + 3 * MINUTE
    assert recovered <= one.resolved <= recovered + MINUTE


def test_everything_gone(recording: Recording, ours: Grpcdns, metrics: Address) -> None:
    recording.hold(5, a=without_api(scrape(metrics)))
    ours.process.kill()
    with pytest.raises((ConnectionError, urllib.error.URLError)):
        get(metrics, "/metrics")
    recording.hold(20, a=None)
    assert _fired(recording.evaluate()) == {"GrpcdnsTargetDown", "GrpcdnsAbsent"}


def test_one_of_two_gone(recording: Recording, ours: Grpcdns, metrics: Address) -> None:
    text = without_api(scrape(metrics))
    recording.hold(5, a=text, b=text)
    recording.hold(20, a=text, b=None)
    (one,) = recording.evaluate()
    assert (one.name, one.labels["instance"]) == ("GrpcdnsTargetDown", "b")


def test_restarted_again_and_again(recording: Recording, ours: Grpcdns, metrics: Address) -> None:
    recording.hold(5, a=without_api(scrape(metrics)))
    for count in range(1, 5):
        old = ours.children()["worker 0"]
        os.kill(old, signal.SIGKILL)
        wait_until(lambda count=count: _restarts(metrics) == count, "counted")  # type: ignore[misc]
        wait_until(lambda: sample(metrics, "grpcdns_workers_serving") == 2, "serving")
        recording.hold(2, a=without_api(scrape(metrics)))
    recording.hold(30, a=without_api(scrape(metrics)))
    found = recording.evaluate()
    assert _fired(found) == {"GrpcdnsWorkerRestarting"}
    assert all(one.resolved is not None for one in found)


def _restarts(metrics: Address) -> float:
    return sample(metrics, 'grpcdns_process_restarts_total{process="worker-0"}')


@pytest.mark.parametrize("how", ["cut", "hold"])
def test_the_api_is_gone(
    recording: Recording, cluster: Cluster, metrics: Address, how: str
) -> None:
    """Cut, it is unreachable at once; a link that says nothing only leaves the ages to grow."""
    with Wire(cluster.address) as wire:
        text = cluster.admin_kubeconfig.read_text()
        kubeconfig = cluster.folder / f"monitoring-{how}.kubeconfig"
        kubeconfig.write_text(text.replace(str(cluster.address), str(wire.address)))
        options = ("--kubeconfig", kubeconfig, "--metrics", str(metrics))
        with Grpcdns(*options, "--upstream", "none"):
            recording.hold(5, a=_young(scrape(metrics)))
            if how == "cut":
                wire.cut()
                wait_until(lambda: sample(metrics, "grpcdns_kubernetes_api_up") == 0, "noticed")
            else:
                wire.hold()
            first, began = _ages(scrape(metrics)), time.monotonic()
            wait_until(lambda: min(_ages(scrape(metrics)).values()) > 1, "ages grow")
            grown, seconds = _ages(scrape(metrics)), time.monotonic() - began
            assert all(grown[kind] - first[kind] == pytest.approx(seconds, abs=1) for kind in grown)
            recording.hold(15, a=scrape(metrics))
            wire.mend()
    expected = {"GrpcdnsStale"} | ({"GrpcdnsApiUnreachable"} if how == "cut" else set())
    assert _fired(recording.evaluate()) == expected


def _ages(text: str) -> dict[str, float]:
    return {found[1]: float(found[2]) for found in _AGE.finditer(text) if "last_event" in found[1]}


def test_answering_from_an_old_snapshot(
    recording: Recording, cluster: Cluster, metrics: Address, tmp_path: Path
) -> None:
    with Wire(cluster.address) as wire:
        text = cluster.admin_kubeconfig.read_text()
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(text.replace(str(cluster.address), str(wire.address)))
        options = ("--kubeconfig", kubeconfig, "--metrics", str(metrics), "--upstream", "none",
                   "--snapshot", tmp_path / "snapshot")  # fmt: skip
        with Grpcdns(*options):
            pass
        wire.cut()
        with Grpcdns(*options):
            wait_until(lambda: sample(metrics, "grpcdns_restored_age_seconds") > 0, "restored")
            recording.hold(15, a=scrape(metrics))
    assert "GrpcdnsOldData" in _fired(recording.evaluate())
    assert _fired(recording.evaluate()) <= {"GrpcdnsOldData", "GrpcdnsApiUnreachable"}


def test_no_right_to_read(recording: Recording, cluster: Cluster, metrics: Address) -> None:
    kubeconfig = cluster.service_account_kubeconfig("monitoring-nobody", ())
    options = ("--kubeconfig", kubeconfig, "--metrics", str(metrics), "--upstream", "none")
    with Grpcdns(*options).start(ready=False):
        series = 'grpcdns_kubernetes_events_total{event="forbidden",kind="service"}'
        wait_until(lambda: _sample_or_zero(metrics, series) >= 1, "refused")
        recording.hold(1, a=_young(scrape(metrics)))
        seen = _sample_or_zero(metrics, series)
        wait_until(lambda: _sample_or_zero(metrics, series) > seen, "refused again", timeout=40)
        recording.hold(3, a=_young(scrape(metrics)))
    fired = _fired(recording.evaluate())
    assert fired == {"GrpcdnsForbidden", "GrpcdnsDown"}


def test_a_service_network_outside_the_zones(
    recording: Recording, cluster: Cluster, metrics: Address
) -> None:
    zones = "cluster.local,10.96.0.0/16,fd00:96::/112"
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics))
    name = "grpcdns_service_networks_outside_zones"
    with Grpcdns(*options, "--upstream", "none", "--zones", zones):
        wait_until(lambda: name in scrape(metrics), "the networks are known")
        recording.hold(5, a=_young(scrape(metrics)))
        added = cluster.api.create(service_cidr("monitoring", "10.203.0.0/16"))
        try:
            wait_until(lambda: sample(metrics, name) == 1, "noticed")
            began = recording.now
            recording.hold(5, a=_young(scrape(metrics)))
        finally:
            cluster.api.delete(added)
        wait_until(lambda: sample(metrics, name) == 0, "gone")
        recording.hold(5, a=_young(scrape(metrics)))
    (one,) = recording.evaluate()
    assert one.name == "GrpcdnsServiceNetworkOutsideZones"
    assert one.firing is not None
    assert began < one.firing <= began + 2 * MINUTE
    assert one.resolved is not None
    assert "1 Service networks are not in the zones" in one.annotations["summary"]


def _sample_or_zero(metrics: Address, name: str) -> float:
    try:
        return sample(metrics, name)
    except (KeyError, OSError):
        return 0.0


FAULT: Final = """
import time
import urllib.error
from grpcdns.core import handler
handle, answer = handler.Handler.handle, handler.Handler._answer
def slow(self, message):
    if b"slow" in message:
        time.sleep(0.025)
    return handle(self, message)
def broken(self, query, question):
    if b"broken" in question.wire:
        raise RuntimeError("planted")
    return answer(self, query, question)
handler.Handler.handle, handler.Handler._answer = slow, broken
"""
"""Faults that no real part shows when told to: an answer that raises, answers that take long."""


@pytest.fixture
def faulty(metrics: Address, tmp_path: Path) -> Iterator[Grpcdns]:
    from tests.system.faults.test_workers import HOOK

    (tmp_path / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "grpcdns_fault.py").write_text(FAULT)
    options = ("--manifests", EXAMPLES, "--metrics", str(metrics))
    with Grpcdns(*options, env={"PYTHONPATH": str(tmp_path)}) as running:
        yield running


def test_answers_fail(recording: Recording, faulty: Grpcdns, metrics: Address) -> None:
    for _ in range(10):
        faulty.ask("broken.default.svc.cluster.local")
        for _ in range(5):
            faulty.ask(NAME)
        recording.hold(1, a=without_api(scrape(metrics)))
    assert _fired(recording.evaluate()) == {"GrpcdnsFaults", "GrpcdnsServfail"}


def test_slow_and_shedding(recording: Recording, faulty: Grpcdns, metrics: Address) -> None:
    """A burst of slow queries that lasts longer than the quarter of a second after which calls are
    shed, and shorter than the 0.6 s after which the worker would be taken for frozen."""

    def shed() -> float:
        return _sample_or_zero(metrics, 'grpcdns_grpc_shed_total{worker="worker-0"}')

    with grpc.insecure_channel(faulty.listen[0]) as channel:
        call = method(channel)
        for _ in range(12):
            before = shed()
            wait_until(lambda before=before: _burst(call) and shed() > before, "shed", timeout=30)  # type: ignore[misc]
            recording.hold(1.25, a=without_api(scrape(metrics)))
    assert _fired(recording.evaluate()) == {"GrpcdnsSlow", "GrpcdnsShedding"}


def _burst(call: grpc.UnaryUnaryMultiCallable[bytes, bytes]) -> bool:
    """0.4 s of slow queries at once, and others that come before they are through."""
    slow, other = (to_wire(query(name, "A")) for name in ("slow.cluster.local.", f"{NAME}."))
    calls = [call.future(slow, timeout=10) for _ in range(16)]
    time.sleep(0.36)
    calls += [call.future(other, timeout=10) for _ in range(10)]
    for one in calls:
        one.exception()  # shed, or answered
    return True


LATE: Final = "late.monitoring-late.svc.cluster.local"


def test_changes_come_late(recording: Recording, cluster: Cluster, metrics: Address) -> None:
    """A slice whose trigger is long ago, as an endpoints controller that lags writes it."""
    options = ("--kubeconfig", cluster.admin_kubeconfig, "--metrics", str(metrics))
    with Grpcdns(*options, "--upstream", "none") as running:
        made = cluster.api.create(namespace("monitoring-late"))
        ns = "monitoring-late"
        cluster.api.create(service("late", headless=True, ports=[port(80)], namespace=ns))
        for number in range(14):
            trigger = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 120))
            points = [{"addresses": [f"10.9.0.{number + 1}"], "conditions": {"ready": True}}]
            sliced = endpoint_slice(f"late-{number}", "late", points, [port(80)], namespace=ns)
            sliced["metadata"]["annotations"] = {
                "endpoints.kubernetes.io/last-change-trigger-time": trigger
            }
            cluster.api.create(sliced)
            wait_until(
                lambda number=number: len(_records(running, LATE)) > number,  # type: ignore[misc]
                "answered",
            )
            recording.hold(1.5, a=_young(scrape(metrics)))
        cluster.api.delete(made)
    assert _fired(recording.evaluate()) == {"GrpcdnsProgrammingSlow"}


def _records(running: Grpcdns, name: str) -> list[object]:
    return [record for rrset in running.ask(name).answer for record in rrset]


def test_a_broken_configuration_file(
    recording: Recording, metrics: Address, tmp_path: Path
) -> None:
    file = tmp_path / "grpcdns.toml"
    file.write_text("ttl = 7\n")
    options = ("--manifests", EXAMPLES, "--metrics", str(metrics), "--config", file)
    with Grpcdns(*options):
        recording.hold(5, a=without_api(scrape(metrics)))
        file.write_text("ttl = 'seven'\n")
        good = "grpcdns_config_last_reload_successful"
        wait_until(lambda: sample(metrics, good) == 0, "the reload has failed")
        recording.hold(5, a=without_api(scrape(metrics)))
        file.write_text("ttl = 8\n")
        wait_until(lambda: sample(metrics, good) == 1, "reloaded")
        recording.hold(5, a=without_api(scrape(metrics)))
    (one,) = recording.evaluate()
    assert one.name == "GrpcdnsReloadFailed"
    assert one.firing is not None
    assert one.resolved is not None


def test_a_snapshot_that_cannot_be_written(
    recording: Recording, metrics: Address, tmp_path: Path
) -> None:
    folder = tmp_path / "snapshots"
    folder.mkdir()
    options = ("--manifests", EXAMPLES, "--metrics", str(metrics), "--snapshot", folder / "s")
    with Grpcdns(*options) as running:
        wait_until((folder / "s").exists, "written once")
        recording.hold(1, a=without_api(scrape(metrics)))
        (folder / "s").unlink()
        folder.rmdir()
        os.kill(running.children()["feed"], signal.SIGKILL)  # the new one writes at once
        failures = "grpcdns_snapshot_failures_total"
        wait_until(lambda: _sample_or_zero(metrics, failures) > 0, "failed", timeout=30)
        serving = "grpcdns_workers_serving"
        wait_until(
            lambda: _sample_or_zero(metrics, serving) == 2, "the workers follow the new feed"
        )
        recording.hold(2, a=without_api(scrape(metrics)))
    assert _fired(recording.evaluate()) == {"GrpcdnsSnapshotNotWritten"}


def test_more_records_than_a_message_holds(
    recording: Recording, metrics: Address, tmp_path: Path
) -> None:
    points = [
        {
            "addresses": [f"10.{n // 60000}.{n // 250 % 250}.{n % 250}"],
            "conditions": {"ready": True},
        }
        for n in range(5000)
    ]
    objects = [
        namespace("default"),
        service("crowd", headless=True, ports=[port(80)], namespace="default"),
        *(
            endpoint_slice(f"crowd-{at}", "crowd", points[at : at + 1000], [port(80)],
                           namespace="default")
            for at in range(0, 5000, 1000)
        ),
    ]  # fmt: skip
    (tmp_path / "crowd.yaml").write_text(yaml.safe_dump_all(objects))
    with Grpcdns("--manifests", tmp_path / "crowd.yaml", "--metrics", str(metrics)) as running:
        recording.hold(2, a=without_api(scrape(metrics)))
        running.ask("crowd.default.svc.cluster.local")
        recording.hold(2, a=without_api(scrape(metrics)))
    assert _fired(recording.evaluate()) == {"GrpcdnsOversizedAnswers"}


UNTESTED: Final = {"GrpcdnsRepaired": "tests/unit/source/api/test_audit.py counts what is repaired"}


def test_much_is_lost_at_once(recording: Recording, metrics: Address, tmp_path: Path) -> None:
    """It is held, and an operator lets go."""
    path = tmp_path / "cluster.yaml"
    many = [namespace("default"), *(service(f"s{at}", ports=[port(80)]) for at in range(20))]
    write_list(path, many)
    options = ("--manifests", path, "--metrics", str(metrics), "--guard", "30")
    with Grpcdns(*options) as running:
        recording.hold(5, a=without_api(scrape(metrics)))
        lost = recording.now
        write_list(path, many[:3])
        wait_until(lambda: sample(metrics, "grpcdns_guard_active") == 1, "the guard")
        recording.hold(5, a=without_api(scrape(metrics)))
        released = recording.now
        assert main(["guard", "release", "--server", running.listen[0]]) == 0
        wait_until(lambda: sample(metrics, "grpcdns_guard_active") == 0, "released")
        recording.hold(5, a=without_api(scrape(metrics)))
    (one,) = recording.evaluate()
    assert (one.name, one.labels["severity"]) == ("GrpcdnsGuardActive", "critical")
    assert one.firing is not None
    assert one.resolved is not None
    assert lost <= one.firing <= lost + MINUTE
    assert released <= one.resolved <= released + MINUTE


def test_a_service_has_no_ready_endpoint(
    recording: Recording, metrics: Address, tmp_path: Path
) -> None:
    path = tmp_path / "cluster.yaml"

    def write(*, ready: bool) -> None:
        points = [{"addresses": ["10.1.0.1"], "conditions": {"ready": ready}}]
        slice_ = endpoint_slice("db-a", "db", points, [port(80)])
        write_list(path, [namespace("default"), service("db", headless=True), slice_])

    write(ready=True)
    options = ("--manifests", path, "--metrics", str(metrics), "--hold-empty", "5m")
    held = 'grpcdns_held_services{by="hold-empty"}'
    with Grpcdns(*options):
        recording.hold(5, a=without_api(scrape(metrics)))
        failed = recording.now
        write(ready=False)
        wait_until(lambda: sample(metrics, held) == 1, "held")
        recording.hold(5, a=without_api(scrape(metrics)))
        write(ready=True)
        wait_until(lambda: sample(metrics, held) == 0, "ready again")
        recording.hold(5, a=without_api(scrape(metrics)))
    (one,) = recording.evaluate()
    assert one.name == "GrpcdnsServiceHeld"
    assert one.firing is not None
    assert one.resolved is not None
    assert failed + MINUTE <= one.firing <= failed + 2 * MINUTE


def test_every_alert_has_an_incident() -> None:
    """By its name in this file."""
    text = (ROOT / "tests/system/monitoring/test_alerts.py").read_text()
    names = {str(rule["alert"]) for rule in alerts()}
    assert {name for name in names if f'"{name}"' not in text} == set()
    assert UNTESTED.keys() <= names


def test_runbooks_exist() -> None:
    for rule in alerts():
        file, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        headings = re.findall(r"^#+ (.+)$", (ROOT / file).read_text(), re.M)
        assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, rule["alert"]
