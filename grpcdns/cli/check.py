"""Check the health of servers (grpc.health.v1), for probes and scripts.

Prints one line for each server, nothing with --quiet. The --tls-* flags are for servers on TCP: a
unix socket is always plaintext, so one call covers both.

With --dns it queries a DNS server instead, such as the CoreDNS in front: A and AAAA of --name, over
UDP and over TCP. It serves if there is a record, both ways.

Exit code 0: every server is serving (with --any: at least one is); 1: otherwise.

Examples:
    grpcdns check --server unix:///run/grpcdns/0.sock --server unix:///run/grpcdns/1.sock
    grpcdns check --dns 10.96.0.10 --name kubernetes.default.svc.cluster.local
"""

from __future__ import annotations

import argparse

from grpcdns.cli import grpc_client, output, servers
from grpcdns.cli.documents import Check, ServerHealth


def add_arguments(parser: argparse.ArgumentParser) -> None:
    servers.add_arguments(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        default=grpc_client.SERVICE,
        help=f'the service to check, "" for the whole server [{grpc_client.SERVICE}]',
    )
    parser.add_argument(
        "--any", action="store_true", help="succeed if at least one server is serving"
    )
    parser.add_argument(
        "--dns",
        metavar="ADDR",
        action="append",
        help="a DNS server, instead of --server: IP, IP:PORT or [v6]:PORT",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        action="append",
        help="what to query with --dns [kubernetes.default.svc.cluster.local]",
    )
    parser.add_argument("--quiet", action="store_true", help="print nothing")
    output.add_arguments(parser, json=False)


def run(args: argparse.Namespace) -> int:
    if args.dns:
        from grpcdns.cli import dns_check  # dnslib, which no probe of workers needs

        return dns_check.run(args)
    seconds = servers.seconds(args)
    found = [_ask(args, address, seconds) for address in servers.addresses(args)]
    ok = (any if args.any else all)(one.status == "SERVING" for one in found)
    if not args.quiet:
        output.emit(args, Check(ok=ok, servers=found), lambda _: _show(found))
    return 0 if ok else 1


def _ask(args: argparse.Namespace, address: str, seconds: float) -> ServerHealth:
    try:
        with grpc_client.channel(args, address) as channel:
            status = grpc_client.health(channel, args.service, seconds)
    except grpc_client.Failed as error:
        return ServerHealth(server=address, status="", error=error.why)
    return ServerHealth(server=address, status=status, error="")


def _show(found: list[ServerHealth]) -> None:
    for one in found:
        output.write(f"{one.server}: {one.status or one.error}\n")
