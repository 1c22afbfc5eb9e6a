"""What the client makes of replies that a healthy API does not give; on a real loopback socket."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from grpcdns.config.options import Config
from grpcdns.preflight.checks import run_checks
from grpcdns.preflight.kubernetes_client import Forbidden, KubernetesClient
from grpcdns.source.api.client import ApiError, Unreachable

Reply = tuple[int, bytes] | Callable[[], tuple[int, bytes]]
SELF = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


class Server:
    """Answers each path with what ``replies`` holds, all others with 404."""

    def __init__(self) -> None:
        self.replies: dict[str, Reply] = {}
        self.asked: list[str] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.asked.append(self.path)
                reply = outer.replies.get(self.path, (404, b"{}"))
                status, body = reply() if callable(reply) else reply
                with contextlib.suppress(OSError):  # who asked has given up
                    self.send_response(status)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            do_POST = do_GET  # noqa: N815

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def config(server: Server, tmp_path: Path) -> Config:
    path = tmp_path / "kubeconfig"
    content = {
        "clusters": [{"name": "c", "cluster": {"server": server.url}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(content))
    return Config(kubeconfig=str(path))


def test_pages_are_read_to_the_end(server: Server, config: Config) -> None:
    pages: list[Any] = [
        {"items": [{"n": 1}, {"n": 2}], "metadata": {"continue": "a b"}},
        {"items": None, "metadata": {"continue": "c"}},
        {"items": [{"n": 3}], "metadata": None},
    ]
    for query, page in zip(("", "&continue=a%20b", "&continue=c"), pages, strict=True):
        server.replies[f"/api/v1/nodes?limit=250{query}"] = (200, json.dumps(page).encode())
    found = KubernetesClient(config, 3.0).items("/api/v1/nodes", "list nodes")
    assert [one["n"] for one in found] == [1, 2, 3]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (500, b'{"message": "etcd\\nis away"}', "500 Internal Server Error: etcd is away"),
        (502, b"<html>bad gateway</html>", "502 Bad Gateway: <html>bad gateway</html>"),
        (429, b'{"message": null}', "429 Too Many Requests: None"),
        (599, b"", "599 error"),
        (200, b"welcome to the portal", "200 not JSON"),
    ],
)
def test_errors_are_one_line(
    status: int, body: bytes, said: str, server: Server, config: Config
) -> None:
    server.replies["/version"] = (status, body)
    with pytest.raises(ApiError) as error:
        KubernetesClient(config, 3.0).get("/version", "get /version")
    assert str(error.value).startswith(said)
    assert server.asked == ["/version"], "asked once, not again"


def test_a_right_that_is_missing_names_it(server: Server, config: Config) -> None:
    server.replies["/api/v1/nodes?limit=250"] = (403, b'{"message": "nodes is forbidden"}')
    with pytest.raises(Forbidden) as error:
        list(KubernetesClient(config, 3.0).items("/api/v1/nodes", "list nodes"))
    assert error.value.needs == "list nodes"


@pytest.mark.parametrize(
    ("status", "body", "user"),
    [
        (201, {"status": {"userInfo": {"username": "jane", "groups": None}}}, "jane"),
        (201, {"status": None}, ""),
        (403, {"message": 'forbidden: User "system:anonymous" cannot create'}, "system:anonymous"),
        (403, {"message": "no"}, ""),
        (404, {"message": "the server could not find the requested resource"}, ""),
    ],
)
def test_who_we_are(status: int, body: Any, user: str, server: Server, config: Config) -> None:
    server.replies[SELF] = (status, json.dumps(body).encode())
    assert KubernetesClient(config, 3.0).user() == user


def test_credentials_seen_as_anonymous(server: Server, config: Config) -> None:
    """As with a kubeconfig without credentials, where anonymous requests are allowed."""
    message = 'selfsubjectreviews is forbidden: User "system:anonymous" cannot create resource'
    server.replies[SELF] = (403, json.dumps({"message": message}).encode())
    server.replies["/version"] = (200, b'{"gitVersion": "v1.36.3"}')
    found = run_checks(config)
    assert [(one.id, one.status) for one in found.checks] == [("api", "fail")]
    assert "sees the credentials as system:anonymous" in found.checks[0].found
    assert not found.ready


@pytest.mark.timed
def test_no_request_outlasts_its_timeout(server: Server, config: Config) -> None:
    """And after it nothing is asked: five requests to a silent API cost one timeout."""
    done = threading.Event()

    def slow() -> tuple[int, bytes]:
        done.wait(10)
        return 200, b"{}"

    server.replies["/version"] = slow
    client = KubernetesClient(config, 0.2)
    began = time.monotonic()
    try:
        for _ in range(5):
            with pytest.raises(Unreachable, match=r"no answer in 0\.2 s"):
                client.get("/version", "get /version")
        assert time.monotonic() - began < 1.0
    finally:
        done.set()
    assert server.asked == ["/version"]
