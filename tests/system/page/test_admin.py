"""`--admin` over HTTP: what is served, with which headers, and to whom."""

from __future__ import annotations

import json
import os
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from grpcdns.serve.status import from_json
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import Address, free_address
from harness.waiting import wait_until


@pytest.fixture(scope="module")
def at() -> Address:
    return free_address()


@pytest.fixture(scope="module")
def ours(at: Address) -> Iterator[Grpcdns]:
    options = ("--manifests", EXAMPLES, "--upstream", "none", "--admin", str(at))
    with Grpcdns(*options) as started:
        yield started


Reply = tuple[int, dict[str, str], str]


def ask(address: Address | Path, path: str, method: str = "GET", **headers: str) -> Reply:
    """Status, headers and body."""
    fields = {"Host": "localhost"} | {key.replace("_", "-"): one for key, one in headers.items()}
    lines = [f"{method} {path} HTTP/1.1", *(f"{key}: {one}" for key, one in fields.items()), "", ""]
    family = socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET
    with socket.socket(family) as sock:
        sock.settimeout(10.0)
        sock.connect(str(address) if isinstance(address, Path) else (address.host, address.port))
        sock.sendall("\r\n".join(lines).encode())
        raw = b"".join(iter(lambda: sock.recv(65536), b""))
    head, _, body = raw.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    found = dict(line.split(": ", 1) for line in rest)
    return int(first.split(" ")[1]), found, body


PATHS = ("/", "/explain?name=web.default.svc.cluster.local", "/api/status", "/app.js",
         "/style.css", "/icon.svg", "/nothing", "/explain?name=..")  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
def test_every_response_is_guarded(ours: Grpcdns, at: Address, path: str) -> None:
    code, headers, body = ask(at, path)
    assert code == {"/nothing": 404, "/explain?name=..": 400}.get(path, 200)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert not any(name.lower().startswith("access-control") for name in headers)
    assert ask(at, path, "HEAD")[2] == ""
    assert ask(at, path, "POST")[0] == 405
    assert ask(at, path, Host="evil.example")[:1] == (403,)
    assert ask(at, path, Sec_Fetch_Site="cross-site")[0] == 403
    assert "<script>" not in body
    assert " style=" not in body


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"])
def test_only_get(ours: Grpcdns, at: Address, method: str) -> None:
    """A preflight of another site (OPTIONS) allows nothing."""
    code, headers, _ = ask(at, "/api/status", method, Origin="http://evil.example")
    assert code == 405
    assert not any(name.lower().startswith("access-control") for name in headers)


QUERIES = ("", "?reload=1&stop=1", "?name=%3Cscript%3E.default.svc.cluster.local&type=A")


def test_a_get_changes_nothing(ours: Grpcdns, at: Address) -> None:
    """Whatever its path and query: the same processes, objects, changes and names."""

    def state(after: float = 0.0) -> object:
        found = from_json(ask(at, "/api/status")[2].encode())
        return found.at > after and (
            [(one.name, one.pid, one.restarts, one.since) for one in found.processes],
            [(one.name, one.objects, one.listed) for one in found.kinds],
            [one.queries for one in found.workers],
            [(one.name, one.count) for one in (*found.names.asked, *found.names.vain)],
            (found.changes, found.problems),
        )

    before = state()
    for path in PATHS:
        for query in QUERIES:
            ask(at, path.partition("?")[0] + query)
    end = time.time()
    assert wait_until(lambda: state(end), "a status that was made after that") == before


def test_the_status(ours: Grpcdns, at: Address) -> None:
    code, headers, body = ask(at, "/api/status")
    assert (code, headers["Content-Type"]) == (200, "application/json")
    found = from_json(body.encode())
    assert found.ready
    assert found.schema == 1


def test_an_explanation(ours: Grpcdns, at: Address) -> None:
    _, _, body = ask(at, "/api/explain?name=WEB.default.svc.cluster.local&type=A")
    found = json.loads(body)
    assert found["explanation"]["rcode"] == "NOERROR"
    assert found["picture"][0]["children"][0] == {
        "kind": "Service", "name": "default/web", "state": "in",
        "says": found["picture"][0]["children"][0]["says"], "reason": "",
        "children": found["picture"][0]["children"][0]["children"], "more": 0,
    }  # fmt: skip
    _, _, page = ask(at, "/explain?name=wep.default.svc.cluster.local&type=A")
    assert "Did you mean" in page
    code, _, body = ask(at, "/api/explain?name=a..b&type=A")
    assert code == 400
    assert "0 octets" in json.loads(body)["error"]


def test_reasons_of_names_asked_in_vain(ours: Grpcdns, at: Address) -> None:
    name = "www.example.com.default.svc.cluster.local."
    for worker in (0, 1):
        ours.ask(name, worker=worker)
        ours.ask("web.default.svc.cluster.local.", "MX", worker=worker)

    def found() -> dict[str, str]:
        vain = from_json(ask(at, "/api/status")[2].encode()).names.vain
        return {one.name: one.reason for one in vain if one.reason}

    reason = "search path: 4 labels too many (default.svc.cluster.local)"
    assert wait_until(found, "the reason") == {name: reason}, "and not what has another type"


def test_a_unix_socket(tmp_path: Path) -> None:
    """For this user alone; one that a dead feed has left is replaced."""
    path = tmp_path / "admin.sock"
    options = ("--manifests", EXAMPLES, "--upstream", "none", "--admin", f"unix://{path}")
    with Grpcdns(*options) as ours:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert ask(path, "/api/status")[0] == 200
        os.kill(ours.children()["feed"], 9)
        wait_until(lambda: ask(path, "/api/status")[0] == 200, "a new feed", timeout=20.0)


def test_an_address_in_use(at: Address, ours: Grpcdns, tmp_path: Path) -> None:
    process = Grpcdns("--manifests", EXAMPLES, "--admin", str(at), folder=tmp_path).process
    process.start()
    assert wait_until(lambda: not process.running, "the end", timeout=20.0)
    assert f"--admin {at}: address already in use" in process.log.read_text()
