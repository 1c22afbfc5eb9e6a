"""Check the health of servers (grpc.health.v1), for probes and scripts.

Prints one line for each server. The --tls-* flags are for servers on TCP: a unix socket is always
plaintext, so one call covers both.

Exit code 0: every server is serving (with --any: at least one is); 1: otherwise.

Example:
    grpcdns check --server unix:///run/grpcdns/0.sock --server unix:///run/grpcdns/1.sock
"""

from __future__ import annotations

import argparse

from grpcdns.cli import grpc_client, servers


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
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    seconds = servers.seconds(args)
    serving = []
    for address in servers.addresses(args):
        try:
            with grpc_client.channel(args, address) as channel:
                state = f"{address}: {grpc_client.health(channel, args.service, seconds)}"
        except grpc_client.Failed as error:
            state = str(error)
        serving.append(state == f"{address}: SERVING")
        if not args.quiet:
            print(state)
    return 0 if (any if args.any else all)(serving) else 1
