"""Commands that list the cluster find its API as kubectl does, and end if it does not answer."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from grpcdns.cli import main
from grpcdns.source.api.login import from_kubeconfig
from harness.certificates import Authority
from harness.kubeconfig import write_kubeconfig
from harness.ports import Address

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
