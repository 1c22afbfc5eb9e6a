"""The handler: a DNS message in, a DNS message out.

How it works: ``handle`` finds the question in the raw octets and looks it up (name in lower case,
type, class) in the memo; a hit costs two slices, a dict look-up and a join. A miss parses the
message, answers from the index, packs the answer and keeps it in the memo under its tags. Changes
go through here into the index, and what the index says they touch is dropped from the memo. An
answer that needs records from the upstream is `Deferred`: somebody else asks for them.

Beware: nothing here locks. The caller makes all calls one at a time.
"""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, cast

from grpcdns.core.answers.answer import Answer, Lookup
from grpcdns.core.answers.asked import POD, SVC
from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.answers.plain import Plain
from grpcdns.core.answers.policy import Policy, Zones, needed_kinds, with_networks
from grpcdns.core.answers.ttl import CHANGED_TTL, TtlClass, lower_cnames, with_soa_ttl
from grpcdns.core.cluster.index import CLUSTER, Index, Serial, Tag
from grpcdns.core.cluster.objects import Change, Kind
from grpcdns.core.cluster.recent import Recent
from grpcdns.core.cluster.store import Entries, Listed
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import (
    IN,
    NOERROR,
    ONE_QUESTION,
    REFUSED,
    SERVFAIL,
    Packer,
    Query,
    Question,
    Rdata,
    Record,
    Section,
    options_fit,
)
from grpcdns.core.memo import CHEAP_BYTES, MEMO_BYTES, Counts, Entry, Memo, Part
from grpcdns.core.sketch import NODATA, SAMPLED, AskedNames

ZERO_TTL_RATE: Final = 500
"""Answers of TTL 0 a second. A StatefulSet that starts needs a few; a storm of names that are not
there would otherwise come from every client's every try."""
_PARTS: Final = 8
"""How many different parts of an answer too long for a message are given in turn."""
_OTHER_TYPE: Final = 65535
"""Stands for every type that no answer depends on: there are 65,000 of them."""
_TYPE_IN: Final = {
    qtype: struct.pack("!2H", qtype, IN) for qtype in (*wire.TYPE_NAMES, _OTHER_TYPE)
}
"""Type and class of a question, as octets."""
_OPT_START: Final = b"\0\0\x29"
"""The root and the type OPT."""
_SOAS: Final = 1024
"""Packed SOAs that are kept: a few for each length of a name."""
_SOA_ALONE: Final = (0, 1, 0)
"""The record counts of an answer without records."""
_OPTS: Final = (wire.opt_record(False, NOERROR), wire.opt_record(True, NOERROR))
"""The OPT of a reply, by the DO bit."""


class Handler:
    """Answers DNS messages from an index that follows the Changes given to it.

    ``report`` is called with an exception that should not have happened: its query gets SERVFAIL.
    ``memo_bytes`` and ``cheap_bytes`` bound the two shelves of the memo, in estimated octets.
    ``clock`` gives steady seconds; it is asked in adaptive TTL mode only, which wants `expire`.
    """

    def __init__(
        self,
        policy: Policy,
        report: Callable[[BaseException], None] | None = None,
        memo_bytes: int = MEMO_BYTES,
        cheap_bytes: int = CHEAP_BYTES,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.index = Index(needed_kinds(policy))
        self.stats = Stats()
        self.names = AskedNames()
        self._report = report
        self._clock = clock
        self._zero = Budget(ZERO_TTL_RATE)
        self._memo = Memo(self._count, memo_bytes, cheap_bytes)
        # The memo's own dicts: `handle` has no time to ask for them.
        self._named: dict[bytes, Entry] = self._memo.named.entries
        self._cheap: dict[bytes, Entry] = self._memo.cheap.entries
        self._heads: dict[tuple[int, Counts], dict[bytes, bytes]] = {}
        # SOAs as they are packed, and where their serial is; by length of the question, and parts.
        self._soas: dict[tuple[int, int, Name, Rdata], tuple[bytes, int]] = {}
        self.set_policy(policy)

    # -- queries

    def handle(self, message: bytes) -> bytes | Deferred | None:
        """The reply to a message; None while a good question cannot be answered (not synced).

        Every query takes this path: a plain hit calls no function of ours.
        """
        # The question starts after the 12 octets of the header. Its name ends with a zero octet,
        # type and class follow. A name with a zero in a label, or a message that is cut short or
        # is no query, gives a key that the memo does not have.
        end = message.find(0, 12) + 5
        if end == 4:  # mypyc's slices of octets do not go backwards
            return self._handle_slowly(message)
        key = message[12 : end - 4].lower() + message[end - 4 : end]
        entry = self._named.get(key) or self._cheap.get(key)
        if entry is not None:
            # Flags and counts, as octets, to those of the reply. `_answer` adds the ones of plain
            # queries: opcode QUERY, one question, nothing else but an OPT. Any other is parsed.
            head = entry.heads.get(message[2:12])
            if head is not None:
                rest = len(message) - end
                if rest == 0 and message[11] == 0:
                    opt = b""
                elif _has_opt(message, end, rest):
                    opt = _OPTS[message[end + 7] >> 7]  # the DO bit
                else:
                    return self._handle_slowly(message)
                # Counted in the entry: cheaper than a Counter of types and rcodes.
                entry.hits += 1
                if entry.serial_at >= 0 and entry.serial != self.index.serials[entry.zone]:
                    entry.renew_serial(self.index.serials[entry.zone])
                # The ID and the name's letters are the query's own.
                reply = b"".join((message[:2], head, message[12:end], entry.tail, opt))
                if entry.parts is not None:
                    entry.advance()
                return reply
        else:
            made = self._handle_plain(message, key, end)
            if made is not None:
                return made
        return self._handle_slowly(message)

    def _handle_plain(self, message: bytes, key: bytes, end: int) -> bytes | None:
        """The reply to a question that is not in the memo and has a plain answer."""
        rest = len(message) - end
        if rest == 0 and message[11] == 0:
            opt = b""
        elif _has_opt(message, end, rest):
            opt = _OPTS[message[end + 7] >> 7]
        else:
            return None
        if not self.index.synced:
            return None
        found = self._plain.find(key)
        if found is None:
            return None
        count = found.count
        counts = (count, 0, 0) if count else _SOA_ALONE
        heads = self._heads.get((NOERROR, counts))
        # The first of its kind goes the long way, which keeps the head of its reply.
        head = None if heads is None else heads.get(message[2:12])
        if heads is None or head is None:
            return None
        parts = [Part(counts, found.tail, heads)]
        entry = Entry(NOERROR, parts, CLUSTER, found.serial, found.serial_at, found.ttl_class)
        self._memo.keep(key, entry, (found.tag,), not count)
        self.stats.misses += 1
        self.stats.answers[int.from_bytes(key[-4:-2], "big"), NOERROR] += 1
        self.names.add(key, NOERROR if count else NODATA)
        self._count_ttl(found.ttl_class, 1)
        return b"".join((message[:2], head, message[12:end], found.tail, opt))

    def _handle_slowly(self, message: bytes) -> bytes | Deferred | None:
        try:
            query = wire.parse_query(message)
            question = query.question
            if query.rcode != NOERROR or question is None:
                return self._error(query, query.rcode)
            if question.qclass != IN:
                return self._error(query, REFUSED)
            return self._answer(query, question)
        except Exception as error:  # the last line: a query gets a DNS message
            self.stats.errors += 1
            if self._report is not None:
                self._report(error)
            query = wire.parse_query(message)
            if query.question is not None:
                self.names.add(_key(query.question), SERVFAIL)
            return self._error(query, SERVFAIL)

    def _refuse(self, query: Query, key: bytes, rcode: int) -> bytes:
        # In a flood by the ID, which clients draw: one in SAMPLED is counted.
        if not self.names.flooded or query.head[1] % SAMPLED == 0:
            self.names.refuse(key)
        return self._error(query, rcode)

    def _answer(self, query: Query, question: Question) -> bytes | Deferred | None:
        qtype, key = _known(question.qtype), _key(question)
        entry = self._named.get(key) or self._cheap.get(key)
        if entry is None:
            result = answer(question, self.index, self._zones)
            if not result.authoritative:
                return self._refuse(query, key, result.rcode)
            if not self.index.synced:
                self.stats.unavailable += 1
                return None
            if result.lookups:
                self.stats.deferred += 1
                self.stats.answers[qtype, result.rcode] += 1
                self.names.add(key, result.rcode)
                self._count_ttl(result.ttl_class, 1)
                return Deferred(query, result)
            self.stats.misses += 1
            entry = self._pack(question, result)
            # `handle` takes the first zero octet for the end of the name: an answer to a name with
            # one in a label is never kept.
            if key.find(0) == len(key) - 5:
                self._memo.keep(key, entry, result.tags, result.cheap)
        else:
            self.stats.hits += 1
            if entry.serial_at >= 0:
                entry.renew_serial(self.index.serials[entry.zone])
        self.stats.answers[qtype, entry.rcode] += 1
        self.names.add(key, entry.rcode or (NOERROR if entry.counts[0] else NODATA))
        if entry.ttl_class is not None:
            if entry.ttl_class == TtlClass.ZERO:
                return self._answer_zero(query, entry)
            self._count_ttl(entry.ttl_class, 1)
        head = query.head
        varied = head[2:12]
        # With as many additional records as there are OPTs: what `heads` has is for these alone.
        plain = head[11] == 1 if query.edns else head[11] == 0
        ours = entry.heads.get(varied) if plain and qtype == question.qtype else None
        if ours is None:
            reply = _reply(query, entry.rcode, entry.counts, entry.tail)
            # Only what a plain query can vary in is kept: RD, AD, CD, and whether there is an OPT.
            if plain and head[2] & 0xFE == 0 and head[3] & 0xCF == 0 and head[4:11] == ONE_QUESTION:
                entry.heads[varied] = reply[2:12]
        else:
            opt = _OPTS[query.dnssec_ok] if query.edns else b""
            asked = _TYPE_IN[qtype]
            reply = b"".join((head[:2], ours, question.wire, asked, entry.tail, opt))
        if entry.parts is not None:
            entry.advance()
        return reply

    def _answer_zero(self, query: Query, entry: Entry) -> bytes:
        """An answer of TTL 0, which is asked for again at once: only so many a second are given,
        the others have a TTL of 1. `handle` finds no head for one, so all of them come here."""
        tail = entry.tail
        if self._zero.take(self._clock()):
            self._count_ttl(TtlClass.ZERO, 1)
        else:
            self._count_ttl(TtlClass.CHANGED, 1)
            tail = with_soa_ttl(tail, entry.serial_at, CHANGED_TTL)
        return _reply(query, entry.rcode, entry.counts, tail)

    def _count_ttl(self, ttl_class: int | None, count: int) -> None:
        if ttl_class is not None:
            self.stats.ttls[TtlClass(ttl_class)] += count

    def _error(self, query: Query, rcode: int) -> bytes:
        qtype = 0 if query.question is None else _known(query.question.qtype)
        self.stats.answers[qtype, rcode] += 1
        return wire.error_reply(query, rcode)

    def _pack(self, question: Question, result: Answer) -> Entry:
        """Pack an answer; one too long for a message becomes parts that begin elsewhere in it."""
        answers, authorities, additionals = result.sections
        if not answers and len(authorities) == 1 and result.serial != Serial.EXTERNAL:
            name, zone = question.name, authorities[0].name
            if len(name) > len(zone) and name[-1 - len(zone)] in (SVC, POD):
                return self._pack_soa(question, result)
        total = len(answers)
        parts: list[Part] = []
        serial_at = -1
        for turn in range(_PARTS):
            packer = Packer(question)
            start = turn * total // _PARTS
            counts = (
                packer.pack(_turned(answers, start)),
                packer.pack(_turned(authorities, start)),
                packer.pack(_turned(additionals, start)),
            )
            heads = self._heads.get((result.rcode, counts))
            if heads is None:
                heads = self._heads[result.rcode, counts] = {}
            parts.append(Part(counts, packer.tail, heads))
            serial_at = packer.serial_at
            if counts[0] == total:
                break
        else:
            self.stats.oversized += 1
        serial = self.index.serials[result.serial]
        return Entry(result.rcode, parts, result.serial, serial, serial_at, result.ttl_class)

    def _pack_soa(self, question: Question, result: Answer) -> Entry:
        """Pack an answer without records, at a name below ``svc`` or ``pod``: the names in the SOA
        share nothing with that but the zone, so the octets depend on its length alone."""
        soa = result.sections[1][0]
        like = len(question.wire), soa.ttl, soa.name, soa.rdata
        found = self._soas.get(like)
        if found is None:
            if len(self._soas) >= _SOAS:  # serials that have passed
                self._soas.clear()
            packer = Packer(question)
            packer.pack(result.sections[1])
            found = self._soas[like] = packer.tail, packer.serial_at
        heads = self._heads.get((result.rcode, _SOA_ALONE))
        if heads is None:
            heads = self._heads[result.rcode, _SOA_ALONE] = {}
        serial = self.index.serials[result.serial]
        parts = [Part(_SOA_ALONE, found[0], heads)]
        return Entry(result.rcode, parts, result.serial, serial, found[1], result.ttl_class)

    # -- Changes

    def apply(self, change: Change) -> bool:
        """Take a Change into the index; says whether it was news."""
        return self._apply_all(change.kind, ((change.key, change.body),), change.at) > 0

    def replace(self, kind: Kind, batches: Iterable[Listed], at: int) -> Iterator[int]:
        """Take a complete list of a kind, a batch a step: the caller can answer in between.

        Yields how many objects were news; the kind counts as listed at the end.
        """
        first = kind not in self.index.store.listed
        for entries in self.index.store.steps(kind, batches):
            yield self._apply_all(kind, entries, at, known=not first)

    def expire(self) -> None:
        """Forget answers whose TTL would be another by now. In adaptive mode, call it a few times a
        second."""
        if self.index.recent is None:
            return
        quiet = self.index.recent.expire(self._clock())
        if quiet is None:
            self._memo.clear()
        else:
            self._memo.drop(quiet)

    def _apply_all(self, kind: Kind, entries: Entries, at: int, *, known: bool = True) -> int:
        """``known``: what was there before is known, so what differs has changed."""
        tags: set[Tag] = set()
        try:
            return self.index.apply_all(kind, entries, at, tags)
        finally:  # what was taken before an error counts
            self._memo.drop(tags)
            if kind is Kind.SERVICE_CIDR and self._policy.follows_networks:
                self._set_zones()
            if known and self.index.recent is not None:
                self.index.recent.note(kind, tags, self._clock())

    def set_policy(self, policy: Policy) -> None:
        """Take another policy: from the next query on it is the only one."""
        self._policy = policy
        self._set_zones()
        if not self._zones.adaptive:
            self.index.recent = None
        elif self.index.recent is None:
            self.index.recent = Recent()
        self.index.needed = needed_kinds(policy)

    def _set_zones(self) -> None:
        self._memo.clear()
        self._zones = Zones(with_networks(self._policy, self.index.service_networks))
        self._plain = Plain(self.index, self._zones)

    # -- figures

    def memo_sizes(self) -> tuple[int, int]:
        """Entries and estimated octets in the memo."""
        named, cheap = self._memo.named, self._memo.cheap
        return len(named.entries) + len(cheap.entries), named.size + cheap.size

    def count_hits(self) -> Iterator[None]:
        """Count the hits that entries still hold, a few at a step; there may be queries between the
        steps."""
        return self._memo.count_hits()

    def counted(self) -> Stats:
        """The counters, the hits that entries still hold included."""
        for _ in self.count_hits():
            pass
        return self.counted_stats()

    def counted_stats(self) -> Stats:
        """The counters, as far as hits have been counted (`count_hits`)."""
        self.stats.evictions = self._memo.evictions
        self.stats.invalidations = self._memo.invalidations
        return self.stats

    def _count(self, key: bytes, entry: Entry) -> None:
        self.stats.hits += entry.hits
        self.stats.answers[int.from_bytes(key[-4:-2], "big"), entry.rcode] += entry.hits
        self._count_ttl(entry.ttl_class, entry.hits)
        if entry.hits:
            outcome = entry.rcode or (NOERROR if entry.counts[0] else NODATA)
            self.names.add(key, outcome, entry.hits)
        entry.hits = 0


class Deferred:
    """An answer that waits for records from the upstream.

    ``lookups`` are the records to ask for; ``complete`` takes what came of each, in that order,
    None where a look-up failed (the reply then has the bare CNAME), and returns the reply.
    """

    __slots__ = ("_query", "_result", "lookups")

    def __init__(self, query: Query, result: Answer) -> None:
        self._query = query
        self._result = result
        self.lookups: tuple[Lookup, ...] = tuple(result.lookups)

    def complete(self, results: Sequence[Sequence[Record] | None]) -> bytes:
        """The reply with the records found. Reads no index and no memo: any thread may call it."""
        sections = [list(section) for section in self._result.sections]
        pairs = sorted(zip(self.lookups, results, strict=True), key=lambda pair: -pair[0].position)
        for lookup, records in pairs:
            section = sections[lookup.section]
            at = lookup.position if lookup.section == Section.ANSWER else len(section)
            # Two look-ups through one alias both bring the alias (RFC 2181 5: once is enough).
            section[at:at] = [record for record in records or () if record not in section]
        if self._result.ttl_class is not None:
            found = [record.ttl for records in results for record in records or ()]
            lower_cnames(sections[Section.ANSWER], self._result.sections[0], found)
        packer = Packer(cast("Question", self._query.question))
        answers, authorities, additionals = (packer.pack(section) for section in sections)
        counts = answers, authorities, additionals
        return _reply(self._query, self._result.rcode, counts, packer.tail)


class Stats:
    """Counters since the start; `Handler.counted` brings them up to date.

    ``answers``: by type and rcode. ``oversized``: answers packed that are too long for a message.
    ``unavailable``: questions not answered while not synced. ``errors``: exceptions reported.
    ``ttls``: answers by the class of their TTL, in adaptive mode.
    """

    def __init__(self) -> None:
        self.answers: Counter[tuple[int, int]] = Counter()
        self.ttls: Counter[TtlClass] = Counter()
        self.hits = 0
        self.misses = 0
        self.evictions = 0
        self.invalidations = 0
        self.oversized = 0
        self.deferred = 0
        self.unavailable = 0
        self.errors = 0


class Budget:
    """So many a second at most: each whole second of the caller's clock has a budget."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._second = -1
        self._left = rate

    def take(self, now: float) -> bool:
        """Whether one more may be given now."""
        if int(now) != self._second:
            self._second, self._left = int(now), self._rate
        self._left -= 1
        return self._left >= 0


def _has_opt(message: bytes, end: int, rest: int) -> bool:
    """Whether the ``rest`` of a query, after its question, is one additional record: an OPT of
    version 0 (octet 6; 5 is the extended rcode) that ends where the message does."""
    return (
        rest >= 11
        and message[11] != 0
        and message[end : end + 3] == _OPT_START
        and message[end + 6] == 0
        and message[end + 9] << 8 | message[end + 10] == rest - 11
        and (rest == 11 or options_fit(message, end + 11, end + rest))
    )


def _turned(section: list[Record], start: int) -> list[Record]:
    return section[start:] + section[:start] if start else section


def _reply(query: Query, rcode: int, counts: Counts, tail: bytes) -> bytes:
    """A whole reply: head, the question as asked, the records, an OPT if one was asked for."""
    question = cast("Question", query.question)
    answers, authorities, additionals = counts
    head = wire.reply_head(
        query.head, rcode, True, (1, answers, authorities, additionals + query.edns)
    )
    asked = struct.pack("!2H", question.qtype, question.qclass)
    return b"".join(
        (head, question.wire, asked, tail, _OPTS[query.dnssec_ok] if query.edns else b"")
    )


def _key(question: Question) -> bytes:
    """The question, of class IN, as the memo has it: name in lower case, type and class."""
    return question.wire.lower() + _TYPE_IN[_known(question.qtype)]


def _known(qtype: int) -> int:
    """The type, or the one that stands for all that no answer depends on."""
    return qtype if qtype in wire.TYPE_NAMES else _OTHER_TYPE
