"""An address on every interface without TLS is warned of, once, by name."""

from __future__ import annotations

import pytest

from grpcdns.config.load import load
from grpcdns.serve.supervisor.supervisor import warn_of_open_addresses


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
