"""Query the DNS server in use and grpcdns for every record of a cluster, and show the differences.

The names are those of the cluster's objects, read once: from --manifests, or through the API
(--kubeconfig, or the Pod's service account). Compared are the rcode and the answer's records as a
set; of an ExternalName only records in the cluster's zones, as the others are the upstream's. A
difference is queried again, so that a change that only one server has seen does not count.

Deliberate differences are listed by their ids (docs/differences.md) and count with --strict only.

With --live the questions are those that clients ask: the lines of CoreDNS's log plugin on stdin, as
they come. Each question is asked once a second at most. At its end, or on Ctrl-C, it prints what a
switch would change.

Exit code 0: no difference that counts; 1: differences; 2: a server gave no reply to some queries.

Examples:
    grpcdns compare --with 10.96.0.10 --kubeconfig ~/.kube/config --server 127.0.0.1:5301
    kubectl -n kube-system logs -f -l k8s-app=kube-dns | grpcdns compare --live --with 10.96.0.10
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Sequence
from typing import Final

from grpcdns.cli import NotDone, grpc_client, listed, live, output, servers
from grpcdns.cli.comparer import DELIBERATE, SAME, Comparer, Settings
from grpcdns.cli.documents import Compare, Compared
from grpcdns.cli.listed import Cluster
from grpcdns.cli.outcomes import counts, exit_code, first_of, show_counts, show_one
from grpcdns.cli.output import Output
from grpcdns.cli.progress import Progress
from grpcdns.config import values
from grpcdns.config.options import UserError
from grpcdns.core.dns.wire import Question
from grpcdns.core.inspect.differences import DIFFERENCES
from grpcdns.core.inspect.zone import all_questions

_SHOWN: Final = 3
"""Questions that are shown for each deliberate difference."""
_AGAIN: Final = 2
"""How often a difference is queried again."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    servers.add_arguments(parser)
    parser.add_argument(
        "--with",
        dest="other",
        metavar="ADDR",
        required=True,
        help="the DNS server in use: IP, IP:PORT or [v6]:PORT",
    )
    parser.add_argument("--ttl-too", action="store_true", help="compare TTLs, too")
    parser.add_argument("--strict", action="store_true", help="count deliberate differences, too")
    parser.add_argument("--parallel", metavar="COUNT", default="16", help="queries in flight [16]")
    parser.add_argument(
        "--rate", metavar="COUNT", help=f"queries per second [1000; with --live {live.RATE}]"
    )
    live.add_arguments(parser)
    output.add_arguments(parser)
    listed.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    settings = _settings(args)
    if args.live:
        return live.run(args, settings)
    found = listed.read(listed.settings(args).config, 30.0, args.output)
    questions = list(all_questions(found.index, found.zones))
    if not questions:
        raise NotDone("the cluster has no names to query")
    began = time.monotonic()
    compared = asyncio.run(_compare(args, settings, found, questions))
    took = time.monotonic() - began
    document = _document(compared, settings, took)
    output.emit(args, document, lambda out: _show(out, document))
    return exit_code(document, strict=args.strict)


def _settings(args: argparse.Namespace) -> Settings:
    host, port = servers.dns_address("--with", args.other)
    try:
        parallel = values.integer(1, 1000)(args.parallel)
        rate = values.number(0.1, 1e6)(args.rate or (live.RATE if args.live else "1000"))
    except ValueError as error:
        raise UserError(f"--parallel or --rate: {error}") from error
    addresses = servers.addresses(args)
    if len(addresses) > 1:
        raise UserError("--server: only one")
    return Settings(
        server=addresses[0],
        host=host,
        port=port,
        seconds=servers.seconds(args),
        parallel=parallel,
        rate=rate,
        ttl=args.ttl_too,
    )


async def _compare(
    args: argparse.Namespace, settings: Settings, found: Cluster, questions: Sequence[Question]
) -> list[Compared]:
    async with grpc_client.Asker(args, settings.server, settings.seconds) as asker:
        comparer = Comparer(settings, asker.ask, found)
        with Progress("comparing", args.output, len(questions)) as progress:
            compared = await comparer.all(questions, progress.advance)
        for _ in range(_AGAIN):
            again = [at for at, one in enumerate(compared) if one.outcome != SAME]
            if not again or len(again) == len(compared):
                break
            fresh = await comparer.all([questions[at] for at in again], lambda: None)
            for at, one in zip(again, fresh, strict=True):
                compared[at] = one
        return compared


# -- output


def _document(compared: Sequence[Compared], settings: Settings, took: float) -> Compare:
    return Compare(
        dns=f"{settings.host}#{settings.port}",
        grpcdns=settings.server,
        questions=len(compared),
        seconds=round(took, 3),
        **counts(compared),
        differences=[one for one in compared if one.outcome != SAME],
    )


def _show(out: Output, said: Compare) -> None:
    for one in said.differences:
        if one.outcome != DELIBERATE:
            show_one(out, one)
    _show_deliberate(out, said.differences)
    out.line(f"{said.dns} (DNS) and {said.grpcdns} (grpcdns), {said.seconds:.1f} s:")
    show_counts(out, said)


def _show_deliberate(out: Output, compared: Sequence[Compared]) -> None:
    """A line for each id, with the first questions that it explains."""
    by_id: dict[str, list[str]] = {}
    for one in compared:
        if one.outcome == DELIBERATE:
            by_id.setdefault(one.difference, []).append(f"{one.name} {one.qtype}")
    if by_id:
        out.line(("Deliberate differences (docs/differences.md):", "bold"))
    for id_ in sorted(by_id, key=lambda text: int(text[1:])):
        title = f"{id_}, {DIFFERENCES[id_].title}"
        out.line((title, "cyan"), f": {first_of(by_id[id_], _SHOWN)}", indent=2)
