"""A few GET routes over HTTP/1.1: for Prometheus and probes, and for the page.

Every connection is closed after its response. Slow ones time out, and only a few are served at a
time.
"""

from __future__ import annotations

import logging
import os
import socket
import stat
import threading
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from grpcdns.config.options import UserError

_log = logging.getLogger(__name__)

_LIMIT: Final = 32768
"""Octets of a request: a browser sends along all cookies of its "localhost"."""
_TIMEOUT: Final = 5.0
_AT_ONCE: Final = 16
_REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Response(NamedTuple):
    status: int
    body: str
    kind: str = "text/plain; charset=utf-8"


class Request(NamedTuple):
    """``headers``: by name in lower case; the values of one that came twice are joined by a comma
    (RFC 9110 5.3)."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


Route = Callable[[str], Response]
"""From a request's query, the text after "?", to its response."""
Refusal = Callable[[Request], Response | None]
"""The response to a request that is refused, whatever its path; None for one that is not."""


class HttpServer:
    """Serves ``routes`` on ``address``, HOST:PORT or unix:///path, which ``option`` has given.
    ``headers`` go with every response. Raises `UserError` when the address cannot be bound."""

    def __init__(
        self,
        address: str,
        routes: Mapping[str, Route],
        option: str = "metrics",
        refuse: Refusal = lambda _: None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._routes = routes
        self._refuse = refuse
        self._headers = headers or {}
        self._slots = threading.BoundedSemaphore(_AT_ONCE)
        self._listener = _listen(address, option)

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
                request = _read_request(sock)
                head = request.method == "HEAD"
                sock.sendall(_to_wire(self._respond(request), self._headers, head=head))
        except (OSError, ValueError):
            pass  # the caller hung up or sent no request
        finally:
            self._slots.release()

    def _respond(self, request: Request) -> Response:
        route = self._routes.get(request.path)
        if request.method not in ("GET", "HEAD"):
            return Response(405, "GET only\n")
        refused = self._refuse(request)
        if refused is not None:
            return refused
        if route is None:
            return Response(404, "there is " + ", ".join(sorted(self._routes)) + "\n")
        try:
            return route(request.query)
        except Exception:
            _log.exception("GET %s failed", request.path)
            return Response(500, "see the log\n")


def _read_request(sock: socket.socket) -> Request:
    """Raises ValueError for anything that is no request."""
    raw = b""
    while b"\r\n\r\n" not in raw and b"\n\n" not in raw:
        data = sock.recv(_LIMIT)
        raw += data
        if not data or len(raw) > _LIMIT:
            raise ValueError("no request")
    first, *lines = (line.strip("\r") for line in raw.decode("latin-1").split("\n"))
    method, target, _version = first.split()
    headers: dict[str, str] = {}
    for line in lines[: lines.index("")]:
        name, _, value = (part.strip() for part in line.partition(":"))
        name = name.lower()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    path, _, query = target.partition("?")
    return Request(method, path, query, headers)


def _to_wire(response: Response, headers: Mapping[str, str], *, head: bool) -> bytes:
    body = response.body.encode()
    lines = (
        f"HTTP/1.1 {response.status} {_REASONS[response.status]}",
        f"Content-Type: {response.kind}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *(f"{name}: {value}" for name, value in headers.items()),
        "",
        "",
    )
    return "\r\n".join(lines).encode() + (b"" if head else body)


def _listen(address: str, option: str) -> socket.socket:
    try:
        if address.startswith("unix://"):
            return _listen_unix(address.removeprefix("unix://"))
        return _listen_tcp(address)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno else str(error)
        raise UserError(f"--{option} {address}: {why}") from error


def _listen_unix(path: str) -> socket.socket:
    """A socket for our user alone, in place of one that nobody listens on. Raises OSError."""
    sock = socket.socket(socket.AF_UNIX)
    umask = os.umask(0o177)
    try:
        if _is_stale(path):
            os.unlink(path)
        sock.bind(path)
        sock.listen(_AT_ONCE)
    except OSError:
        sock.close()
        raise
    finally:
        os.umask(umask)
    return sock


def _is_stale(path: str) -> bool:
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            return False
    except FileNotFoundError:
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            return True
        except OSError:
            pass
    return False


def _listen_tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server(
        (host, int(port)), family=family, dualstack_ipv6=host == "::" and socket.has_ipv6
    )
