"""Explain why a name gets its answer: the objects it is made from, what was left out and why,
which names may have been meant, and how old the data is.

Without --server, the cluster is read once: from --manifests, or through the API (--kubeconfig, or
the Pod's service account). With --server, the data is that of the feed behind the worker at ADDR,
and the worker is queried, too: this needs the user that grpcdns runs as, on the same machine or in
the same container.

Exit code 0: the name has records; 1: it has none, the worker's answer differs, or the data is not
complete (stderr says what is missing, and why).

Examples:
    grpcdns explain web.default.svc.cluster.local --kubeconfig ~/.kube/config
    grpcdns explain -x 10.96.0.10 --server unix:///run/grpcdns/0.sock
"""

from __future__ import annotations

import argparse
import time
from typing import Final

import msgspec

from grpcdns.cli import NotDone, listed, output, servers
from grpcdns.cli import question as arguments
from grpcdns.cli.documents import DataAge, Explain, WorkersAnswer
from grpcdns.cli.listed import Cluster
from grpcdns.cli.output import Cell, Output, ago, plural
from grpcdns.cli.progress import Progress
from grpcdns.cli.readback import read_back
from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.dns.wire import Question, question_of
from grpcdns.core.holding import guard
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.explanation import Explanation
from grpcdns.dnsclient.messages import BadMessage, make_query, parse_message, rcode_to_text

_COLOURS: Final = {"NOERROR": "bold green", "NXDOMAIN": "bold yellow"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    arguments.add_arguments(parser)
    parser.add_argument("--server", metavar="ADDR", help="address of a running worker")
    parser.add_argument(
        "--timeout", metavar="DURATION", default="10s", help="for the data, and for a reply [10s]"
    )
    output.add_arguments(parser)
    servers.add_tls_arguments(parser)
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    asked = question_of(*arguments.read(args))
    question = Question(asked.wire.lower(), asked.name, asked.qtype, asked.qclass)
    seconds = servers.seconds(args)
    if args.server:
        from grpcdns.cli import attached

        with Progress("reading what the feed has", args.output):
            found = attached.read(servers.address(args.server), seconds)
    else:
        found = listed.read(listed.settings(args).config, seconds, args.output)
    why = _as_read(explain(question, found.index, found.zones), question, found)
    worker = _query(args, found.where, question, seconds) if args.server else None
    agrees = worker is None or worker.agrees(why)
    document = _document(why, found, worker)
    output.emit(args, document, lambda out: _show(out, why, found, worker))
    return 0 if agrees and (why.answer or why.lookups) else 1


def _as_read(why: Explanation, question: Question, found: Cluster) -> Explanation:
    """The explanation with its records as dnslib reads them in the packed answer."""
    result = answer(question, found.index, found.zones)
    texts = [
        tuple(parsed.to_text() for parsed in read_back(question, section))
        for section in result.sections
    ]
    return msgspec.structs.replace(why, answer=texts[0], authority=texts[1], additional=texts[2])


# -- the worker's own answer


class OfWorker(msgspec.Struct, frozen=True):
    """The worker's answer; ``error``: why there is none."""

    rcode: str = ""
    answer: tuple[str, ...] = ()
    error: str = ""

    def agrees(self, why: Explanation) -> bool:
        """Whether it is the explained answer, TTL and case included, apart from the upstream's
        records."""
        own, has = set(why.answer), set(self.answer)
        return self.rcode == why.rcode and (own <= has if why.lookups else own == has)


def _query(args: argparse.Namespace, address: str, question: Question, seconds: float) -> OfWorker:
    from grpcdns.cli import grpc_client

    query = make_query(question.name, question.qtype)
    try:
        with grpc_client.channel(args, address) as channel:
            reply = parse_message(grpc_client.ask(channel, query, seconds))
    except (NotDone, BadMessage) as error:
        return OfWorker(error=str(error))
    return OfWorker(rcode_to_text(reply.rcode), tuple(record.to_text() for record in reply.answer))


# -- output


def _document(why: Explanation, found: Cluster, worker: OfWorker | None) -> Explain:
    age = DataAge(
        source=found.where,
        heard=found.heard,
        restored=found.restored,
        changed=why.serial,
        guard=found.guard,
    )
    own = None
    if worker is not None:
        own = WorkersAnswer(
            rcode=worker.rcode,
            answer=list(worker.answer),
            error=worker.error,
            agrees=worker.agrees(why),
        )
    return Explain(**msgspec.structs.asdict(why), data=age, worker=own)


def _show(out: Output, why: Explanation, found: Cluster, worker: OfWorker | None) -> None:
    count = plural(len(why.answer), "record")
    status: Cell = (why.rcode, _COLOURS.get(why.rcode, "bold red"))
    out.line((f"{why.name} {why.qtype}", "bold"), ": ", status, f", {count}")
    out.line(f"asks for {why.asks}", (f", in zone {why.zone}" if why.zone else ""), indent=2)
    if why.answer or why.lookups:
        out.heading("Answer")
        for record in why.answer:
            out.line((record, "green"), indent=2)
        for name in dict.fromkeys(why.lookups):
            upstream = found.config.upstream or "no server: --upstream is none"
            out.line(f"{name} is looked up at {upstream}", indent=2)
    if why.sources:
        out.heading("Made from" if why.answer else "Looked at")
        out.rows(
            (one.kind, one.key, one.says if one.found else ("not there", "red"))
            for one in why.sources
        )
    if why.left_out:
        out.heading("Left out")
        out.rows((one.what, one.part, (one.reason, "yellow")) for one in why.left_out)
    if why.held:
        out.heading("Held")
        now = time.time()
        out.rows(
            (
                one.what,
                (f"by --{one.by}, since {ago(now - one.since)}", "yellow"),
                _why_held(one.by, found),
            )
            for one in why.held
        )
    if why.suggestions:
        out.heading("Did you mean")
        out.rows(((one.name, "cyan"), one.qtype, one.why) for one in why.suggestions)
    _show_age(out, why, found)
    if worker is not None:
        _show_worker(out, why, found, worker)


def _why_held(by: str, found: Cluster) -> str:
    if by == guard.BY:
        return found.guard or "too much was lost at once"
    return "no endpoint is ready any more"


def _show_age(out: Output, why: Explanation, found: Cluster) -> None:
    now = time.time()
    out.heading("Data")
    if found.restored:
        saved = ago(now - found.restored)
        out.line(("from a snapshot", "yellow"), f" saved {saved}: the API is unreachable", indent=2)
    elif found.heard:
        out.line(f"from {found.where}, confirmed {ago(now - found.heard)}", indent=2)
    else:
        out.line(f"from {found.where}, of unknown age", indent=2)
    if why.serial:
        out.line(f"last changed {ago(now - why.serial)} (serial {why.serial})", indent=2)


def _show_worker(out: Output, why: Explanation, found: Cluster, worker: OfWorker) -> None:
    out.heading("The worker")
    if worker.error:
        out.line(("gives no answer: ", "bold red"), worker.error, indent=2)
    elif worker.agrees(why):
        out.line(f"at {found.where} gives this answer", indent=2)
    else:
        out.line(("gives another answer: ", "bold red"), worker.rcode, indent=2)
        for record in worker.answer:
            out.line(record, indent=4)
