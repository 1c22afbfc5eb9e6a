"""Ask a server for its health (grpc.health.v1), for probes and scripts.

Prints a line for each server. Exit code 0: all of them serve (with --any: one does); 1: not so.
"""

from __future__ import annotations

import argparse

from grpcdns.cli import grpc_client


def add_arguments(parser: argparse.ArgumentParser) -> None:
    grpc_client.add_arguments(parser)
    parser.add_argument(
        "--service",
        metavar="NAME",
        default=grpc_client.SERVICE,
        help=f'the service to ask about, "" for the whole server [{grpc_client.SERVICE}]',
    )
    parser.add_argument("--any", action="store_true", help="content when one server serves")
    parser.add_argument("--quiet", action="store_true", help="print nothing")


def run(args: argparse.Namespace) -> int:
    seconds = grpc_client.timeout(args)
    serving = []
    for address in grpc_client.servers(args):
        try:
            with grpc_client.channel(args, address) as channel:
                state = f"{address}: {grpc_client.health(channel, args.service, seconds)}"
        except grpc_client.Failed as error:
            state = str(error)
        serving.append(state == f"{address}: SERVING")
        if not args.quiet:
            print(state)
    return 0 if (any if args.any else all)(serving) else 1
