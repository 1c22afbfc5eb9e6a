"""Ask a grpcdns (or any server of CoreDNS's DnsService) and print what dig prints.

Exit code 0: there was a reply, whatever it says; 1: there was none.
"""

from __future__ import annotations

import argparse
import ipaddress
import json
import time

import dns.exception
import dns.message
import dns.name
import dns.rdatatype
import dns.reversename

from grpcdns.cli import NotDone, dig, grpc_client
from grpcdns.config.load import unknown
from grpcdns.config.options import UserError
from grpcdns.core.dns.wire import TYPES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="what to ask for; an address with -x")
    parser.add_argument("type", metavar="TYPE", nargs="?", help="record type [A; PTR with -x]")
    parser.add_argument("-x", "--reverse", action="store_true", help="NAME is an address")
    parser.add_argument(
        "--edns", action="store_true", help="send an EDNS option record, as dig does"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--short", action="store_true", help="print the answers' data alone")
    grpc_client.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    query = _query(args)
    seconds = grpc_client.timeout(args)
    failed: list[str] = []
    for address in grpc_client.servers(args):
        began = time.perf_counter()
        try:
            with grpc_client.channel(args, address) as channel:
                raw = grpc_client.ask(channel, query.to_wire(), seconds)
        except grpc_client.Failed as error:
            failed.append(str(error))
            continue
        print(_shown(args, address, raw, (time.perf_counter() - began) * 1000))
        return 0
    raise NotDone("; ".join(failed))


def _query(args: argparse.Namespace) -> dns.message.QueryMessage:
    kind = (args.type or ("PTR" if args.reverse else "A")).upper()
    try:
        rdtype = dns.rdatatype.from_text(kind)
    except (dns.rdatatype.UnknownRdatatype, ValueError) as error:
        raise unknown("unknown record type", kind, list(TYPES)) from error
    try:
        if args.reverse:
            name = dns.reversename.from_address(str(ipaddress.ip_address(args.name)))
        else:
            name = dns.name.from_text(args.name)
    except (dns.exception.DNSException, ValueError) as error:
        raise UserError(f"{args.name}: {error}") from error
    return dns.message.make_query(name, rdtype, use_edns=0 if args.edns else False)


def _shown(args: argparse.Namespace, address: str, raw: bytes, took: float) -> str:
    try:
        reply = dns.message.from_wire(raw, one_rr_per_rrset=False)
    except dns.exception.DNSException as error:
        raise NotDone(f"{address}: not a DNS message: {error}") from error
    if args.json:
        about = {"server": address, "time_ms": round(took, 3), "size": len(raw)}
        return json.dumps(dig.data(reply) | about)
    if args.short:
        return dig.short(reply)
    footer = (
        f"Query time: {took:.0f} msec",
        f"SERVER: {address} (gRPC)",
        f"MSG SIZE  rcvd: {len(raw)}",
    )
    return dig.show(reply, footer=footer)
