"""HTTP to the API: connections kept and lost, TLS, proxies, errors made ours."""

from __future__ import annotations

import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from grpcdns.source.api.client import ApiError, Client, Stopped, Unreachable, describe
from grpcdns.source.api.login import Login
from grpcdns.source.api.throttle import Throttle
from grpcdns.source.clock import WallClock
from harness.certificates import Authority
from tests.unit.source.fake_clock import FakeClock

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@contextmanager
def serving(
    handle: Callable[[socket.socket, int], None], tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """A TCP server that passes each connection and its number to `handle`; yields its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            number = 0
            while True:
                try:
                    raw, _ = listener.accept()
                except OSError:
                    return
                number += 1
                try:
                    with tls.wrap_socket(raw, server_side=True) if tls else raw as connection:
                        handle(connection, number)
                except OSError:
                    raw.close()

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def request(connection: socket.socket) -> bytes:
    """One request's head, "" at the end."""
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        got = connection.recv(1)
        if not got:
            return b""
        data += got
    return data


@contextmanager
def client(login: Login, **options: float) -> Iterator[Client]:
    made = Client(lambda: login, Throttle(FakeClock()), **options)
    yield made
    made.stop()


@contextmanager
def asking(port: int, scheme: str = "http", **login: str | bool) -> Iterator[Callable[[], bytes]]:
    """A connection to a server of a test, and a way to ask it."""
    made = Login(f"{scheme}://127.0.0.1:{port}", **login)  # type: ignore[arg-type]
    with client(made, connect_timeout=2, read_timeout=2) as it:
        connection = it.connect()
        try:
            yield lambda: bytes(connection.get("/x", {"a": "b c"}))
        finally:
            connection.close()


def test_a_connection_is_kept() -> None:
    seen: list[tuple[int, bytes]] = []

    def handle(connection: socket.socket, number: int) -> None:
        while head := request(connection):
            seen.append((number, head))
            connection.sendall(OK)

    with serving(handle) as port, asking(port, token="Bearer t") as ask:
        assert [ask(), ask()] == [b"{}", b"{}"]
    assert [number for number, _ in seen] == [1, 1]
    assert b"GET /x?a=b+c HTTP/1.1" in seen[0][1]
    assert b"Authorization: Bearer t" in seen[0][1]
    assert b"User-Agent: grpcdns/" in seen[0][1]


def test_a_dead_kept_connection_is_replaced() -> None:
    def handle(connection: socket.socket, number: int) -> None:
        if request(connection):
            connection.sendall(OK)

    with serving(handle) as port, asking(port) as ask:
        assert [ask(), ask(), ask()] == [b"{}"] * 3


def test_an_answer_that_ends_with_the_connection() -> None:
    def handle(connection: socket.socket, number: int) -> None:
        if request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}")

    with serving(handle) as port, asking(port) as ask:
        assert [ask(), ask()] == [b"{}"] * 2


CUT = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{}",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
    "rubbish": b"SSH-2.0-OpenSSH_9\r\n",
    "nothing": b"",
}


@pytest.mark.parametrize("answer", CUT.values(), ids=CUT.keys())
def test_an_answer_that_is_cut_off_is_no_answer(answer: bytes) -> None:
    def handle(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(answer)

    with serving(handle) as port, asking(port) as ask, pytest.raises(Unreachable):
        ask()


def test_an_error_without_a_status_has_its_http_reason() -> None:
    def handle(connection: socket.socket, number: int) -> None:
        request(connection)
        connection.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 4\r\n\r\n<h1>")

    with serving(handle) as port, asking(port) as ask, pytest.raises(ApiError) as error:
        ask()
    assert (error.value.status, error.value.reason) == (502, "Bad Gateway")
    assert str(error.value) == "502 Bad Gateway: <h1>"


def test_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with asking(port) as ask, pytest.raises(Unreachable, match="Connection refused"):
        ask()


def test_a_name_that_does_not_resolve() -> None:
    with client(Login("https://api.invalid")) as it, pytest.raises(Unreachable, match="resolve"):
        it.connect().get("/", {})


def test_stopped_before_anything_is_asked() -> None:
    with asking(1) as ask, client(Login("http://127.0.0.1:1")) as it:
        it.stop()
        with pytest.raises(Stopped):
            it.connect().get("/", {})
        del ask


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def tls_server(authority: Authority) -> ssl.SSLContext:
    pair = authority.issue("server", hosts=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    return context


def answer(connection: socket.socket, number: int) -> None:
    while request(connection):
        connection.sendall(OK)


def test_tls(authority: Authority) -> None:
    with serving(answer, tls_server(authority)) as port:
        ca = authority.cert.read_text()
        with asking(port, "https", ca=ca) as ask:
            assert ask() == b"{}"


def test_an_authority_without_key_identifiers(tmp_path: Path) -> None:
    """Python 3.13 and newer refuse it by default."""
    old = Authority(tmp_path / "old", key_identifiers=False)
    with (
        serving(answer, tls_server(old)) as port,
        asking(port, "https", ca=old.cert.read_text()) as ask,
    ):
        assert ask() == b"{}"


@pytest.mark.parametrize("memfd", [True, False])
def test_a_client_certificate_is_never_on_disk(
    authority: Authority, memfd: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not memfd:
        monkeypatch.delattr("os.memfd_create", raising=False)
    context = tls_server(authority)
    context.load_verify_locations(authority.cert)
    context.verify_mode = ssl.CERT_REQUIRED
    me = authority.issue("me")
    with serving(answer, context) as port:
        ca, cert, key = (path.read_text() for path in (authority.cert, me.cert, me.key))
        with asking(port, "https", ca=ca, cert=cert, key=key) as ask:
            assert ask() == b"{}"


def test_a_server_that_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    with serving(answer, tls_server(authority)) as port:
        with (
            asking(port, "https", ca=other.cert.read_text()) as ask,
            pytest.raises(Unreachable, match="certificate is not trusted"),
        ):
            ask()
        with asking(port, "https", ca=other.cert.read_text(), verify=False) as ask:
            assert ask() == b"{}"


def test_a_server_of_another_name(authority: Authority) -> None:
    ca = authority.cert.read_text()
    with (
        serving(answer, tls_server(authority)) as port,
        asking(port, "https", ca=ca, server_name="other.example") as ask,
        pytest.raises(Unreachable, match="not valid for"),
    ):
        ask()


def test_through_a_proxy() -> None:
    seen = []

    def proxy(connection: socket.socket, number: int) -> None:
        seen.append(request(connection))
        connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        answer(connection, number)

    with serving(proxy) as port:
        made = Login("http://api.invalid:8080", proxy=f"http://127.0.0.1:{port}")
        with client(made) as it:
            connection = it.connect()
            assert connection.get("/", {}) == b"{}"
            connection.close()
    assert seen[0].startswith(b"CONNECT api.invalid:8080 HTTP/1.")


SAID = {
    TimeoutError(): "timeout",
    OSError(errno.ECONNRESET, "x"): "Connection reset by peer",
    ssl.SSLError("oops"): "oops",
    ValueError(): "ValueError",
}


@pytest.mark.parametrize(("error", "text"), SAID.items())
def test_errors_in_words(error: Exception, text: str) -> None:
    assert text in describe(error)


def counts(made: Client) -> dict[tuple[str, str], float]:
    """Requests by verb and code."""
    return {
        (labels.split('"')[1], labels.split('"')[3]): value
        for name, labels, value in made.requests.samples()
        if name.endswith("requests_total")
    }


def observed(made: Client, family: str) -> dict[str, float]:
    """How many observations a histogram has, by verb."""
    return {
        labels.split('"')[1]: value
        for name, labels, value in made.requests.samples()
        if name == f"kubernetes_rest_client_{family}_count"
    }


def test_requests_are_counted_by_verb_and_code() -> None:
    """A dead kept connection is one without an answer, and its repetition another one."""
    answers = [OK, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", b"", OK]

    def handle(connection: socket.socket, number: int) -> None:
        while answers and request(connection):
            answer = answers.pop(0)
            if not answer:
                return
            connection.sendall(answer)

    with serving(handle) as port, client(Login(f"http://127.0.0.1:{port}")) as made:
        connection = made.connect()
        connection.get("/x", {})
        with pytest.raises(ApiError, match="403"):
            connection.get("/x", {})
        list(connection.stream("/x", {}))
        connection.close()
        assert counts(made) == {
            ("list", "200"): 1, ("list", "403"): 1, ("watch", "<error>"): 1, ("watch", "200"): 1,
        }  # fmt: skip
        assert observed(made, "request_duration_seconds") == {"list": 2, "watch": 2}
        assert observed(made, "rate_limiter_duration_seconds") == {"list": 2, "watch": 1}


def test_a_request_that_the_limits_hold_back_is_timed() -> None:
    with client(Login("http://127.0.0.1:1")) as made:
        made.throttle = Throttle(WallClock(), qps=20, burst=1)
        for _ in range(2):
            with pytest.raises(Unreachable):
                made.connect().get("/x", {})
        took = {n: v for n, _, v in made.requests.samples() if "rate_limiter" in n}
        assert took["kubernetes_rest_client_rate_limiter_duration_seconds_sum"] >= 0.04
        assert counts(made) == {("list", "<error>"): 2}
