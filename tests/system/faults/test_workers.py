"""Workers that hang without being stopped, and workers that cannot start again."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from harness.coredns import CoreDNS
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.metrics import get, sample
from harness.paths import EXAMPLES
from harness.ports import free_address
from harness.steady import Steady
from harness.waiting import wait_until
from tests.system.faults.test_processes import QUESTIONS, SVC

pytestmark = [pytest.mark.slow]

HANG = """
import time
from grpcdns.core import handler
handle = handler.Handler.handle
def hang(self, message):
    if b"hang" in message:
        time.sleep(3600)
    return handle(self, message)
handler.Handler.handle = hang
"""
"""A fault that no real part can be made to show: the answering loop never returns. The import hook
loads it in the workers alone."""

HOOK = """
import sys
from importlib.abc import MetaPathFinder
class Hook(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name == "grpcdns.serve.worker.process":
            sys.meta_path.remove(self)
            import grpcdns_fault
sys.meta_path.insert(0, Hook())
"""


@pytest.mark.timed
def test_a_stuck_loop_is_noticed_and_loses_no_other_query(
    coredns: Callable[..., CoreDNS], tmp_path: Path
) -> None:
    """The heartbeat goes through the serving path: a process that runs and does not answer is
    replaced like a stopped one."""
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "grpcdns_fault.py").write_text(HANG)
    options = ("--manifests", EXAMPLES)
    with Grpcdns(*options, env={"PYTHONPATH": str(tmp_path)}) as grpcdns:
        front = coredns(f". {{\nerrors\n{grpcdns.grpc_block}\n}}")
        pid = grpcdns.children()["worker 0"]
        with Steady(front.address, QUESTIONS) as steady:
            with pytest.raises(grpc.RpcError):
                grpcdns.ask("hang.default.svc.cluster.local", timeout=2)
            wait_until(lambda: grpcdns.children().get("worker 0", pid) != pid, "replaced")
            wait_until(grpcdns.serving, "serving")
        report = steady.report()
        print(f"\n{report}")
        assert not report.failed
        assert report.slowest < 2.0
        assert "worker-0 gave no heartbeat" in grpcdns.process.log_text


def test_a_worker_that_cannot_start_is_retried_and_shows() -> None:
    """Its address was taken while it was down: the other one serves, health and metrics say so."""
    metrics = free_address()
    with Grpcdns("--manifests", EXAMPLES, "--metrics", str(metrics)) as grpcdns:
        assert get(metrics, "/readyz?all").status == 200
        path = grpcdns.listen[0].removeprefix("unix://")
        grpcdns.process.freeze()
        os.kill(grpcdns.children()["worker 0"], signal.SIGKILL)
        os.unlink(path)
        with socket.socket(socket.AF_UNIX) as thief:
            thief.bind(path)
            thief.listen()
            grpcdns.process.thaw()
            wait_until(lambda: grpcdns.process.log_text.count("in use") >= 3, "three tries")
            assert "restarted in" in grpcdns.process.log_text
            assert get(metrics, "/readyz") == (200, "ok\nworker-0 does not answer\n")
            assert get(metrics, "/readyz?all") == (503, "worker-0 does not answer\n")
            assert sample(metrics, 'grpcdns_worker_up{worker="worker-0"}') == 0
            assert section(grpcdns.ask("xecho" + SVC, worker=1))
        wait_until(grpcdns.serving, "both again", timeout=15)
        assert get(metrics, "/readyz?all").status == 200
