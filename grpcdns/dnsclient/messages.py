"""DNS messages of a client: queries to octets, replies to records as text.

The only importer of dnslib, which builds the queries and reads the replies. Its errors become
``BadMessage`` here. Names are written by ``core.dns.names``; text is presentation form (RFC 1035
5.1), for types without a row in ``TEXT_OF`` the form of RFC 3597.

What dnslib 0.9.26 does otherwise, and what replaces it here. The fixes belong into dnslib; none of
them was found to have a public issue.

- names: it refuses labels that are not UTF-8 (RFC 2181 11 allows any octets), prints a dot inside a
  label unescaped, and follows chains of pointers by recursion, 8,000 deep: ``_Buffer.decode_name``
- RDATA: it reads beyond RDLENGTH or stops short of it, and refuses an empty one: ``_Buffer.get``,
  ``_read_record``
- text: octal escapes and lost octets in TXT, "::" for the first zeros of an address instead of the
  longest run (RFC 5952 4.2.3), SVCB and HTTPS in the form of an early draft: ``rdata.TEXT_OF``
- ``RR ==`` ignores TTL and case: compare ``to_text()``
"""

from __future__ import annotations

import os
from typing import Any, Final, NamedTuple

from dnslib.bimap import BimapError
from dnslib.buffer import BufferError as BufferEnd
from dnslib.dns import EDNS0, OPCODE, QTYPE, RCODE, RD, RDMAP, DNSError, DNSHeader, DNSQuestion
from dnslib.dns import DNSRecord as DnslibMessage
from dnslib.label import DNSBuffer, DNSLabel

from grpcdns.core.dns import wire
from grpcdns.core.dns.names import LOWER, MAX_NAME, Name, name_to_text
from grpcdns.dnsclient.rdata import TEXT_OF, name_of

UDP_SIZE: Final = 1232
"""The size offered for replies over UDP, in octets: it avoids fragments (DNS flag day 2020)."""
SECTIONS: Final = ("answer", "authority", "additional")
_CLASSES: Final = {1: "IN", 3: "CH", 4: "HS", 254: "NONE", 255: "ANY"}
_FLAGS: Final = (("qr", 15), ("aa", 10), ("tc", 9), ("rd", 8), ("ra", 7), ("ad", 5), ("cd", 4))
_MAX_POINTERS: Final = 126


class BadMessage(ValueError):
    """Octets that are no whole DNS message: what is wrong, in one line."""


class Question(NamedTuple):
    """The question of a message; the name in the case of the message."""

    name: Name
    qtype: int
    qclass: int


class Edns(NamedTuple):
    """The OPT record of a message (RFC 6891 6.1.3): ``udp_size`` in octets."""

    version: int
    dnssec_ok: bool
    udp_size: int


class Parsed(NamedTuple):
    """A record of a message, as dnslib read it; the name in the case of the message."""

    name: Name
    rtype: int
    rclass: int
    ttl: int
    rdata: Any

    def fields(self) -> tuple[str, str, str, str, str]:
        """Name, TTL, class, type and data as text."""
        rtype, rclass = type_to_text(self.rtype), class_to_text(self.rclass)
        return name_to_text(self.name), str(self.ttl), rclass, rtype, self.data

    def to_text(self) -> str:
        """The record as a zone-file line: ``name ttl class type data``. Equal lines are equal
        records, TTL and case included."""
        return " ".join(self.fields())

    @property
    def data(self) -> str:
        """The RDATA as text."""
        if type(self.rdata) is not RD:
            return TEXT_OF[self.rtype](self.rdata)
        octets = self.rdata.data
        return f"\\# {len(octets)} {octets.hex()}".rstrip()

    def to_record(self) -> wire.Record:
        """The record for ``core.dns.wire.Packer``: owner and a CNAME's target in lower case."""
        if self.rtype == wire.CNAME and type(self.rdata) is not RD:
            content: bytes | Name = _lower(name_of(self.rdata.label))
        else:
            buffer = _Buffer()
            self.rdata.pack(buffer)
            content = bytes(buffer.data)
        return wire.Record(_lower(self.name), self.rtype, self.ttl, (content,))


class Message(NamedTuple):
    """A message that was read. ``rcode`` includes the bits of the OPT record, which is not among
    ``additional``. ``surplus``: octets after the last record."""

    id: int
    opcode: int
    rcode: int
    flags: tuple[str, ...]
    question: Question | None
    answer: list[Parsed]
    authority: list[Parsed]
    additional: list[Parsed]
    edns: Edns | None
    surplus: int

    @property
    def truncated(self) -> bool:
        return "tc" in self.flags


def make_query(name: Name, qtype: int, *, edns: bool = True, mix_case: bool = False) -> bytes:
    """A query of class IN with a random ID and RD set. With ``mix_case`` the letters of the name
    are in random case, which a forger must guess, too (draft-vixie-dnsext-dns0x20).

    Raises core.dns.names.BadName when the name does not fit the wire.
    """
    wire.question_of(name, qtype)
    labels = [_mixed(label) if mix_case else label for label in name]
    query = DnslibMessage(
        DNSHeader(id=int.from_bytes(os.urandom(2), "big"), rd=1),
        q=DNSQuestion(DNSLabel([label.encode("latin-1") for label in labels]), qtype),
    )
    if edns:
        query.add_ar(EDNS0(udp_len=UDP_SIZE))
    return bytes(query.pack())


def parse_message(raw: bytes) -> Message:
    """Read a message. Raises BadMessage."""
    buffer = _Buffer(raw)
    try:
        header = DNSHeader.parse(buffer)
        questions = [_read_question(buffer) for _ in range(header.q)]
        answer, authority, additional = (
            [_read_record(buffer) for _ in range(count)]
            for count in (header.a, header.auth, header.ar)
        )
    except (DNSError, BufferEnd, BimapError, ValueError) as error:
        raise BadMessage(str(error)) from error
    opts = [record for record in additional if record.rtype == wire.OPT]
    rcode, edns = header.rcode, None
    if opts:
        ttl = opts[0].ttl
        rcode |= ttl >> 24 << 4
        edns = Edns(ttl >> 16 & 0xFF, bool(ttl & 0x8000), opts[0].rclass)
        additional = [record for record in additional if record.rtype != wire.OPT]
    return Message(
        header.id,
        header.opcode,
        rcode,
        tuple(flag for flag, bit in _FLAGS if header.bitmap >> bit & 1),
        questions[0] if questions else None,
        answer,
        authority,
        additional,
        edns,
        buffer.remaining(),
    )


# -- mnemonics


def type_to_text(rtype: int) -> str:
    """The mnemonic of a type, else TYPEnnn (RFC 3597 5)."""
    return wire.TYPE_NAMES.get(rtype) or str(QTYPE[rtype])


def find_type(text: str) -> int | None:
    """The type of a mnemonic in upper case or of TYPEnnn; None when there is none."""
    known = wire.TYPES.get(text) or QTYPE.reverse.get(text)
    if known is None and text.startswith("TYPE") and text[4:].isdecimal():
        known = int(text[4:])
    return int(known) if known is not None and known < 65536 else None


def class_to_text(rclass: int) -> str:
    """The mnemonic of a class, else CLASSnnn (RFC 3597 5)."""
    return _CLASSES.get(rclass) or f"CLASS{rclass}"


def rcode_to_text(rcode: int) -> str:
    return wire.RCODE_NAMES.get(rcode) or str(RCODE.get(rcode, f"RCODE{rcode}"))


def opcode_to_text(opcode: int) -> str:
    return str(OPCODE.get(opcode, f"OPCODE{opcode}"))


# -- octets


class _Buffer(DNSBuffer):  # type: ignore[misc]
    """dnslib's buffer, limited to ``end``: of the message, or of the RDATA that is being read."""

    data: bytearray
    offset: int

    def __init__(self, data: bytes = b"") -> None:
        super().__init__(data)
        self.end = len(data)

    def remaining(self) -> int:
        return self.end - self.offset

    def get(self, length: int) -> bytes:
        if not 0 <= length <= self.remaining():
            raise BufferEnd(f"{length} octets wanted at {self.offset}, {self.remaining()} left")
        start, self.offset = self.offset, self.offset + length
        return bytes(self.data[start : self.offset])

    def decode_name(self, last: int = -1) -> DNSLabel:  # noqa: ARG002 - dnslib's signature
        """Read the name at the offset (RFC 1035 3.1, 4.1.4)."""
        data, end, at, start = self.data, self.end, self.offset, self.offset
        labels: list[bytes] = []
        size, pointers, behind = 1, 0, -1
        while True:
            if at >= end:
                raise BufferEnd(f"the name at {self.offset} has no end")
            length = data[at]
            if length >= 0xC0 and at + 1 < end:
                target = (length & 0x3F) << 8 | data[at + 1]
                behind = at + 2 if behind < 0 else behind
                pointers += 1
                if target >= start or pointers > _MAX_POINTERS:
                    raise BufferEnd(f"the name at {self.offset} has a bad pointer, at {at}")
                at = start = target
                continue
            if length > 63 or at + length >= end:
                raise BufferEnd(f"the name at {self.offset} has a bad label, at {at}")
            at += 1 + length
            if length == 0:
                self.offset = at if behind < 0 else behind
                return DNSLabel(labels)
            size += 1 + length
            if size > MAX_NAME:
                raise BufferEnd(f"the name at {self.offset} is longer than {MAX_NAME} octets")
            labels.append(bytes(data[at - length : at]))

    def encode_name(self, name: Any) -> None:
        """Without compression: what is packed here is one record's RDATA, not a message."""
        self.encode_name_nocompress(name)


def _read_question(buffer: _Buffer) -> Question:
    found = DNSQuestion.parse(buffer)
    return Question(name_of(found.qname), found.qtype, found.qclass)


def _read_record(buffer: _Buffer) -> Parsed:
    """The next record; its RDATA read by dnslib if its type is in ``TEXT_OF``, else octets."""
    start = buffer.offset
    name = name_of(buffer.decode_name())
    rtype, rclass, ttl, length = buffer.unpack("!HHIH")
    at = buffer.offset
    octets = buffer.get(length)
    if rtype not in TEXT_OF or rclass != wire.IN:
        return Parsed(name, rtype, rclass, ttl, RD(octets))
    whole, buffer.end, buffer.offset = buffer.end, at + length, at
    try:
        rdata = RDMAP[QTYPE[rtype]].parse(buffer, length)
    except UnicodeDecodeError:  # CAA: dnslib keeps its octets as text
        rdata, buffer.offset = RD(octets), at + length
    if buffer.offset != buffer.end:
        raise BufferEnd(
            f"the record at {start} is {buffer.remaining()} octets longer than its data"
        )
    buffer.end = whole
    return Parsed(name, rtype, rclass, ttl, rdata)


def _lower(name: Name) -> Name:
    return tuple(label.translate(LOWER) for label in name)


def _mixed(label: str) -> str:
    bits = int.from_bytes(os.urandom(8), "big")
    return "".join(
        chr(ord(char) ^ (bits >> at & 1) << 5) if char.isascii() and char.isalpha() else char
        for at, char in enumerate(label)
    )
