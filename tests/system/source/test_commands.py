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
        began = time.monotonic()
        from_kubeconfig(str(path))  # 0.25 s, and seconds on a machine that is busy
        login = time.monotonic() - began
        began = time.monotonic()
        code = main(words)
    assert time.monotonic() - began < login + 4.75
    assert code == 1
    assert "the Kubernetes API does not answer: timeout" in capsys.readouterr().err


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
