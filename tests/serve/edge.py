"""A transport serving an `Answer` of the test's own, and raw callers of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import grpc

from grpcdns.serve.edge import Edge
from grpcdns.serve.health import Health
from grpcdns.serve.lane import Lane
from grpcdns.serve.threads import Threads
from grpcdns.serve.transport import QUERY, Answer, Pressure, Transport

TRANSPORTS: Final[dict[str, Callable[[Edge, Answer, Pressure], Transport]]] = {
    "lane": Lane,
    "threads": Threads,
}

Query = Callable[..., bytes]


class Served(NamedTuple):
    """What a test holds of a running transport."""

    transport: Transport
    health: Health
    pressure: Pressure
    address: str

    @contextmanager
    def channel(self, *options: tuple[str, object]) -> Iterator[grpc.Channel]:
        """A connection of its own."""
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
    name: str, address: str, answer: Answer, *, credentials: grpc.ServerCredentials | None = None
) -> Iterator[Served]:
    health, pressure = Health(serving=True), Pressure()
    edge = Edge([address], health, credentials=credentials)
    transport = TRANSPORTS[name](edge, answer, pressure)
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
