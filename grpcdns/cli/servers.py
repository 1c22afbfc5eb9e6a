"""The arguments that say which servers to query, and how to reach them."""

from __future__ import annotations

import argparse
import ipaddress
import os

from grpcdns.config import values
from grpcdns.config.options import Config, UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--server",
        metavar="ADDR",
        action="append",
        help="unix:///path, HOST:PORT or [v6]:PORT [GRPCDNS_SERVER, or the first --listen default]",
    )
    parser.add_argument("--timeout", metavar="DURATION", default="5s", help="for the reply [5s]")
    add_tls_arguments(parser)


def add_tls_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags for TLS to a TCP address."""
    parser.add_argument("--tls-ca", metavar="FILE", help="use TLS; CA (PEM) of the server")
    parser.add_argument("--tls-cert", metavar="FILE", help="client certificate (PEM)")
    parser.add_argument("--tls-key", metavar="FILE", help="private key (PEM) of the certificate")
    parser.add_argument("--tls-name", metavar="NAME", help="name in the server's certificate")


def addresses(args: argparse.Namespace) -> list[str]:
    """The addresses given by flags, else by the variable, else the first default of --listen."""
    given = args.server or [os.environ.get("GRPCDNS_SERVER") or Config().listen[0]]
    try:
        return list(values.many(values.listen_address)(given))
    except ValueError as error:
        raise UserError(f"--server: {error}") from error


def address(text: str) -> str:
    """One ``--server``."""
    try:
        return str(values.listen_address(text))
    except ValueError as error:
        raise UserError(f"--server: {error}") from error


def dns_address(flag: str, text: str) -> tuple[str, int]:
    """Host and port of a DNS server: IP, IP:PORT or [v6]:PORT. Raises UserError."""
    try:
        host, _, port = values.host_port(str(values.upstream_address(text))).rpartition(":")
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError as error:
        raise UserError(f"{flag}: {text!r} is not an IP address with or without a port") from error


def seconds(args: argparse.Namespace) -> float:
    """``--timeout``."""
    try:
        return float(values.duration(0.001, 3600)(args.timeout))
    except ValueError as error:
        raise UserError(f"--timeout: {error}") from error
