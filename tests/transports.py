"""A transport that serves a test's `Servicer`, and raw callers.

A pytest plugin (tests/conftest.py names it): a test that asks for `serve` runs on both transports.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import grpc
import pytest

from grpcdns.serve.worker.later import Servicer
from grpcdns.serve.worker.transport.contract import QUERY, Pressure, Transport
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.lane import Lane
from grpcdns.serve.worker.transport.server import Listeners
from grpcdns.serve.worker.transport.threads import Threads

TRANSPORTS: Final[dict[str, Callable[[Listeners, Servicer, Pressure], Transport]]] = {
    "lane": Lane,
    "threads": Threads,
}

Query = Callable[..., bytes]


class Served(NamedTuple):
    """A running transport."""

    transport: Transport
    health: Health
    pressure: Pressure
    address: str

    @contextmanager
    def channel(self, *options: tuple[str, object]) -> Iterator[grpc.Channel]:
        """A new connection."""
        private = [("grpc.use_local_subchannel_pool", 1), *options]
        with grpc.insecure_channel(target(self.address), options=private) as channel:
            yield channel

    def query(self, raw: bytes, timeout: float = 10.0) -> bytes:
        """One call with raw bytes both ways."""
        with self.channel() as channel:
            reply: bytes = method(channel)(raw, timeout=timeout)
            return reply


@contextmanager
def serving(
    name: str, address: str, answer: Servicer, *, credentials: grpc.ServerCredentials | None = None
) -> Iterator[Served]:
    health, pressure = Health(serving=True), Pressure()
    listeners = Listeners([address], health, credentials=credentials)
    transport = TRANSPORTS[name](listeners, answer, pressure)
    transport.start()
    try:
        yield Served(transport, health, pressure, address)
    finally:
        transport.stop(1.0)


def unix(folder: Path, name: str = "s.sock") -> str:
    return f"unix://{folder / name}"


def target(address: str) -> str:
    """As a gRPC client writes it."""
    return address.replace("unix://", "unix:")


def method(channel: grpc.Channel, path: str = QUERY) -> grpc.UnaryUnaryMultiCallable[bytes, bytes]:
    return channel.unary_unary(path, None, None)


def code_of(error: BaseException) -> grpc.StatusCode:
    assert isinstance(error, grpc.RpcError)
    return error.code()


Serve = Callable[..., Served]


@pytest.fixture(params=sorted(TRANSPORTS))
def transport(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def serve(transport: str, tmp_path: Path) -> Iterator[Serve]:
    """`serve(answer)`: a server on a unix socket; it echoes by default."""
    with ExitStack() as stack:

        def start(answer: Servicer = bytes, address: str = "", **options: object) -> Served:
            where = address or unix(tmp_path)
            return stack.enter_context(serving(transport, where, answer, **options))  # type: ignore[arg-type]

        yield start
