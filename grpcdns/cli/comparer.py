"""One question to two servers, and what differs in their answers; many at once, held to a rate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import dns.asyncquery
import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import msgspec

from grpcdns.cli import NotDone
from grpcdns.core.answers.policy import Zones
from grpcdns.core.dns.names import longest_match, name_to_text
from grpcdns.core.dns.wire import Question, type_to_text

SAME: Final = "same"
DIFFERENT: Final = "different"
FAILED: Final = "failed"
_TRIES: Final = 2


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """``server``: grpcdns. ``host``, ``port``: the DNS in use. ``rate`` in questions a second."""

    server: str
    host: str
    port: int
    seconds: float
    parallel: int
    rate: float
    ttl: bool


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one question; records as in zone files, those that only one server gave."""

    name: str
    qtype: str
    outcome: str
    dns_rcode: str = ""
    grpcdns_rcode: str = ""
    only_dns: tuple[str, ...] = ()
    only_grpcdns: tuple[str, ...] = ()
    error: str = ""


Ask = Callable[[bytes], Awaitable[bytes]]


class Comparer:
    """``ask`` is grpcdns: a DNS message for a DNS message, NotDone when there is none."""

    def __init__(self, settings: Settings, ask: Ask, zones: Zones) -> None:
        self._settings = settings
        self._ask = ask
        self._zones = {**zones.cluster, **zones.external}
        self._due = 0.0

    async def all(
        self, questions: Sequence[Question], advance: Callable[[], object]
    ) -> list[Compared]:
        """The outcomes, in the questions' order."""
        found: list[Compared | None] = [None] * len(questions)
        todo = iter(enumerate(questions))

        async def work() -> None:
            for at, question in todo:
                await self._wait_turn()
                found[at] = await self._one(question)
                advance()

        await asyncio.gather(*(work() for _ in range(self._settings.parallel)))
        return [one for one in found if one is not None]

    async def _wait_turn(self) -> None:
        """The next moment that the rate allows; what was missed is not made up for."""
        now = asyncio.get_running_loop().time()
        self._due = max(now, self._due + 1 / self._settings.rate)
        await asyncio.sleep(self._due - now)

    async def _one(self, question: Question) -> Compared:
        name = dns.name.from_wire(question.wire, 0)[0]
        qtype = dns.rdatatype.RdataType.make(question.qtype)
        query = dns.message.make_query(name, qtype, use_edns=0, payload=1232)
        owner, rtype = name.to_text(), type_to_text(question.qtype)
        try:
            ours, theirs = await asyncio.gather(self._ask_grpcdns(query), self._ask_dns(query))
        except (NotDone, dns.exception.DNSException, OSError) as error:
            why = str(error) or type(error).__name__
            return Compared(name=owner, qtype=rtype, outcome=FAILED, error=why)
        only_dns = tuple(sorted(self._records(theirs) - self._records(ours)))
        only_grpcdns = tuple(sorted(self._records(ours) - self._records(theirs)))
        same = not only_dns and not only_grpcdns and ours.rcode() == theirs.rcode()
        return Compared(
            name=owner,
            qtype=rtype,
            outcome=SAME if same else DIFFERENT,
            dns_rcode=dns.rcode.to_text(theirs.rcode()),
            grpcdns_rcode=dns.rcode.to_text(ours.rcode()),
            only_dns=only_dns,
            only_grpcdns=only_grpcdns,
        )

    async def _ask_grpcdns(self, query: dns.message.Message) -> dns.message.Message:
        return dns.message.from_wire(await self._ask(query.to_wire()))

    async def _ask_dns(self, query: dns.message.Message) -> dns.message.Message:
        """Over UDP, over TCP where the answer does not fit; a lost packet is asked again."""
        settings = self._settings
        where = f"{settings.host}#{settings.port}"
        for _ in range(_TRIES):
            try:
                reply, _tcp = await dns.asyncquery.udp_with_fallback(
                    query, settings.host, settings.seconds, settings.port
                )
            except dns.exception.Timeout:
                continue
            except (dns.exception.DNSException, OSError) as error:
                raise NotDone(f"{where}: {error}") from error
            return reply
        raise NotDone(f"{where}: no answer in {settings.seconds:g} s, {_TRIES} times")

    def _records(self, reply: dns.message.Message) -> set[str]:
        """The answer's records that are in our zones; a SOA's serial is each server's own."""
        found = set()
        for rrset in reply.answer:
            owner = tuple(label.decode("latin-1").lower() for label in rrset.name.labels[:-1])
            if longest_match(owner, self._zones) is None:
                continue
            ttl = f" {rrset.ttl}" if self._settings.ttl else ""
            rtype = dns.rdatatype.to_text(rrset.rdtype)
            for record in rrset:
                data = record.to_text().lower()
                if rrset.rdtype == dns.rdatatype.SOA:
                    words = data.split()
                    minimum = words[6] if self._settings.ttl else "TTL"
                    data = " ".join((*words[:2], "SERIAL", *words[3:6], minimum))
                found.add(f"{name_to_text(owner)}{ttl} IN {rtype} {data}")
        return found
