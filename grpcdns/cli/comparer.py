"""One question to two servers and what differs in the answers; many at once, at a bounded rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from grpcdns.cli import NotDone
from grpcdns.cli.documents import Compared
from grpcdns.cli.listed import Cluster
from grpcdns.core.dns.names import longest_match, name_to_text
from grpcdns.core.dns.wire import SOA, Question, type_to_text
from grpcdns.core.inspect.differences import Said, Seen, find_difference
from grpcdns.core.inspect.facts import facts_of
from grpcdns.dnsclient.exchange import NoReply, TimedOut, exchange
from grpcdns.dnsclient.messages import (
    BadMessage,
    Message,
    make_query,
    parse_message,
    rcode_to_text,
)

SAME: Final = "same"
DELIBERATE: Final = "deliberate"
DIFFERENT: Final = "different"
FAILED: Final = "failed"
_TRIES: Final = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``server``: grpcdns. ``host``, ``port``: the DNS server in use. ``rate``: per second."""

    server: str
    host: str
    port: int
    seconds: float
    parallel: int
    rate: float
    ttl: bool


Ask = Callable[[bytes], Awaitable[bytes]]


class Comparer:
    """``ask`` queries grpcdns: a DNS message in, a DNS message out. Raises NotDone. ``turn`` waits
    until a query may be sent; by default as ``settings.rate`` says. ``sent`` is called with each
    question and the query that is sent for it to the DNS server in use."""

    def __init__(
        self,
        settings: Settings,
        ask: Ask,
        cluster: Cluster,
        turn: Callable[[], Awaitable[None]] | None = None,
        sent: Callable[[Question, bytes], None] = lambda *_: None,
    ) -> None:
        self._settings = settings
        self._ask = ask
        zones = cluster.zones
        self._policy = zones.policy
        self._facts = facts_of(cluster.index, zones.policy)
        self._zones = {**zones.cluster, **zones.external}
        self._due = 0.0
        self._turn = turn or self._wait_turn
        self._sent = sent

    async def all(
        self, questions: Sequence[Question], advance: Callable[[], object]
    ) -> list[Compared]:
        """The outcomes, in the order of the questions."""
        found: list[Compared | None] = [None] * len(questions)
        todo = iter(enumerate(questions))

        async def work() -> None:
            for at, question in todo:
                await self._turn()
                found[at] = await self.one(question)
                advance()

        await asyncio.gather(*(work() for _ in range(self._settings.parallel)))
        return [one for one in found if one is not None]

    async def _wait_turn(self) -> None:
        """Wait for the next moment that the rate allows. A late start is not caught up."""
        now = asyncio.get_running_loop().time()
        self._due = max(now, self._due + 1 / self._settings.rate)
        await asyncio.sleep(self._due - now)

    async def one(self, question: Question) -> Compared:
        """The outcome of a question whose turn it is."""
        owner, rtype = name_to_text(question.name), type_to_text(question.qtype)
        (ours, size), theirs = await asyncio.gather(
            self._query_grpcdns(question), self._query_dns(question)
        )
        if isinstance(ours, str):
            errors = "; ".join(one for one in (ours, theirs) if isinstance(one, str))
            return Compared(name=owner, qtype=rtype, outcome=FAILED, error=errors)
        plugin = None if isinstance(theirs, str) else _said(theirs)
        seen = Seen(self._policy, self._facts, owner, rtype, plugin, _said(ours, size))
        id_ = find_difference(seen) or ""
        if isinstance(theirs, str):
            return Compared(
                name=owner,
                qtype=rtype,
                outcome=DELIBERATE if id_ else FAILED,
                difference=id_,
                grpcdns_rcode=rcode_to_text(ours.rcode),
                error=theirs,
            )
        only_dns = tuple(sorted(self._records(theirs) - self._records(ours)))
        only_grpcdns = tuple(sorted(self._records(ours) - self._records(theirs)))
        same = not only_dns and not only_grpcdns and ours.rcode == theirs.rcode
        different = DELIBERATE if id_ else DIFFERENT
        return Compared(
            name=owner,
            qtype=rtype,
            outcome=SAME if same else different,
            difference="" if same else id_,
            dns_rcode=rcode_to_text(theirs.rcode),
            grpcdns_rcode=rcode_to_text(ours.rcode),
            only_dns=only_dns,
            only_grpcdns=only_grpcdns,
        )

    async def _query_grpcdns(self, question: Question) -> tuple[Message | str, int]:
        """The reply, or why there is none; and its octets."""
        try:
            raw = await self._ask(make_query(question.name, question.qtype))
            return parse_message(raw), len(raw)
        except NotDone as error:
            return str(error), 0
        except BadMessage as error:
            return f"{self._settings.server}: not a DNS message: {error}", 0

    async def _query_dns(self, question: Question) -> Message | str:
        """The reply, or why there is none. A query that is lost is sent again. The name is sent in
        lower case: CoreDNS's kubernetes plugin knows ns.dns in no other."""
        settings = self._settings
        where = f"{settings.host}#{settings.port}"
        for tried in range(_TRIES):
            if tried:
                await self._turn()
            query = make_query(question.name, question.qtype)
            self._sent(question, query)
            try:
                return await exchange(query, settings.host, settings.port, settings.seconds)
            except TimedOut:
                continue
            except NoReply as error:
                return f"{where}: {error}"
        return f"{where}: no answer in {settings.seconds:g} s, {_TRIES} times"

    def _records(self, reply: Message) -> set[str]:
        """The answer's records in our zones, in lower case as DNS ignores case, without the SOA's
        serial as each server has its own."""
        found = set()
        for record in reply.answer:
            owner = tuple(label.lower() for label in record.name)
            if longest_match(owner, self._zones) is None:
                continue
            _, ttl, rclass, rtype, data = record.fields()
            data = data.lower()
            if record.rtype == SOA:
                words = data.split()
                minimum = words[6] if self._settings.ttl else "TTL"
                data = " ".join((*words[:2], "SERIAL", *words[3:6], minimum))
            shown = (
                name_to_text(owner),
                *((ttl,) if self._settings.ttl else ()),
                rclass,
                rtype,
                data,
            )
            found.add(" ".join(shown))
        return found


def _said(reply: Message, size: int = 0) -> Said:
    answer, authority, additional = (
        tuple(record.to_text() for record in section)
        for section in (reply.answer, reply.authority, reply.additional)
    )
    return Said(rcode_to_text(reply.rcode), answer, authority, additional, size)
