"""``make demo`` prints the answers, exits with 0, and reports what is wrong."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from examples import demo
from harness.fixtures import skip_unless_built
from harness.paths import ROOT
from harness.ports import free_port

COMMAND = [sys.executable, "-m", "examples.demo"]
PRINTED = """\
;; ANSWER SECTION:
{0}	5	IN	SRV	0 25 80 {0}

;; ADDITIONAL SECTION:
{0}	5	IN	A	172.17.0.9
{0}	5	IN	A	172.17.0.10
{0}	5	IN	A	172.17.0.11
{0}	5	IN	A	172.17.0.12
""".format("myhost.headless.default.svc.cluster.local.")

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def built() -> None:
    skip_unless_built("coredns")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """A port and a folder of the test, for processes and for this one."""
    monkeypatch.setenv("PORT", str(free_port()))
    monkeypatch.setenv("SOCKETS", str(tmp_path / "sockets"))
    return dict(os.environ)


def test_prints_every_answer_and_ends(environment: dict[str, str]) -> None:
    run = subprocess.run(
        COMMAND, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert run.returncode == 0, run.stderr
    assert PRINTED in run.stdout
    assert run.stdout.endswith(f"All {len(demo.ROWS)} answers are as they should be.\n")
    assert run.stderr == ""
    assert not Path(environment["SOCKETS"]).exists()


def test_another_users_folder_is_not_used(
    environment: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """/tmp is everybody's: a link could lead anywhere."""
    (tmp_path / "elsewhere").mkdir()
    Path(environment["SOCKETS"]).symlink_to(tmp_path / "elsewhere")
    assert demo.main() == 1
    assert "is another user's: set SOCKETS" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_kept_up_until_a_signal(environment: dict[str, str], number: signal.Signals) -> None:
    port = int(environment["PORT"])
    with subprocess.Popen(
        COMMAND, cwd=ROOT, env=environment | {"KEEP": "1"}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("  nslookup"):
                break
        assert demo._ask(demo.ROWS[0], port).answer
        process.send_signal(number)
        assert process.wait(30) == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((demo.HOST, port))  # CoreDNS is gone


@pytest.mark.usefixtures("environment")
def test_a_wrong_answer_is_reported_with_exit_code_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(
        demo, "ROWS", [demo.ROWS[0]._replace(answer=[(demo.ROWS[0].qname, "A", "10.0.0.1")])]
    )
    assert demo.main() == 1
    assert "xecho.default.svc.cluster.local. A: answer should be [" in capsys.readouterr().err


@pytest.mark.usefixtures("environment")
def test_a_port_in_use_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind((demo.HOST, 0))
        taken.listen()
        monkeypatch.setenv("PORT", str(taken.getsockname()[1]))
        assert demo.main() == 1
    assert "coredns ended with 1:" in capsys.readouterr().err
