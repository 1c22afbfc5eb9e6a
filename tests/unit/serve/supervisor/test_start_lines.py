"""The first lines of the log: the summary, and a warning for each address open to everybody."""

from __future__ import annotations

import msgspec
import pytest

from grpcdns import __version__
from grpcdns.config.load import load
from grpcdns.config.options import Config
from grpcdns.revision import code
from grpcdns.serve.supervisor import start_lines
from grpcdns.serve.supervisor.start_lines import summary, warn_of_open_addresses

LISTEN = ("unix:///run/0.sock", "127.0.0.1:5301")


@pytest.mark.parametrize(
    ("config", "source"),
    [
        (Config(manifests=("/a", "/b")), "manifests /a, /b"),
        (Config(kubeconfig="/c"), "kubeconfig /c"),
        (Config(kubeconfig="/c", context="x"), "kubeconfig /c, context x"),
        (Config(), "the Pod's service account"),
    ],
)
def test_summary(config: Config, source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_lines, "revision", lambda: "0123456789abcdef0123")
    config = msgspec.structs.replace(config, listen=LISTEN, zones=("cluster.local.", "."))
    assert summary(config) == (
        f"grpcdns {__version__} (commit 0123456789ab, {code()}): "
        "listen unix:///run/0.sock, 127.0.0.1:5301; "
        f"zones cluster.local, .; source {source}"
    )


def test_summary_of_many_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CIDR stands for up to 128 zones; an installed package may not know its commit."""
    monkeypatch.setattr(start_lines, "revision", lambda: "")
    line = summary(load({"zones": "cluster.local,10.0.0.0/9"}, {}).config)
    assert f"(commit unknown, {code()})" in line
    assert "zones cluster.local, 0.10.in-addr.arpa, " in line
    assert "10.10.in-addr.arpa and 117 more; source " in line


@pytest.mark.parametrize(
    ("listen", "tls", "warned"),
    [
        (":5301", False, ["[::]:5301"]),
        ("0.0.0.0:5301,127.0.0.1:5302", False, ["0.0.0.0:5301"]),
        ("[::]:5301,0.0.0.0:5302", False, ["[::]:5301", "0.0.0.0:5302"]),
        ("0.0.0.0:5301", True, []),
        ("127.0.0.1:5301,[::1]:5301,localhost:5302,unix:///run/grpcdns/0.sock", False, []),
    ],
)
def test_warning(
    listen: str, tls: bool, warned: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    flags = {"listen": listen} | ({"tls-cert": "/c", "tls-key": "/k"} if tls else {})
    warn_of_open_addresses(load(flags, {}).config)
    assert [record.args for record in caplog.records] == [(address,) for address in warned]
