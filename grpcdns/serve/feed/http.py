"""A few GET routes over HTTP/1.1, for Prometheus and probes.

Every connection is closed after its response. Slow ones time out, and only a few are served at a
time.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from grpcdns.config.options import UserError

_log = logging.getLogger(__name__)

_LIMIT: Final = 8192
_TIMEOUT: Final = 5.0
_AT_ONCE: Final = 16
_REASONS: Final = {200: "OK", 400: "Bad Request", 404: "Not Found", 405: "Method Not Allowed",
                   500: "Internal Server Error", 503: "Service Unavailable"}  # fmt: skip


class Response(NamedTuple):
    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


Route = Callable[[str], Response]
"""From a request's query, the text after "?", to its response."""


class MetricsServer:
    """Serves ``routes`` on ``address``. Raises `UserError` when the address cannot be bound."""

    def __init__(self, address: str, routes: Mapping[str, Route]) -> None:
        self._routes = routes
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._listener = _listen(address)

    def start(self) -> None:
        threading.Thread(target=self._accept, name="http", daemon=True).start()

    def stop(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            if not self._slots.acquire(blocking=False):
                sock.close()
                continue
            threading.Thread(target=self._serve, args=(sock,), name="http", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            with sock:
                sock.settimeout(_TIMEOUT)
                method, path = _read_request(sock)
                sock.sendall(_to_wire(self._respond(method, path), head=method == "HEAD"))
        except (OSError, ValueError):
            pass  # the caller hung up or sent no request
        finally:
            self._slots.release()

    def _respond(self, method: str, path: str) -> Response:
        name, _, query = path.partition("?")
        route = self._routes.get(name)
        if method not in ("GET", "HEAD"):
            return Response(405, "GET only\n")
        if route is None:
            return Response(404, "there is " + ", ".join(sorted(self._routes)) + "\n")
        try:
            return route(query)
        except Exception:
            _log.exception("GET %s failed", path)
            return Response(500, "see the log\n")


def _read_request(sock: socket.socket) -> tuple[str, str]:
    """Method and path. Raises ValueError for anything that is no request."""
    raw = b""
    while b"\r\n\r\n" not in raw and b"\n\n" not in raw:
        data = sock.recv(_LIMIT)
        raw += data
        if not data or len(raw) > _LIMIT:
            raise ValueError("no request")
    method, path, _version = raw.split(b"\n", 1)[0].decode("ascii").split()
    return method, path


def _to_wire(response: Response, *, head: bool) -> bytes:
    body = response.body.encode()
    lines = (
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        "",
        "",
    )
    return "\r\n".join(lines).encode() + (b"" if head else body)


def _listen(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server(
            (host, int(port)), family=family, dualstack_ipv6=host == "::" and socket.has_ipv6
        )
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserError(f"--metrics {address}: {why}") from error
