"""Query grpcdns, or any server of CoreDNS's DnsService, over gRPC, and print the reply as dig does.

With more than one --server, the next one is queried when one gives no reply.

Exit code 0: there was a reply, whatever its rcode; 1: there was none.

Examples:
    grpcdns query kubernetes.default.svc.cluster.local
    grpcdns query -x 10.96.0.1 --short --server unix:///run/grpcdns/1.sock
"""

from __future__ import annotations

import argparse
import time

from grpcdns.cli import NotDone, dig, grpc_client, output, question, servers
from grpcdns.dnsclient.messages import BadMessage, Message, make_query, parse_message


def add_arguments(parser: argparse.ArgumentParser) -> None:
    question.add_arguments(parser)
    parser.add_argument("--edns", action="store_true", help="send an OPT record, as dig does")
    parser.add_argument("--short", action="store_true", help="print only the data of the answer")
    output.add_arguments(parser)
    servers.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    name, qtype = question.read(args)
    query = make_query(name, qtype, edns=args.edns)
    seconds = servers.seconds(args)
    failed: list[str] = []
    for address in servers.addresses(args):
        began = time.perf_counter()
        try:
            with grpc_client.channel(args, address) as channel:
                raw = grpc_client.ask(channel, query, seconds)
        except grpc_client.Failed as error:
            failed.append(str(error))
            continue
        took = (time.perf_counter() - began) * 1000
        reply = _parsed(address, raw)
        document = dig.document(reply, server=address, time_ms=round(took, 3), size=len(raw))
        shown = _short(reply) if args.short else _long(reply, address, raw, took)
        break
    else:
        raise NotDone("; ".join(failed))
    output.emit(args, document, lambda _: output.write(shown))
    return 0


def _parsed(address: str, raw: bytes) -> Message:
    try:
        return parse_message(raw)
    except BadMessage as error:
        raise NotDone(f"{address}: not a DNS message: {error}") from error


def _short(reply: Message) -> str:
    return "".join(f"{line}\n" for line in dig.short(reply))


def _long(reply: Message, address: str, raw: bytes, took: float) -> str:
    footer = (
        f"Query time: {took:.0f} msec",
        f"SERVER: {address} (gRPC)",
        f"MSG SIZE  rcvd: {len(raw)}",
    )
    return dig.show(reply, footer=footer) + "\n"
