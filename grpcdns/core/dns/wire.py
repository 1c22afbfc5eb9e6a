"""DNS messages: octets to a question, an answer to octets.

Only what this server meets is here: one question in, up to three sections out. We pack messages
ourselves for speed, and because the memo keeps *tails*: all octets after the question, whose names
point at the question (offset 12) and so fit a name in any case of letters.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Callable, Sequence
from typing import Final, cast

from grpcdns.core.dns.names import (
    LOWER,
    MAX_LABEL,
    MAX_NAME,
    Name,
    address_to_text,
    label_to_wire,
    name_from_wire,
    name_to_text,
    name_to_wire,
)

A: Final = 1
NS: Final = 2
CNAME: Final = 5
SOA: Final = 6
PTR: Final = 12
MX: Final = 15
TXT: Final = 16
AAAA: Final = 28
SRV: Final = 33
OPT: Final = 41
IXFR: Final = 251
AXFR: Final = 252
ANY: Final = 255
TYPES: Final = {
    "A": A, "NS": NS, "CNAME": CNAME, "SOA": SOA, "PTR": PTR, "MX": MX, "TXT": TXT, "AAAA": AAAA,
    "SRV": SRV, "OPT": OPT, "HTTPS": 65, "SVCB": 64, "CAA": 257, "DS": 43, "DNSKEY": 48,
    "NAPTR": 35, "IXFR": IXFR, "AXFR": AXFR, "ANY": ANY,
}  # fmt: skip
"""Every type with a mnemonic, which is also every type that is counted and remembered by itself."""
TYPE_NAMES: Final = {number: name for name, number in TYPES.items()}
IN: Final = 1

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
BADVERS: Final = 16
RCODE_NAMES: Final = {
    NOERROR: "NOERROR", FORMERR: "FORMERR", SERVFAIL: "SERVFAIL", NXDOMAIN: "NXDOMAIN",
    NOTIMP: "NOTIMP", REFUSED: "REFUSED", BADVERS: "BADVERS",
}  # fmt: skip

MAX_MESSAGE: Final = 65535
HEADER: Final = 12
_POINTER_LIMIT: Final = 0x4000
_TO_QUESTION: Final = b"\xc0\x0c"
"""A pointer to the question's name."""
_OPT_SIZE: Final = 11
ONE_QUESTION: Final = b"\0\1\0\0\0\0\0"
"""Octets 4 to 10 of a query that has nothing but a question, and up to 255 additional records."""
_UDP_SIZE: Final = 65535  # what we would take in one message; CoreDNS puts its own figure over it


class Section(enum.IntEnum):
    """The sections of a message that hold records."""

    ANSWER = 0
    AUTHORITY = 1
    ADDITIONAL = 2


Rdata = tuple[bytes | Name, ...]
"""The data of a record: names that may be compressed (RFC 3597 4), all else as octets."""


class Record:
    """A resource record of class IN. Records of equal parts are equal; none is ever changed."""

    __slots__ = ("name", "rdata", "rtype", "ttl")

    def __init__(self, name: Name, rtype: int, ttl: int, rdata: Rdata) -> None:
        self.name = name
        self.rtype = rtype
        self.ttl = ttl
        self.rdata = rdata

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Record) and self.parts() == other.parts()

    def __hash__(self) -> int:
        return hash(self.parts())

    def __repr__(self) -> str:
        return f"Record{self.parts()!r}"

    def parts(self) -> tuple[Name, int, int, Rdata]:
        """Name, type, TTL and data."""
        return self.name, self.rtype, self.ttl, self.rdata

    def with_ttl(self, ttl: int) -> Record:
        return Record(self.name, self.rtype, ttl, self.rdata)

    def to_text(self) -> str:
        """The record as a zone file has it: ``name ttl IN type rdata``."""
        rtype = type_to_text(self.rtype)
        return f"{name_to_text(self.name)} {self.ttl} IN {rtype} {_rdata_to_text(self)}"


class Question:
    """A question: ``wire`` is the name as asked, ``name`` the same in lower case."""

    __slots__ = ("name", "qclass", "qtype", "wire")

    def __init__(self, wire: bytes, name: Name, qtype: int, qclass: int) -> None:
        self.wire = wire
        self.name = name
        self.qtype = qtype
        self.qclass = qclass

    def of_type(self, qtype: int) -> Question:
        """The same name's question of another type."""
        return Question(self.wire, self.name, qtype, self.qclass)


class Query:
    """A parsed query: its first 12 octets, and what is wrong with it (NOERROR: nothing is)."""

    __slots__ = ("dnssec_ok", "edns", "head", "question", "rcode")

    def __init__(self, head: bytes) -> None:
        self.head = head
        self.question: Question | None = None
        self.rcode = FORMERR
        self.edns = False
        self.dnssec_ok = False


def type_to_text(rtype: int) -> str:
    """The mnemonic of a type, else TYPEnnn (RFC 3597 5)."""
    return TYPE_NAMES.get(rtype) or f"TYPE{rtype}"


def address_record(name: Name, packed: bytes, ttl: int) -> Record:
    """An A or AAAA record, by the length of the address."""
    return Record(name, A if len(packed) == 4 else AAAA, ttl, (packed,))


def srv_record(name: Name, ttl: int, weight: int, port: int, target: Name) -> Record:
    """An SRV record of priority 0. Its target is never compressed (RFC 2782). Raises BadName."""
    return Record(
        name, SRV, ttl, (struct.pack("!3H", 0, weight, port & 0xFFFF) + name_to_wire(target),)
    )


def txt_record(name: Name, ttl: int, text: str) -> Record:
    """A TXT record of one character-string of at most 255 octets."""
    octets = text.encode()
    return Record(name, TXT, ttl, (bytes([len(octets)]) + octets,))


def soa_record(zone: Name, ttl: int, mname: Name, rname: Name, serial: int, minimum: int) -> Record:
    """A SOA record with the timers of CoreDNS's plugins: refresh 7200, retry 1800, expire 86400."""
    timers = struct.pack("!5L", serial & 0xFFFFFFFF, 7200, 1800, 86400, minimum)
    return Record(zone, SOA, ttl, (mname, rname, timers))


def parse_query(message: bytes) -> Query:
    """Read a query. Never raises: ``rcode`` says what is wrong.

    Counts that no query has are refused before anything is parsed: one question (RFC 9619), and
    beside it at most what a NOTIFY, an IXFR and TSIG with EDNS bring, which is CoreDNS's rule too.
    RFC 1035 4.1, RFC 6891 6.1.
    """
    if len(message) < HEADER:
        return Query(message.ljust(HEADER, b"\0"))
    query = Query(message[:HEADER])
    skipped, additional = 0, message[11]
    fits = True
    if message[4:11] != ONE_QUESTION or additional > 2 or message[2] & 0x80:
        questions, answers, authorities, additional = struct.unpack_from("!4H", message, 4)
        fits = questions == 1 and answers <= 1 and authorities <= 1 and additional <= 2
        if message[2] & 0x80:
            return query
        skipped = answers + authorities
    if message[2] & 0x78:  # no opcode but QUERY
        query.rcode = NOTIMP
    if not fits:
        return query
    question, at = _parse_question(message)
    query.question = question
    if question is not None and not message[2] & 0x78:
        query.rcode = NOERROR
        _parse_records(message, at, skipped, additional, query)
    return query


def _parse_question(message: bytes) -> tuple[Question | None, int]:
    labels: list[str] = []
    # A name has no more octets than these. Their lower case is that of ASCII alone.
    text = message[: HEADER + MAX_NAME].lower().decode("latin-1")
    size = len(message)
    at = HEADER
    while True:
        if at >= size:
            return None, at
        length = message[at]
        at += 1
        if length == 0:
            break
        # A first question has nothing before it that a compression pointer could point at.
        if length > MAX_LABEL or at - HEADER > MAX_NAME:
            return None, at
        labels.append(text[at : at + length])
        at += length
    if at - HEADER > MAX_NAME or at + 4 > size:
        return None, at
    qtype, qclass = message[at] << 8 | message[at + 1], message[at + 2] << 8 | message[at + 3]
    return Question(message[HEADER:at], tuple(labels), qtype, qclass), at + 4


def _parse_records(message: bytes, at: int, skipped: int, additional: int, query: Query) -> None:
    """Walk the records of a query for its OPT; octets after the last one are ignored."""
    for number in range(skipped + additional):
        start = at
        at = _skip_name(message, at)
        if at < 0 or at + 10 > len(message):
            query.rcode = FORMERR
            return
        rtype, _, ttl, length = struct.unpack_from("!HHLH", message, at)
        at += 10 + length
        if at > len(message):
            query.rcode = FORMERR
            return
        if rtype == OPT and number >= skipped:
            # RFC 6891 6.1.1: one OPT, owned by the root
            if query.edns or message[start] != 0 or not options_fit(message, at - length, at):
                query.rcode = FORMERR
                return
            query.edns = True
            query.dnssec_ok = bool(ttl & 0x8000)
            if ttl >> 16 & 0xFF:
                query.rcode = BADVERS


def _skip_name(message: bytes, at: int) -> int:
    """The offset after a name, -1 when it does not end inside the message."""
    while at < len(message):
        length = message[at]
        if length == 0:
            return at + 1
        if length >= 0xC0:
            return at + 2
        if length > 63:
            return -1
        at += 1 + length
    return -1


def options_fit(message: bytes, at: int, end: int) -> bool:
    """Whether the options of an OPT end exactly where its rdata does (RFC 6891 6.1.2)."""
    while at + 4 <= end:
        at += 4 + (message[at + 2] << 8 | message[at + 3])
    return at == end


def opt_record(dnssec_ok: bool, rcode: int) -> bytes:
    """The OPT of a reply, without options: version 0, DO as asked (RFC 3225 3, RFC 6891 6.1.3)."""
    return b"\0" + struct.pack(
        "!HHLH", OPT, _UDP_SIZE, rcode >> 4 << 24 | (0x8000 if dnssec_ok else 0), 0
    )


def reply_head(query_head: bytes, rcode: int, authoritative: bool, counts: Sequence[int]) -> bytes:
    """The 12 octets that open a reply: ID, opcode, RD and CD as asked; QR set, RA clear."""
    flags1 = 0x80 | query_head[2] & 0x79 | (0x04 if authoritative else 0)
    flags2 = query_head[3] & 0x10 | rcode & 15
    return query_head[:2] + struct.pack("!BB4H", flags1, flags2, *counts)


def error_reply(query: Query, rcode: int) -> bytes:
    """A reply without records: the question if there was one, an OPT if one was asked for."""
    question, opt = b"", b""
    if query.question is not None:
        q = query.question
        question = q.wire + struct.pack("!2H", q.qtype, q.qclass)
        if query.edns:
            opt = opt_record(query.dnssec_ok, rcode)
    head = reply_head(query.head, rcode, False, (1 if question else 0, 0, 0, 1 if opt else 0))
    return head + question + opt


class Packer:
    """Packs records behind a question whose name begins at offset 12."""

    def __init__(self, question: Question) -> None:
        self._asked = question.name
        self._start = HEADER + len(question.wire) + 4
        self._out = bytearray()
        # Where names are that were written; the question's, and its ancestors, are none of them.
        self._offsets: dict[Name, int] = {}
        self.serial_at = -1

    def pack(self, records: Sequence[Record]) -> int:
        """Append records as far as a message goes, and say how many went in. Raises BadName."""
        out = self._out
        owner: Name | None = None
        pointer = b""
        # Type, class, TTL and length of the record before, which are mostly those of the next.
        like: Record | None = None
        length, fixed = -1, b""
        for count, record in enumerate(records):
            mark = len(out)
            name, rdata = record.name, record.rdata
            if pointer and (name is owner or name == owner):
                out += pointer
            else:
                self._add_name(name)
                owner, pointer = name, self._pointer(name)
            octets = rdata[0] if len(rdata) == 1 else None
            if isinstance(octets, bytes):
                if (
                    like is None
                    or len(octets) != length
                    or record.ttl != like.ttl
                    or record.rtype != like.rtype
                ):
                    like, length = record, len(octets)
                    fixed = struct.pack("!HHLH", record.rtype, IN, record.ttl, length)
                out += fixed
                out += octets
            else:
                out += struct.pack("!HHL", record.rtype, IN, record.ttl)
                self._add_rdata(record.rtype, rdata)
            if self._start + len(out) + _OPT_SIZE > MAX_MESSAGE:
                del out[mark:]
                return count
        return len(records)

    @property
    def tail(self) -> bytes:
        return bytes(self._out)

    def _pointer(self, name: Name) -> bytes:
        """A pointer to a name that has been written; b"" if none can be."""
        if name and name == self._asked:
            return _TO_QUESTION
        offset = self._offsets.get(name)
        if offset is None and name and self._shared(name) == len(name):
            offset = self._offset_in_question(len(name))
        return b"" if offset is None else struct.pack("!H", 0xC000 | offset)

    def _add_name(self, name: Name) -> None:
        out = self._out
        if not name:
            out.append(0)
            return
        if name == self._asked:
            out += _TO_QUESTION
            return
        offsets = self._offsets
        shared = self._shared(name)
        while len(name) > shared:
            offset = offsets.get(name)
            if offset is not None:
                out += struct.pack("!H", 0xC000 | offset)
                return
            here = self._start + len(out)
            if here < _POINTER_LIMIT:
                offsets[name] = here
            out += label_to_wire(name[0])
            name = name[1:]
        if shared:
            out += struct.pack("!H", 0xC000 | self._offset_in_question(shared))
        else:
            out.append(0)

    def _shared(self, name: Name) -> int:
        """How many labels a name ends in as the question's does."""
        asked = self._asked
        most, count = min(len(name), len(asked)), 0
        while count < most and name[-1 - count] == asked[-1 - count]:
            count += 1
        return count

    def _offset_in_question(self, labels: int) -> int:
        """Where the question's last so many labels begin."""
        offset = HEADER
        for label in self._asked[: len(self._asked) - labels]:
            offset += 1 + len(label)
        return offset

    def _add_rdata(self, rtype: int, rdata: Rdata) -> None:
        out = self._out
        length_at = len(out)
        out += b"\0\0"
        for part in rdata:
            if isinstance(part, bytes):
                if rtype == SOA:  # its octets begin with the serial
                    self.serial_at = len(out)
                out += part
            else:
                self._add_name(part)
        struct.pack_into("!H", out, length_at, len(out) - length_at - 2)


def _rdata_to_text(record: Record) -> str:
    """By `_TEXT`; without a form there, as RFC 3597 5 writes a type that is not known."""
    make = _TEXT.get(record.rtype)
    if make is not None:
        return make(record.rdata)
    raw = b"".join(part if isinstance(part, bytes) else name_to_wire(part) for part in record.rdata)
    return f"\\# {len(raw)} {raw.hex()}"


def _address_to_text(rdata: Rdata) -> str:
    return address_to_text(cast("bytes", rdata[0]))


def _target_to_text(rdata: Rdata) -> str:
    """One name; as octets where it comes from the upstream."""
    target = rdata[0]
    return name_to_text(name_from_wire(target) if isinstance(target, bytes) else target)


def _soa_to_text(rdata: Rdata) -> str:
    mname, rname, timers = cast("tuple[Name, Name, bytes]", rdata)
    numbers = " ".join(map(str, struct.unpack("!5L", timers)))
    return f"{name_to_text(mname)} {name_to_text(rname)} {numbers}"


def _srv_to_text(rdata: Rdata) -> str:
    octets = cast("bytes", rdata[0])
    priority, weight, port = struct.unpack_from("!3H", octets)
    return f"{priority} {weight} {port} {name_to_text(name_from_wire(octets[6:]))}"


def _txt_to_text(rdata: Rdata) -> str:
    text = cast("bytes", rdata[0])[1:].decode("latin-1")
    return '"' + text.replace('"', '\\"') + '"'


_TEXT: Final[dict[int, Callable[[Rdata], str]]] = {
    A: _address_to_text,
    AAAA: _address_to_text,
    NS: _target_to_text,
    CNAME: _target_to_text,
    PTR: _target_to_text,
    SOA: _soa_to_text,
    SRV: _srv_to_text,
    TXT: _txt_to_text,
}


def question_of(name: Name, qtype: int) -> Question:
    """A question of class IN. Raises BadName."""
    return Question(name_to_wire(name), tuple(one.translate(LOWER) for one in name), qtype, IN)
