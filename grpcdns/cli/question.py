"""The arguments that say what to query: NAME, TYPE and ``-x``."""

from __future__ import annotations

import argparse

from grpcdns.config.load import unknown
from grpcdns.config.options import UserError
from grpcdns.core.dns.names import (
    BadName,
    Name,
    address_from_text,
    name_from_user,
    reverse_from_address,
)
from grpcdns.core.dns.wire import TYPES
from grpcdns.dnsclient.messages import find_type


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the full name; an address with -x")
    parser.add_argument("type", metavar="TYPE", nargs="?", help="record type [A; PTR with -x]")
    parser.add_argument("-x", "--reverse", action="store_true", help="NAME is an address")


def read(args: argparse.Namespace) -> tuple[Name, int]:
    """Name and type. Raises UserError."""
    text = (args.type or ("PTR" if args.reverse else "A")).upper()
    qtype = find_type(text)
    if qtype is None:
        raise unknown("unknown record type", text, list(TYPES))
    if args.reverse:
        address = address_from_text(args.name)
        if address is None:
            raise UserError(f"{args.name}: not an IP address")
        return reverse_from_address(address), qtype
    try:
        return name_from_user(args.name), qtype
    except BadName as error:
        raise UserError(f"{args.name}: {error}") from error
