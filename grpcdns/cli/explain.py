"""Say why a name gets the answer it gets: the objects it comes from, what was left out and for
which reason, what may have been meant, and how old the data is.

Without --server the cluster is read once (--manifests, --kubeconfig, or the Pod's own). With it,
the worker at ADDR is asked for its answer, and the explanation is made from what its feed has told
it; that takes the same user on the same machine, or in the same container.

Exit code 0: the name has records; 1: it has none, or the worker answers otherwise.
"""

from __future__ import annotations

import argparse
import ipaddress
import time
from typing import Any, Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.reversename
import msgspec

from grpcdns.cli import NotDone, listed
from grpcdns.cli.listed import Cluster
from grpcdns.cli.output import Cell, Output, ago, plural, print_json
from grpcdns.config import values
from grpcdns.config.load import unknown
from grpcdns.config.options import UserError
from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import TYPES, Question, question_of
from grpcdns.core.inspect.explain import Explanation, explain

_COLOURS: Final = {"NOERROR": "bold green", "NXDOMAIN": "bold yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="the name, absolute; an address with -x")
    parser.add_argument("type", metavar="TYPE", nargs="?", help="record type [A; PTR with -x]")
    parser.add_argument("-x", "--reverse", action="store_true", help="NAME is an address")
    parser.add_argument("--server", metavar="ADDR", help="a running worker's address")
    parser.add_argument("--timeout", metavar="DURATION", default="10s", help="wait this long [10s]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    question = _question(args)
    seconds = listed.seconds(args.timeout)
    if args.server:
        from grpcdns.cli import attached

        found = attached.read(_address(args.server), seconds)
    else:
        found = listed.read(listed.settings(args).config, seconds)
    why = explain(question, found.index, found.zones)
    said = _ask(found.where, question, seconds) if args.server else None
    agrees = said is None or said.agrees(why)
    if args.json:
        print_json(_data(why, found, said))
    else:
        _show(Output(), why, found, said)
    return 0 if agrees and (why.answer or why.lookups) else 1


def _address(text: str) -> str:
    try:
        return str(values.listen_address(text))
    except ValueError as error:
        raise UserError(f"--server: {error}") from error


def _question(args: argparse.Namespace) -> Question:
    kind = (args.type or ("PTR" if args.reverse else "A")).upper()
    if kind not in TYPES:
        raise unknown("unknown record type", kind, list(TYPES))
    try:
        if args.reverse:
            name = dns.reversename.from_address(str(ipaddress.ip_address(args.name)))
        else:
            name = dns.name.from_text(args.name)
    except (dns.exception.DNSException, ValueError) as error:
        raise UserError(f"{args.name}: {error}") from error
    labels: Name = tuple(label.decode("latin-1") for label in name.labels[:-1])
    return question_of(labels, TYPES[kind])


# -- the worker's own answer


class Said(msgspec.Struct, frozen=True):
    """What the worker answers; ``error`` when it does not."""

    rcode: str = ""
    answer: tuple[str, ...] = ()
    error: str = ""

    def agrees(self, why: Explanation) -> bool:
        """Whether it is the explained answer, but for what the upstream added."""
        own = {record.lower() for record in why.answer}
        has = {record.lower() for record in self.answer}
        return self.rcode == why.rcode and (own <= has if why.lookups else own == has)


def _ask(address: str, question: Question, seconds: float) -> Said:
    from grpcdns.cli import grpc_client

    asked = dns.name.from_wire(question.wire, 0)[0]
    query = dns.message.make_query(asked, dns.rdatatype.RdataType.make(question.qtype))
    try:
        with grpc_client.channel(
            argparse.Namespace(tls_ca=None, tls_name=None), address
        ) as channel:
            raw = grpc_client.ask(channel, query.to_wire(), seconds)
        reply = dns.message.from_wire(raw)
    except (NotDone, dns.exception.DNSException) as error:
        return Said(error=str(error))
    records = [line for rrset in reply.answer for line in rrset.to_text().splitlines()]
    return Said(dns.rcode.to_text(reply.rcode()), tuple(records))


# -- on paper


def _data(why: Explanation, found: Cluster, said: Said | None) -> dict[str, Any]:
    data: dict[str, Any] = msgspec.to_builtins(why)
    data["data"] = {
        "from": found.where,
        "heard": found.heard,
        "restored": found.restored,
        "changed": why.serial,
    }
    if said is not None:
        data["worker"] = msgspec.to_builtins(said) | {"agrees": said.agrees(why)}
    return data


def _show(paper: Output, why: Explanation, found: Cluster, said: Said | None) -> None:
    count = plural(len(why.answer), "record")
    status: Cell = (why.rcode, _COLOURS.get(why.rcode, "bold red"))
    paper.line((f"{why.name} {why.qtype}", "bold"), ": ", status, f", {count}")
    paper.line(f"asks for {why.asks}", (f", in zone {why.zone}" if why.zone else ""), indent=2)
    if why.answer or why.lookups:
        paper.heading("Answer")
        for record in why.answer:
            paper.line((record, "green"), indent=2)
        for name in dict.fromkeys(why.lookups):
            upstream = found.config.upstream or "nobody: --upstream is none"
            paper.line(f"{name} is asked of {upstream}", indent=2)
    if why.sources:
        paper.heading("Made from" if why.answer else "Looked at")
        paper.rows(
            (one.kind, one.key, one.says if one.found else ("not there", "red"))
            for one in why.sources
        )
    if why.left_out:
        paper.heading("Left out")
        paper.rows((one.what, one.part, (one.reason, "yellow")) for one in why.left_out)
    if why.suggestions:
        paper.heading("Did you mean")
        paper.rows(((one.name, "cyan"), one.qtype, one.why) for one in why.suggestions)
    _show_age(paper, why, found)
    if said is not None:
        _show_worker(paper, why, found, said)


def _show_age(paper: Output, why: Explanation, found: Cluster) -> None:
    now = time.time()
    paper.heading("Data")
    if found.restored:
        saved = ago(now - found.restored)
        paper.line(("from a snapshot", "yellow"), f" saved {saved}: the API is away", indent=2)
    elif found.heard:
        paper.line(f"of {found.where}, heard of {ago(now - found.heard)}", indent=2)
    else:
        paper.line(f"of {found.where}, live", indent=2)
    if why.serial:
        paper.line(f"last changed {ago(now - why.serial)} (serial {why.serial})", indent=2)


def _show_worker(paper: Output, why: Explanation, found: Cluster, said: Said) -> None:
    paper.heading("The worker")
    if said.error:
        paper.line(("gives no answer: ", "bold red"), said.error, indent=2)
    elif said.agrees(why):
        paper.line(f"at {found.where} answers just so", indent=2)
    else:
        paper.line(("answers otherwise: ", "bold red"), said.rcode, indent=2)
        for record in said.answer:
            paper.line(record, indent=4)
