"""A source at work is not taken for a frozen one: a dump that takes longer to read than the
supervisor waits for a heartbeat."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from harness.grpcdns import Grpcdns
from harness.waiting import wait_until
from tests.unit.source.manifests.dump import write_dump

pytestmark = pytest.mark.slow


def test_start_and_reload(tmp_path: Path) -> None:
    path = tmp_path / "services.yaml"
    count = write_dump(path, 40e6)
    with Grpcdns("--manifests", path).start(timeout=120) as ours:
        last = f"svc-{count - 1}.ns-{(count - 1) % 100}.svc.cluster.local."
        assert ours.ask(last, "A").answer
        feed = ours.children()["feed"]
        os.kill(ours.process.pid, signal.SIGHUP)
        wait_until(lambda: "reloaded" in ours.process.log_text, "reloaded")
        assert ours.ask(last, "A").answer
        assert ours.children()["feed"] == feed
        log = ours.process.log_text
    assert "no heartbeat" not in log
    assert "did not come up" not in log
