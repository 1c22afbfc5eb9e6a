"""The status of a running `grpcdns serve`, over the link: what `grpcdns top` reads."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpcdns.cli.attached import ask_status
from grpcdns.serve.status import Status, from_json, to_json
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.waiting import wait_until

WEB = "web.default.svc.cluster.local."


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLES, tmp_path / "manifests"))


@pytest.fixture
def ours(manifests: Path) -> Iterator[Grpcdns]:
    with Grpcdns("--manifests", manifests, "--upstream", "none") as started:
        yield started


def status(ours: Grpcdns) -> Status:
    return ask_status(ours.listen[0], 10.0)


def test_all_is_well(ours: Grpcdns) -> None:
    found = status(ours)
    assert found.ready
    assert not found.problems
    assert {one.name: one.state for one in found.processes} == {
        "feed": "running",
        "worker-0": "serving",
        "worker-1": "serving",
        "supervisor": "running",
    }
    assert all(one.memory > 1 << 20 and 0 < one.since <= time.time() for one in found.processes)
    assert [one.address for one in found.workers] == list(ours.listen)
    kinds = {one.name: one for one in found.kinds}
    assert kinds["Service"].objects > 0
    assert all(one.listed and not one.problem for one in found.kinds)
    assert found.api.state == "up"
    assert found.api.heard is not None
    assert from_json(to_json(found)) == found


def test_names_of_both_workers_are_added_up(ours: Grpcdns) -> None:
    before = time.time()
    for worker in (0, 1):
        for _ in range(3):
            ours.ask(WEB, worker=worker)
            ours.ask("no-such.default.svc.cluster.local.", worker=worker)
            ours.ask("www.example.com.", worker=worker)
    names = status(ours).names
    assert [(one.name, one.type, one.count) for one in names.asked] == [(WEB, "A", 6)]
    assert {(one.name, one.outcome, one.count) for one in names.vain} == {
        ("no-such.default.svc.cluster.local.", "NXDOMAIN", 6),
        ("www.example.com.", "REFUSED", 6),
    }
    assert names.since <= before
    assert not any(names.errors.values())


def test_a_change_and_when_each_worker_had_it(ours: Grpcdns, manifests: Path) -> None:
    assert not status(ours).changes, "first lists are no changes"
    file = next(
        path for path in sorted(manifests.rglob("*.yaml")) if "10.96.7.7" in path.read_text()
    )
    began = time.time()
    file.write_text(file.read_text().replace("10.96.7.7", "10.96.7.8"))
    wait_until(lambda: bool(status(ours).changes), "the change", timeout=20.0)
    (change,) = status(ours).changes
    assert (change.kind, change.key, change.what) == ("Service", "default/web", "changed")
    assert "10.96.7.7" in change.before
    assert "10.96.7.8" in change.after
    assert change.detail == "+10.96.7.8, -10.96.7.7"
    wait_until(
        lambda: all(one.how == "change" for one in status(ours).changes[0].workers), "both have it"
    )
    taken = time.time() - began
    assert all(0.0 <= (one.seconds or 0.0) <= taken for one in status(ours).changes[0].workers)
    os.kill(ours.children()["worker 1"], signal.SIGKILL)
    wait_until(
        lambda: [one.how for one in status(ours).changes[0].workers] == ["change", "list"],
        "a new worker has it with a list",
        timeout=20.0,
    )
    restarts = {one.name: one.restarts for one in status(ours).processes}
    assert restarts["worker-1"] == 1


def test_a_worker_that_gives_no_report_is_named(ours: Grpcdns) -> None:
    pid = ours.children()["worker 1"]
    os.kill(ours.process.pid, signal.SIGSTOP)  # the supervisor would replace it
    os.kill(pid, signal.SIGSTOP)
    try:
        found = status(ours)
    finally:
        os.kill(pid, signal.SIGCONT)
        os.kill(ours.process.pid, signal.SIGCONT)
    assert found.ready
    assert "worker-1 does not answer" in found.problems
    assert {one.name: one.state for one in found.processes}["worker-1"] == "silent"
