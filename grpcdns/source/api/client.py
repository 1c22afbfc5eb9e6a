"""Requests to the Kubernetes API over HTTP: whole answers, and watches line by line.

How it works: each watch thread has a Connection, kept alive between its requests. The standard
library's http.client is enough for that, and costs 8 MB and 25 ms where the kubernetes package
costs 35 MB and 175 ms and urllib3 14 MB and 60 ms. Its errors, the socket's and TLS's become ours
here: ApiError, Unreachable, Stopped.

Beware: nobody reports a dead connection, so it must be noticed from this side. If the peer is gone,
TCP keepalive ends it within 30 s. If the peer acknowledges and sends nothing (a load balancer that
has lost the API), the read timeout does; a live watch never is silent for as long, as it is asked
to end earlier (``retry.WATCH_TIMEOUT``).
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlencode, urlsplit

import grpcdns
from grpcdns.config.options import UserError
from grpcdns.source.api.decode import decode_status
from grpcdns.source.api.login import Login
from grpcdns.source.api.requests import NO_ANSWER, Requests, Verb
from grpcdns.source.api.throttle import Throttle

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 55.0
METADATA: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
"""What to accept where no more than names and versions are needed."""
BUFFER: Final = 1 << 18
PIECE: Final = 1 << 16
"""Bytes read at once. The API sends a list in chunks of an object or less; handling each of them
alone would take as long as parsing it."""
JSON: Final = "application/json"
LINE_LIMIT: Final = 64 << 20
"""Bytes. An object in etcd is 1.5 MB at most, so a longer line is not an event."""

Params = dict[str, str]


class ApiError(Exception):
    """The API answered with an error. ``retry_after``: seconds, None where it gives none."""

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        causes: tuple[str, ...] = (),
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {message}" if message else f"{status} {reason}")
        self.status = status
        self.reason = reason
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


class Unreachable(Exception):
    """No answer: refused, reset, timed out, certificate not trusted."""


class NoLogin(Unreachable):
    """The API refused the credentials, and there are no others."""


class Stopped(Exception):
    """The client was stopped before or during the request."""


class Client:
    """The API: where it is, who we are, and the limits on requests.

    ``login`` is called at the first request, and again when the API answers 401. Timeouts are in
    seconds; ``read_timeout`` is the longest silence while an answer or an event is awaited.
    """

    def __init__(
        self,
        login: Callable[[], Login],
        throttle: Throttle,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
    ) -> None:
        self.throttle = throttle
        self.requests = Requests()
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self._login = login
        self._lock = threading.Lock()
        self._login_lock = threading.Lock()
        self._current: tuple[Login, ssl.SSLContext | None] | None = None
        self._connections: set[Connection] = set()
        self.stopped = False

    def connect(self) -> Connection:
        """A connection for one thread. It opens with its first request."""
        connection = Connection(self)
        with self._lock:
            self._connections.add(connection)
        return connection

    def stop(self) -> None:
        """Ends all requests with Stopped, those in flight and those to come."""
        with self._lock:
            self.stopped = True
            for connection in self._connections:
                connection.interrupt()

    def login(self, refused: Login | None = None) -> tuple[Login, ssl.SSLContext | None]:
        """The current Login; ``refused`` is one that the API has answered with 401.

        Raises UserError.
        """
        current = self._current
        if current is not None and current[0] is not refused:
            return current
        with self._login_lock:
            if self._current is None or self._current[0] is refused:
                login = self._login()
                self._current = (login, login.tls())
            return self._current


class Connection:
    """One connection, for one thread; only ``interrupt`` may be called from another thread."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._http: http.client.HTTPConnection | None = None

    @property
    def stopped(self) -> bool:
        """Whether the client was stopped."""
        return self._client.stopped

    def get(self, path: str, params: Params, accept: str = JSON) -> bytearray:
        """The whole body of an answer. Raises ApiError, Unreachable, Stopped."""
        body = bytearray()
        for data in self.read(path, params, accept):
            body += data
        return body

    def read(self, path: str, params: Params, accept: str = JSON) -> Iterator[bytes]:
        """The body of an answer, piece by piece. Raises ApiError, Unreachable, Stopped; the pieces
        before that must be thrown away."""
        with self._turn("list"):
            response = self._request("list", path, params, accept)
            try:
                while data := response.read(PIECE):
                    yield data
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.close()
                raise self._failure(error) from error

    def stream(self, path: str, params: Params) -> Stream:
        """Begins a watch. Raises ApiError, Unreachable, Stopped."""
        with self._turn("watch"):
            return Stream(self, self._request("watch", path, params, JSON))

    def interrupt(self) -> None:
        """Ends the request in flight, from another thread; the connection can be used again."""
        http_ = self._http
        if http_ is not None and http_.sock is not None:
            try:  # below TLS, whose state the reading thread is using
                socket.socket.shutdown(http_.sock, socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Closes the connection; the next request opens it again."""
        http_, self._http = self._http, None
        if http_ is not None:
            http_.close()

    @contextmanager
    def _turn(self, verb: Verb) -> Iterator[None]:
        """Waits for the limits on requests."""
        began = time.monotonic()
        with self._client.throttle.request():
            self._client.requests.waited(verb, time.monotonic() - began)
            yield

    def _request(
        self, verb: Verb, path: str, params: Params, accept: str
    ) -> http.client.HTTPResponse:
        """The head of an answer. After a 401 it logs in again, once."""
        login, _ = self._client.login()
        response = self._exchange(verb, path, params, accept)
        if response.status == 401:
            self.close()
            try:
                self._client.login(refused=login)
            except UserError as error:
                raise NoLogin(str(error)) from error
            response = self._exchange(verb, path, params, accept)
        if response.status != 200:
            raise self._refusal(response)
        return response

    def _exchange(
        self, verb: Verb, path: str, params: Params, accept: str
    ) -> http.client.HTTPResponse:
        """Sends a request; if a kept connection turns out to be dead, once more on a new one."""
        kept = self._http is not None
        try:
            return self._timed(verb, path, params, accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            if not kept or self._client.stopped or isinstance(error, TimeoutError):
                raise self._failure(error) from error
        try:
            return self._timed(verb, path, params, accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            raise self._failure(error) from error

    def _timed(
        self, verb: Verb, path: str, params: Params, accept: str
    ) -> http.client.HTTPResponse:
        began, code = time.monotonic(), NO_ANSWER
        try:
            response = self._send(path, params, accept)
            code = str(response.status)
            return response
        finally:
            if not self._client.stopped:
                self._client.requests.took(verb, code, time.monotonic() - began)

    def _send(self, path: str, params: Params, accept: str) -> http.client.HTTPResponse:
        if self._client.stopped:
            raise Stopped
        login, tls = self._client.login()
        if self._http is None or self._http.sock is None:
            self._http = _Http(login, tls, self._client.connect_timeout)
            self._http.connect()
        self._http.sock.settimeout(self._client.read_timeout)
        target = f"{login.path}{path}?{urlencode(params)}" if params else f"{login.path}{path}"
        self._http.request("GET", target, headers=_headers(login, accept))
        if self._client.stopped:  # stop() may have run before there was a socket to shut down
            raise Stopped
        return self._http.getresponse()

    def _refusal(self, response: http.client.HTTPResponse) -> Exception:
        try:
            body = response.read(1 << 20)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.close()
            return self._failure(error)
        if not response.isclosed():
            self.close()
        status = decode_status(body)
        after = response.headers.get("Retry-After", "")
        return ApiError(
            response.status,
            status.reason or response.reason,
            status.message,
            status.causes,
            float(after) if after.isdecimal() else status.retry_after,
        )

    def _failure(self, error: Exception) -> Exception:
        if self._client.stopped:
            return Stopped()
        return Unreachable(describe(error))


class Stream:
    """The lines of a watch, as they come. ``ended``: closed (in order), silent or dropped."""

    def __init__(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.ended = ""

    def __iter__(self) -> Iterator[bytes]:
        """However a stream ends is normal; only a stop raises, with Stopped."""
        rest = b""
        try:
            while data := self._response.read1(BUFFER):
                *lines, rest = (rest + data).split(b"\n") if rest else data.split(b"\n")
                yield from filter(None, lines)
                if len(rest) > LINE_LIMIT:
                    self.ended = "dropped"
                    break
            else:
                self.ended = "closed"
                self._response.close()
        except TimeoutError:
            self.ended = "silent"
        except (OSError, http.client.HTTPException, ValueError):
            self.ended = "dropped"
        finally:
            self.close()
        if self._connection.stopped:
            raise Stopped

    def close(self) -> None:
        """Ends the watch: the API notices that its connection is closed."""
        if self.ended != "closed":
            self._connection.close()


class _Http(http.client.HTTPConnection):
    """A connection to the API, through a proxy and in TLS where the Login says so."""

    def __init__(self, login: Login, tls: ssl.SSLContext | None, timeout: float) -> None:
        url = urlsplit(login.host)
        port = url.port or (443 if tls else 80)
        host = url.hostname or ""
        self._tls = tls
        self._name = login.server_name or host
        if login.proxy:
            proxy = urlsplit(login.proxy)
            super().__init__(proxy.hostname or "", proxy.port or 80, timeout=timeout)
            self.set_tunnel(host, port)
        else:
            super().__init__(host, port, timeout=timeout)

    def connect(self) -> None:
        super().connect()
        for option, value in _KEEPALIVE:
            self.sock.setsockopt(*option, value)
        if self._tls is not None:
            self.sock = self._tls.wrap_socket(self.sock, server_hostname=self._name)


_KEEPALIVE: Final = (
    ((socket.SOL_SOCKET, socket.SO_KEEPALIVE), 1),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPIDLE), 15),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPINTVL), 5),
    ((socket.IPPROTO_TCP, socket.TCP_KEEPCNT), 3),
    ((socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT), 30_000),
)


def describe(error: BaseException) -> str:
    """A network error in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, socket.gaierror):
        return f"its name does not resolve: {error.strerror}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _headers(login: Login, accept: str) -> dict[str, str]:
    headers = {"Accept": accept, "User-Agent": f"grpcdns/{grpcdns.__version__}"}
    authorization = login.authorization()
    if authorization:
        headers["Authorization"] = authorization
    return headers
