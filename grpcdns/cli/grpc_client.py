"""The gRPC client of the commands: a channel to a server, and a one-line reason when it fails.

The only importer of grpc in ``cli``.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
import grpc.aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from grpcdns.cli import NotDone
from grpcdns.config import values
from grpcdns.config.options import Config, UserError
from grpcdns.pb import dns_pb2

SERVICE: Final = "coredns.dns.DnsService"
_OPTIONS: Final = (
    ("grpc.enable_http_proxy", 0),
    ("grpc.max_receive_message_length", 65539),
)


class Failed(NotDone):
    """The server gave no answer: the address, gRPC's status and its words."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say which server, and how to reach it."""
    parser.add_argument(
        "--server",
        metavar="ADDR",
        action="append",
        help="unix:///path, HOST:PORT or [v6]:PORT [GRPCDNS_SERVER, or the first --listen default]",
    )
    parser.add_argument("--timeout", metavar="DURATION", default="5s", help="wait this long [5s]")
    parser.add_argument("--tls-ca", metavar="FILE", help="use TLS; CA (PEM) of the server")
    parser.add_argument("--tls-cert", metavar="FILE", help="certificate (PEM) to show the server")
    parser.add_argument("--tls-key", metavar="FILE", help="the certificate's private key (PEM)")
    parser.add_argument("--tls-name", metavar="NAME", help="the name in the server's certificate")


def servers(args: argparse.Namespace) -> list[str]:
    """The addresses that were given, else the variable's, else the first default worker's."""
    given = args.server or [os.environ.get("GRPCDNS_SERVER") or Config().listen[0]]
    try:
        return list(values.many(values.listen_address)(given))
    except ValueError as error:
        raise UserError(f"--server: {error}") from error


def timeout(args: argparse.Namespace) -> float:
    try:
        return float(values.duration(0.001, 3600)(args.timeout))
    except ValueError as error:
        raise UserError(f"--timeout: {error}") from error


@contextmanager
def channel(args: argparse.Namespace, address: str) -> Iterator[grpc.Channel]:
    """A channel to ``address``; what fails in the block is raised as ``Failed``."""
    options, credentials = _how(args)
    if credentials is not None:
        opened = grpc.secure_channel(address, credentials, options=options)
    else:
        opened = grpc.insecure_channel(address, options=options)
    with opened:
        try:
            yield opened
        except grpc.RpcError as error:
            raise Failed(f"{address}: {error.code().name}: {error.details()}") from error


class Asker:
    """Asks one server many things at once: ``async with Asker(args, address) as asker``."""

    def __init__(self, args: argparse.Namespace, address: str, seconds: float) -> None:
        options, credentials = _how(args)
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
        """A DNS message for a DNS message. Raises ``Failed``."""
        try:
            reply = await self._query(dns_pb2.DnsPacket(msg=message), timeout=self._seconds)
        except grpc.aio.AioRpcError as error:
            raise Failed(f"{self._address}: {error.code().name}: {error.details()}") from error
        return bytes(reply.msg)

    async def __aenter__(self) -> Asker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._channel.close(None)


def _how(
    args: argparse.Namespace,
) -> tuple[list[tuple[str, Any]], grpc.ChannelCredentials | None]:
    """A channel's options, and its credentials where there is TLS."""
    options: list[tuple[str, Any]] = list(_OPTIONS)
    if args.tls_name:
        options.append(("grpc.ssl_target_name_override", args.tls_name))
    if not args.tls_ca:
        return options, None
    parts = [_read(args, name) for name in ("tls_ca", "tls_key", "tls_cert")]
    return options, grpc.ssl_channel_credentials(*parts)


def ask(channel: grpc.Channel, message: bytes, seconds: float) -> bytes:
    """One ``Query``: a DNS message for a DNS message."""
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
