"""``grpcdns check --dns``: whether DNS servers have records at names, over UDP and over TCP."""

from __future__ import annotations

import argparse
import asyncio
from typing import Final

from grpcdns.cli import output, servers
from grpcdns.cli.documents import CheckDns, NameChecked
from grpcdns.cli.output import plural
from grpcdns.config.options import UserError
from grpcdns.core.dns.names import BadName, Name, name_from_user, name_to_text
from grpcdns.core.dns.wire import AAAA, NOERROR, A
from grpcdns.dnsclient.exchange import NoReply, exchange
from grpcdns.dnsclient.messages import make_query, rcode_to_text

NAME: Final = "kubernetes.default.svc.cluster.local"
"""The Service of the API, which every cluster has."""


def run(args: argparse.Namespace) -> int:
    seconds = servers.seconds(args)
    names = [_name(text) for text in args.name or (NAME,)]
    addresses = [servers.dns_address("--dns", text) for text in args.dns]
    answers: list[NameChecked] = []
    serving: list[bool] = []
    for host, port in addresses:
        found = [
            asyncio.run(_query(name, host, port, seconds, tcp=tcp))
            for name in names
            for tcp in (False, True)
        ]
        answers += found
        serving.append(all(one.rcode == "NOERROR" and one.records for one in found))
    ok = (any if args.any else all)(serving)
    if not args.quiet:
        output.emit(args, CheckDns(ok=ok, answers=answers), lambda _: _show(answers))
    return 0 if ok else 1


def _name(text: str) -> Name:
    try:
        return name_from_user(text)
    except BadName as error:
        raise UserError(f"--name: {text}: {error}") from error


async def _query(name: Name, host: str, port: int, seconds: float, *, tcp: bool) -> NameChecked:
    """The rcode is that of the first answer that is an error, if one is."""
    rcode, records, why = NOERROR, 0, ""
    try:
        for qtype in (A, AAAA):
            reply = await exchange(make_query(name, qtype), host, port, seconds, tcp=tcp)
            records += sum(record.rtype == qtype for record in reply.answer)
            rcode = rcode or reply.rcode
    except NoReply as error:
        why = str(error)
    return NameChecked(
        server=f"{host}#{port}",
        name=name_to_text(name),
        transport="TCP" if tcp else "UDP",
        rcode="" if why else rcode_to_text(rcode),
        records=records,
        error=why,
    )


def _show(answers: list[NameChecked]) -> None:
    for one in answers:
        said = one.error or f"{one.rcode}, {plural(one.records, 'record')}"
        output.write(f"{one.server}: {one.name} over {one.transport}: {said}\n")
