"""A Kubernetes API that plays a script: one step for each request, on a real loopback socket.

    FakeApi([lists(service("a"), version="10"), watches(added("b", "11"))], clock)

Objects, events and steps are made by the functions at the top. `stage.play` runs a script.
"""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.unit.source.fake_clock import FakeClock

Json = dict[str, Any]

# Objects, as the API writes them.


def service(name: str, version: str = "1", ip: str = "10.0.0.1", **spec: Any) -> Json:
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": {"name": name, "namespace": "ns", "resourceVersion": version},
        "spec": {"clusterIP": ip, "clusterIPs": [ip], **spec},
    }


def pod(name: str, version: str = "1", *, ip: str = "10.1.0.1", phase: str = "Running",
        terminating: bool = False) -> Json:  # fmt: skip
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if terminating else {}
    return {
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "ns", "resourceVersion": version, **deleted},
        "status": {"phase": phase, "podIP": ip},
    }


def event(type_: str, obj: Json) -> Json:
    return {"type": type_, "object": obj}


def added(name: str, version: str, **more: Any) -> Json:
    return event("ADDED", service(name, version, **more))


def modified(name: str, version: str, **more: Any) -> Json:
    return event("MODIFIED", service(name, version, **more))


def deleted(name: str, version: str) -> Json:
    return event("DELETED", service(name, version))


def bookmark(version: str, *, end: str = "", kind: str = "Service") -> Json:
    notes = {"annotations": {"k8s.io/initial-events-end": end}} if end else {}
    return event("BOOKMARK", {"kind": kind, "metadata": {"resourceVersion": version, **notes}})


def status(code: int, reason: str = "", message: str = "", **details: Any) -> Json:
    return {
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


# Steps.


@dataclass(frozen=True)
class Body:
    """Answers with a status code and JSON (or bytes)."""

    body: Json | bytes
    code: int = 200
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Lines:
    """Answers with a stream. `end`: "close" (in order), "cut" (within a chunk), "hang" (send
    nothing more), "down" (in order, and the API does not listen for the next `tries` sleeps)."""

    events: tuple[Json | bytes, ...]
    end: str = "close"
    lasting: float = 0.0
    """Seconds by which the fake clock is advanced before the stream ends."""
    tries: int = 0


@dataclass(frozen=True)
class Reset:
    """Resets the connection."""


@dataclass(frozen=True)
class Do:
    """Calls `what`, then plays `step`."""

    what: Callable[[], object]
    step: Step


Step = Body | Lines | Reset | Do


def lists(*objects: Json, version: str = "10", token: str = "",
          remaining: int | None = None) -> Body:  # fmt: skip
    meta = {"resourceVersion": version, "continue": token, "remainingItemCount": remaining}
    return Body({"kind": "ServiceList", "metadata": meta, "items": list(objects)})


def watches(*events: Json | bytes, end: str = "close", lasting: float = 0.0,
            tries: int = 0) -> Lines:  # fmt: skip
    return Lines(events, end, lasting, tries)


def refuses(code: int, reason: str = "", message: str = "", *, retry_after: str = "",
            **details: Any) -> Body:  # fmt: skip
    headers = (("Retry-After", retry_after),) if retry_after else ()
    return Body(status(code, reason, message, **details), code, headers)


@dataclass
class Request:
    """One request, as the API received it."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]

    def __str__(self) -> str:
        """What matters about it, in a few words."""
        given = self.params
        version = given.get("resourceVersion")
        words = ["WATCH" if given.get("watch") else "LIST"]
        words += ["initial"] if given.get("sendInitialEvents") else []
        words += [f"at {version!r}"] if version is not None else []
        words += [f"limit {given['limit']}"] if "limit" in given else []
        words += [f"continue {given['continue']}"] if "continue" in given else []
        return " ".join(words)


class FakeApi:
    """The server. `finished` is called at the first request after the end of the script."""

    def __init__(self, script: Sequence[Step], clock: FakeClock) -> None:
        self.requests: list[Request] = []
        self.script = list(script)
        self.clock = clock
        self.finished: Callable[[], object] = lambda: None
        self.held = threading.Event()
        self._downtime = 0
        self._server: _Server | None = None
        self._port = 0
        self._released = threading.Event()
        clock.on_sleep = self._tick
        self._up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def stop(self) -> None:
        self._released.set()
        if self._server is not None:
            self._down()

    def next_step(self, request: Request) -> Step:
        self.requests.append(request)
        if not self.script:
            self.finished()
            return Reset()
        step = self.script.pop(0)
        while isinstance(step, Do):
            step.what()
            step = step.step
        return step

    def hold(self) -> None:
        """Sends nothing more until the test is over."""
        self.held.set()
        self._released.wait(30)

    def go_down(self, tries: int) -> None:
        """Stops listening, for so many sleeps of the client."""
        self._downtime = tries
        self._down()

    def _tick(self) -> None:
        if self._server is None:
            self._downtime -= 1
            if self._downtime < 0:
                self._up()

    def _up(self) -> None:
        self._server = _Server(("127.0.0.1", self._port), self)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _down(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], api: FakeApi) -> None:
        self.api = api
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A stopped client hangs up: no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        request = Request(url.path, dict(parse_qsl(url.query, True)), dict(self.headers))
        step = self.server.api.next_step(request)
        if isinstance(step, Body):
            self._answer(step)
        elif isinstance(step, Lines):
            self._stream(step)
        else:
            self._hang_up()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet."""

    def _answer(self, step: Body) -> None:
        body = step.body if isinstance(step.body, bytes) else json.dumps(step.body).encode()
        self.send_response(step.code)
        for name, value in step.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, step: Lines) -> None:
        api = self.server.api
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for each in step.events:
            line = each if isinstance(each, bytes) else json.dumps(each).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        if step.end == "hang":
            api.hold()
            return
        api.clock.advance(step.lasting)
        if step.end == "down":
            api.go_down(step.tries)
        if step.end == "cut":
            self.wfile.write(b"ffff\r\n{")
            self.close_connection = True
            return
        self.wfile.write(b"0\r\n\r\n")
        if step.end == "down":
            self.close_connection = True

    def _hang_up(self) -> None:
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
