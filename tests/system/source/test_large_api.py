"""A large cluster: no process is silent for long while it is listed, restored, or listed again.

LARGE_MB=100 pytest -s tests/system/source/test_large_api.py     prints seconds, memory and silences

The processes are those of ``grpcdns serve``, held by the supervisor's own `Child`, so that each gap
between heartbeats can be seen. The time that a process waits for a CPU is not its own.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench import usage
from grpcdns.config.options import Config
from grpcdns.serve.procfs import cpu_wait
from grpcdns.serve.rundir import RunDir
from grpcdns.serve.supervisor.child import Child
from grpcdns.serve.supervisor.supervisor import FEED_SILENCE, START_GRACE, WORKER_SILENCE
from harness.paths import ROOT
from harness.process import Process
from harness.waiting import WaitError

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

MEGABYTES: Final = float(os.environ.get("LARGE_MB", "12"))
START: Final = 30 + 3 * MEGABYTES
"""Seconds, on a machine that is busy."""


class Beating:
    """A child, and the longest that it gave no heartbeat, less what it waited for a CPU."""

    def __init__(self, name: str, module: str, args: tuple[str, ...], silence: float) -> None:
        self.child = Child(name, module, args, silence=silence, grace=START_GRACE)
        self.silent = 0.0
        self.beats = 0
        self._last: tuple[float, int] | None = None

    def hear(self) -> None:
        """A heartbeat has come."""
        now, waited = time.monotonic(), cpu_wait(self.child.pid)
        if self._last is not None:
            since, before = self._last
            self.silent = max(self.silent, now - since - (waited - before) / 1e9)
        self._last = (now, waited)
        self.beats += 1
        self.child.hear()


class Serve:
    """A feed and a worker, and their log."""

    def __init__(self, config: Config, log: Path) -> None:
        self.run = RunDir.make()
        self.run.write_config(config)
        self._log = log
        self._selector = selectors.DefaultSelector()
        path = str(self.run.path)
        self.feed = Beating("feed", "grpcdns.serve.feed", (path,), FEED_SILENCE)
        self.worker = Beating("worker-0", "grpcdns.serve.worker", (path, "0"), WORKER_SILENCE)
        self.both = (self.feed, self.worker)

    @contextmanager
    def running(self) -> Iterator[Serve]:
        with self._log.open("ab") as log:
            os.set_inheritable(log.fileno(), True)
            for one in self.both:
                one.child._args = (*one.child._args[:-1], str(log.fileno()))
                one.child.start()
                self._selector.register(one.child.beat_fd, selectors.EVENT_READ, one)
        try:
            yield self
        finally:
            for one in self.both:
                one.child.send(signal.SIGTERM)
            for one in self.both:
                while one.child.pid and one.child.reap() is None:
                    time.sleep(0.01)
            self._selector.close()
            self.run.remove()

    def until(self, text: str, times: int = 1) -> float:
        """Seconds until the log says so and both have given some heartbeats since. The supervisor
        kills none of them meanwhile."""
        began = time.monotonic()
        found, beats = 0.0, [0, 0]
        while not found or any(one.beats < due for one, due in zip(self.both, beats, strict=True)):
            if not found and self._log.read_text().count(text) >= times:
                found = time.monotonic()
                beats = [one.beats + 3 for one in self.both]
            for key, _ in self._selector.select(0.05):
                key.data.hear()
            now = time.monotonic()
            for one in self.both:
                assert one.child.reap() is None, self._log.read_text()
                assert one.child.frozen(now) is None
            if now - began > START:
                raise WaitError(f"{text}: not within {START:g} s\n{self._log.read_text()}")
        return found - began

    def print(self, what: str, seconds: float, cpu: float) -> None:
        feed, worker = (usage.memory([one.child.pid]) for one in self.both)
        used = usage.cpu_seconds([self.feed.child.pid]) - cpu
        print(f"\n{MEGABYTES:g} MB, {what}: {seconds:.1f} s, {used:.1f} s of CPU time in the feed; "
              f"feed {feed.rss:.0f} MB, at most {feed.peak:.0f}, worker {worker.rss:.0f}, "
              f"at most {worker.peak:.0f}; longest silence of the feed {self.feed.silent:.2f} s, "
              f"of the worker {self.worker.silent:.2f} s")  # fmt: skip


@contextmanager
def large_api(tmp_path: Path) -> Iterator[tuple[Path, Sequence[int]]]:
    """A kubeconfig, and how many Namespaces, Services and slices there are."""
    log = tmp_path / "api.log"
    command = [sys.executable, "-m", "tests.system.source.large_api", str(MEGABYTES)]
    with Process(command, log=log, cwd=ROOT).start(log.read_text, timeout=START):
        port, *counts = map(int, log.read_text().split())
        path = tmp_path / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "clusters": [{"name": "a", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
                    "users": [{"name": "a", "user": {}}],
                    "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
                    "current-context": "a",
                }
            )
        )
        yield path, counts


def config(tmp_path: Path, kubeconfig: Path, **more: object) -> Config:
    address = f"unix://{tmp_path}/0.sock"
    options = {"snapshot": str(tmp_path / "snapshot"), "upstream": "", **more}
    return Config(listen=(address,), kubeconfig=str(kubeconfig), **options)  # type: ignore[arg-type]


def cpu_of(serve: Serve) -> float:
    return usage.cpu_seconds([serve.feed.child.pid])


def settled(serve: Serve, said: Callable[[Serve], float], what: str, cpu: float = 0.0) -> None:
    seconds = said(serve)
    serve.print(what, seconds, cpu)
    assert serve.feed.silent < 1.0
    assert serve.worker.silent < WORKER_SILENCE


def test_start_reload_and_snapshot(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.touch()
    with large_api(tmp_path) as (kubeconfig, (namespaces, services, slices)):
        before = config(tmp_path, kubeconfig)
        counts = f"Namespace {namespaces}, Service {services}, EndpointSlice {slices}"
        with Serve(before, log).running() as serve:
            settled(serve, lambda one: one.until(": serving"), "the API's first lists")
            serve.until(counts)

            serve.run.write_config(config(tmp_path, kubeconfig, endpoint_pod_names=True))
            cpu = cpu_of(serve)
            for one in serve.both:
                one.child.send(signal.SIGHUP)
            relisted = f"EndpointSlice: {slices} listed, {slices} changed"
            settled(serve, lambda one: one.until(relisted), "a reload that lists again", cpu)
            serve.run.write_config(before)
            for one in serve.both:
                one.child.send(signal.SIGHUP)
            serve.until(relisted, 2)
    size = (tmp_path / "snapshot").stat().st_size
    print(f"\nthe snapshot: {size / 1e6:.1f} MB")
    with Serve(before, log).running() as serve:
        count = namespaces + services + slices
        settled(serve, lambda one: one.until(": serving", 2), "a start from the snapshot")
        assert re.search(rf"{count} objects restored", log.read_text())
