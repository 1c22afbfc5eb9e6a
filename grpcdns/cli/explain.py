"""Say why a name gets the answer it gets: the objects it comes from, what was left out and for
which reason, what may have been meant, and how old the data is.

Without --server the cluster is read once (--manifests, --kubeconfig, or the Pod's own). With it,
the worker at ADDR is asked for its answer, and the explanation is made from what its feed has told
it; that takes the same user on the same machine, or in the same container.

Exit code 0: the name has records; 1: it has none, or the worker answers otherwise.
"""

from __future__ import annotations

import argparse
import time
from typing import Any, Final

import msgspec

from grpcdns.cli import NotDone, listed
from grpcdns.cli import question as arguments
from grpcdns.cli.listed import Cluster
from grpcdns.cli.output import Cell, Output, ago, plural, print_json
from grpcdns.cli.readback import read_back
from grpcdns.config import values
from grpcdns.config.options import UserError
from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.dns.wire import Question, question_of
from grpcdns.core.inspect.explain import Explanation, explain
from grpcdns.dnsclient.messages import BadMessage, make_query, parse_message, rcode_to_text

_COLOURS: Final = {"NOERROR": "bold green", "NXDOMAIN": "bold yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--server", metavar="ADDR", help="a running worker's address")
    parser.add_argument("--timeout", metavar="DURATION", default="10s", help="wait this long [10s]")
    parser.add_argument("--json", action="store_true", help="print JSON")
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    asked = question_of(*arguments.read(args))
    question = asked._replace(wire=asked.wire.lower())
    seconds = listed.seconds(args.timeout)
    if args.server:
        from grpcdns.cli import attached

        found = attached.read(_address(args.server), seconds)
    else:
        found = listed.read(listed.settings(args).config, seconds)
    why = _as_read(explain(question, found.index, found.zones), question, found)
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


def _as_read(why: Explanation, question: Question, found: Cluster) -> Explanation:
    """The explanation with its records as dnslib reads them in the packed answer."""
    result = answer(question, found.index, found.zones)
    texts = [
        tuple(parsed.to_text() for parsed in read_back(question, section))
        for section in result.sections
    ]
    return msgspec.structs.replace(why, answer=texts[0], authority=texts[1], additional=texts[2])


# -- the worker's own answer


class Said(msgspec.Struct, frozen=True):
    """What the worker answers; ``error`` when it does not."""

    rcode: str = ""
    answer: tuple[str, ...] = ()
    error: str = ""

    def agrees(self, why: Explanation) -> bool:
        """Whether it is the explained answer, but for what the upstream added."""
        own, has = set(why.answer), set(self.answer)
        return self.rcode == why.rcode and (own <= has if why.lookups else own == has)


def _ask(address: str, question: Question, seconds: float) -> Said:
    from grpcdns.cli import grpc_client

    query = make_query(question.name, question.qtype)
    try:
        with grpc_client.channel(
            argparse.Namespace(tls_ca=None, tls_name=None), address
        ) as channel:
            reply = parse_message(grpc_client.ask(channel, query, seconds))
    except (NotDone, BadMessage) as error:
        return Said(error=str(error))
    return Said(rcode_to_text(reply.rcode), tuple(record.to_text() for record in reply.answer))


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
