"""A worker's first answers, from a snapshot, before there is a feed."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grpcdns.config.load import load
from grpcdns.config.options import Config
from grpcdns.serve.rundir import RunDir
from harness.grpcdns import SERVING, Grpcdns
from harness.paths import ROOT
from harness.process import Process
from harness.waiting import wait_until
from tests.system.processes.processes import answers, write_manifests


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """Of a serve that has ended."""
    write_manifests(tmp_path / "a.yaml")
    path = tmp_path / "snapshot"
    with Grpcdns("--manifests", tmp_path / "a.yaml", "--snapshot", path) as ours:
        assert answers(ours)
    os.utime(path, (path.stat().st_mtime - 60,) * 2)
    return path


@contextmanager
def worker(config: Config, folder: Path) -> Iterator[tuple[Grpcdns, Process, RunDir]]:
    """A worker alone: no supervisor and no feed."""
    run = RunDir.make()
    run.write_config(config)
    argv = [sys.executable, "-m", "grpcdns.serve.worker", str(run.path), "0"]
    process = Process(argv, log=folder / "worker.log", cwd=ROOT)
    ours = Grpcdns(listen=config.listen, folder=folder)
    try:
        with process.start(lambda: ours.health() is not None):
            yield ours, process, run
    finally:
        run.remove()


def options(folder: Path, *more: str) -> Config:
    flags: dict[str, object] = {
        "listen": [f"unix://{folder}/0.sock"],
        "manifests": [str(folder / "a.yaml")],
        "snapshot": str(folder / "snapshot"),
        "upstream": "none",
    }
    return load(flags | dict(one.split("=", 1) for one in more), {}, "").config


def test_a_worker_needs_no_feed_to_answer_from_a_snapshot(snapshot: Path) -> None:
    with worker(options(snapshot.parent), snapshot.parent) as (ours, process, _):
        wait_until(lambda: answers(ours), "it answers")
        assert ours.ask("xecho.default.svc.cluster.local").answer[0].ttl == 5
        assert "serving from a snapshot" in process.log_text


@pytest.mark.parametrize("why", ["age", "options", "damage", "newer"])
def test_a_snapshot_that_the_feed_would_not_use_is_not_used(snapshot: Path, why: str) -> None:
    more = {"age": ("snapshot-max-age=0s",), "options": ("labels=a=b",)}.get(why, ())
    if why == "damage":
        snapshot.write_bytes(snapshot.read_bytes()[:-1] + b"\0")
    if why == "newer":
        os.utime(snapshot, (snapshot.stat().st_mtime + 3600,) * 2)
    with worker(options(snapshot.parent, *more), snapshot.parent) as (ours, process, _):
        assert ours.health() != SERVING
        process.send(signal.SIGTERM)
        wait_until(lambda: "drained" in process.log_text, "it has ended")
        assert "serving from" not in process.log_text
