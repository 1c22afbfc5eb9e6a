"""Commands that list the cluster find its API as kubectl does, end if it does not answer, and name
the options that leave nothing of it."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from grpcdns.cli import main
from grpcdns.source.api.login import from_kubeconfig
from harness.certificates import Authority
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.kubeconfig import write_kubeconfig
from harness.ports import Address
from harness.waiting import wait_until

COMMANDS = {
    "zone": ["zone"],
    "explain": ["explain", "web.default.svc.cluster.local"],
    "compare": ["compare", "--with", "127.0.0.1:53"],
    "corefile": ["corefile"],
}


@pytest.mark.slow
@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS.keys())
def test_a_silent_api_ends_a_command_within_five_seconds(
    words: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = Address(*silent.getsockname())
        path = tmp_path / "kubeconfig"
        write_kubeconfig(path, address, Authority(tmp_path).cert, token="t")
        monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/none:{path}")
        # A machine that is busy makes any try late, but not all of them.
        assert any(seconds_beyond_login(words, str(path)) < 4.75 for _ in range(4))
    assert "the Kubernetes API does not answer: timeout" in capsys.readouterr().err


def seconds_beyond_login(words: list[str], kubeconfig: str) -> float:
    """How long the command takes to fail, less what reading the kubeconfig takes."""
    began = time.monotonic()
    from_kubeconfig(kubeconfig)
    login = time.monotonic() - began
    began = time.monotonic()
    assert main(words) == 1
    return time.monotonic() - began - login


UNMATCHED = [
    (("--namespaces", "kube-sytem"), "there is no namespace kube-sytem: did you mean kube-system?"),
    (("--labels", "dns=no-such"), "no Service has the labels dns=no-such"),
]


@pytest.mark.servers
@pytest.mark.parametrize(("options", "said"), UNMATCHED, ids=["namespace", "labels"])
def test_options_that_leave_nothing_are_named(
    options: tuple[str, ...], said: str, cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    words = ("--kubeconfig", str(cluster.admin_kubeconfig), *options)
    assert main(["zone", *words]) == 0
    assert caplog.messages == [f"{options[0]}: {said}"]
    with Grpcdns(*words) as ours:
        line = f"warning feed: {options[0]}: {said}"
        wait_until(lambda: line in ours.process.log_text, "it is logged")
