"""Requests to the Kubernetes API over HTTP: whole answers, and watches line by line.

How it works: each watch thread has a Connection of its own, kept alive between its requests; the
standard library's http.client is enough for that, and costs 8 MB and 25 ms where the kubernetes
package costs 35 MB and 175 ms (see client.py) and urllib3 14 MB and 60 ms. Its errors, the
socket's and TLS's become ours here: ApiError, Unreachable, Stopped.

Beware: a connection that nothing answers on must be noticed from this side (facts F12). Dead
links: TCP keepalive, within 30 s. A server that holds the link and says nothing: the read
timeout, which is longer than the API's time between two bookmarks (60 s).
"""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlencode, urlsplit

import grpcdns
from grpcdns.config.options import UserError
from grpcdns.source.api.decode import decode_status
from grpcdns.source.api.login import Login
from grpcdns.source.api.throttle import Throttle

CONNECT_TIMEOUT: Final = 10.0
READ_TIMEOUT: Final = 75.0
BUFFER: Final = 1 << 18
PIECE: Final = 1 << 16
"""Bytes. The API sends a list in chunks of an object or less: to look at each of them alone would
take as long as to read it."""
JSON: Final = "application/json"
LINE_LIMIT: Final = 64 << 20
"""Bytes: an etcd object is 1.5 MB at most; what is longer is no watch."""

Params = dict[str, str]


class ApiError(Exception):
    """The API answered, with an error. ``retry_after``: seconds, None where it does not say."""

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
    """No answer: refused, reset, timed out, not to be trusted."""


class Stopped(Exception):
    """The client was stopped while, or before, something was asked of it."""


class Client:
    """The API: where it is, who we are, and how much may be asked of it.

    ``login`` is called at the first request, and again when the API no longer knows us.
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
        self.connect_timeout = connect_timeout
        self.read_timeout = read_timeout
        self._login = login
        self._lock = threading.Lock()
        self._login_lock = threading.Lock()
        self._current: tuple[Login, ssl.SSLContext | None] | None = None
        self._connections: set[Connection] = set()
        self.stopped = False

    def connect(self) -> Connection:
        """A connection for one thread; nothing is sent yet."""
        connection = Connection(self)
        with self._lock:
            self._connections.add(connection)
        return connection

    def stop(self) -> None:
        """Ends every request under way, and refuses those to come, with Stopped."""
        with self._lock:
            self.stopped = True
            for connection in self._connections:
                connection.interrupt()

    def login(self, refused: Login | None = None) -> tuple[Login, ssl.SSLContext | None]:
        """Who we are; ``refused`` is the Login that the API has just answered with 401.

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
    """One connection, for one thread; only ``interrupt`` may be called from another."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._http: http.client.HTTPConnection | None = None

    def get(self, path: str, params: Params, accept: str = JSON) -> bytearray:
        """The whole body of an answer. Raises ApiError, Unreachable, Stopped."""
        body = bytearray()
        for data in self.read(path, params, accept):
            body += data
        return body

    def read(self, path: str, params: Params, accept: str = JSON) -> Iterator[bytes]:
        """The body of an answer, piece by piece. Raises ApiError, Unreachable, Stopped: then what
        came before is of no use."""
        with self._client.throttle.request():
            response = self._request(path, params, accept)
            try:
                while data := response.read(PIECE):
                    yield data
                if response.length:
                    raise http.client.IncompleteRead(b"", response.length)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._close()
                raise self._failure(error) from error

    def stream(self, path: str, params: Params) -> Stream:
        """A watch, begun. Raises ApiError, Unreachable, Stopped."""
        with self._client.throttle.request():
            return Stream(self, self._request(path, params, JSON))

    def interrupt(self) -> None:
        """Ends what is being read, from another thread; it may be used again afterwards."""
        http_ = self._http
        if http_ is not None and http_.sock is not None:
            try:  # below TLS, which another thread is using
                socket.socket.shutdown(http_.sock, socket.SHUT_RDWR)
            except OSError:
                pass

    def close(self) -> None:
        """Done with it."""
        self._close()

    def _request(self, path: str, params: Params, accept: str) -> http.client.HTTPResponse:
        """The answer's head. A 401 makes us log in anew, once."""
        login, _ = self._client.login()
        response = self._exchange(path, params, accept)
        if response.status == 401:
            self._close()
            try:
                self._client.login(refused=login)
            except UserError as error:
                raise Unreachable(str(error)) from error
            response = self._exchange(path, params, accept)
        if response.status != 200:
            raise self._refusal(response)
        return response

    def _exchange(self, path: str, params: Params, accept: str) -> http.client.HTTPResponse:
        """Sends a request; on a kept connection that has died meanwhile, once more on a new one."""
        kept = self._http is not None
        try:
            return self._send(path, params, accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._close()
            if not kept or self._client.stopped or isinstance(error, TimeoutError):
                raise self._failure(error) from error
        try:
            return self._send(path, params, accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._close()
            raise self._failure(error) from error

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
        if self._client.stopped:  # stop() may have come before there was a socket to shut
            raise Stopped
        return self._http.getresponse()

    def _refusal(self, response: http.client.HTTPResponse) -> Exception:
        try:
            body = response.read(1 << 20)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._close()
            return self._failure(error)
        if not response.isclosed():
            self._close()
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

    def _close(self) -> None:
        http_, self._http = self._http, None
        if http_ is not None:
            http_.close()


class Stream:
    """The lines of a watch, as they come. ``ended`` says how it ended: closed, silent, dropped."""

    def __init__(self, connection: Connection, response: http.client.HTTPResponse) -> None:
        self._connection = connection
        self._response = response
        self.ended = ""

    def __iter__(self) -> Iterator[bytes]:
        """Every end of a stream is a normal one (facts P9); only a stop raises, with Stopped."""
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
        if self._connection._client.stopped:
            raise Stopped

    def close(self) -> None:
        """Leaves the watch; the API notices by its connection."""
        if self.ended != "closed":
            self._connection.close()


class _Http(http.client.HTTPConnection):
    """A connection to the API: through a proxy where there is one, in TLS where it is https."""

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
    """An error of the network in a few words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be trusted: {error.verify_message}"
    if isinstance(error, TimeoutError):
        return "no answer in time"
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
