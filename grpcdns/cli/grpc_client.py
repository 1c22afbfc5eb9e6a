"""The gRPC client of the commands: a channel to a server, and one line that says why it failed.

The only importer of grpc in ``cli``. A unix socket is plaintext, as `grpcdns serve` serves it: TLS
flags are for TCP addresses.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpcdns.cli import NotDone
from grpcdns.config.options import UserError
from grpcdns.pb import dns_pb2

SERVICE: Final = "coredns.dns.DnsService"
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 65539),
)


class Failed(NotDone):
    """The server gave no answer: the address; and why, gRPC's status and its words."""

    def __init__(self, address: str, error: Any) -> None:
        self.why = f"{error.code().name}: {error.details()}"
        super().__init__(f"{address}: {self.why}")


@contextmanager
def channel(args: argparse.Namespace, address: str) -> Iterator[grpc.Channel]:
    """A channel to ``address``. An error of gRPC in the block is raised as ``Failed``."""
    options, credentials = _how(args, address)
    if credentials is not None:
        opened = grpc.secure_channel(address, credentials, options=options)
    else:
        opened = grpc.insecure_channel(address, options=options)
    with opened:
        try:
            yield opened
        except grpc.RpcError as error:
            raise Failed(address, error) from error


class Asker:
    """Many queries to one server at once: ``async with Asker(args, address, 5.0) as asker``."""

    def __init__(self, args: argparse.Namespace, address: str, seconds: float) -> None:
        options, credentials = _how(args, address)
        self._address = address
        self._seconds = seconds
        self._channel = (
            grpc.aio.insecure_channel(address, options=options)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials, options=options)
        )
        self._query = self._channel.unary_unary(
            f"/{SERVICE}/Query",
            request_serializer=dns_pb2.DnsPacket.SerializeToString,
            response_deserializer=dns_pb2.DnsPacket.FromString,
        )

    async def ask(self, message: bytes) -> bytes:
        """One ``Query``: a DNS message in, a DNS message out. Raises ``Failed``."""
        try:
            reply = await self._query(dns_pb2.DnsPacket(msg=message), timeout=self._seconds)
        except grpc.aio.AioRpcError as error:
            raise Failed(self._address, error) from error
        return bytes(reply.msg)

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close(None)


def _how(
    args: argparse.Namespace, address: str
) -> tuple[list[tuple[str, Any]], grpc.ChannelCredentials | None]:
    """A channel's options, and its credentials; None for plaintext."""
    options: list[tuple[str, Any]] = list(_OPTIONS)
    parts = [_read(args, name) for name in ("tls_ca", "tls_key", "tls_cert")]
    if parts[0] is None or address.startswith("unix:"):
        return options, None
    if args.tls_name:
        options.append(("grpc.ssl_target_name_override", args.tls_name))
    return options, grpc.ssl_channel_credentials(*parts)


def ask(channel: grpc.Channel, message: bytes, seconds: float) -> bytes:
    """One ``Query``: a DNS message in, a DNS message out."""
    query = channel.unary_unary(
        f"/{SERVICE}/Query",
        request_serializer=dns_pb2.DnsPacket.SerializeToString,
        response_deserializer=dns_pb2.DnsPacket.FromString,
    )
    reply: dns_pb2.DnsPacket = query(dns_pb2.DnsPacket(msg=message), timeout=seconds)
    return reply.msg


def health(channel: grpc.Channel, service: str, seconds: float) -> str:
    """The state of a service as grpc.health.v1 names it: SERVING, NOT_SERVING ..."""
    request = health_pb2.HealthCheckRequest(service=service)
    reply = health_pb2_grpc.HealthStub(channel).Check(request, timeout=seconds)
    return str(health_pb2.HealthCheckResponse.ServingStatus.Name(reply.status))


def _read(args: argparse.Namespace, name: str) -> bytes | None:
    path = getattr(args, name)
    if not path:
        return None
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"--{name.replace('_', '-')} {path}: {error.strerror}") from error
