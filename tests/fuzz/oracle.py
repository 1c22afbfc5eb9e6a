"""The rules for every reply, whatever the query was: written from the RFCs, not from the code.

``check_reply(query, reply)`` raises AssertionError with the rule that is broken.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import Final, NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.wire

HEADER: Final = 12
MAX_MESSAGE: Final = 65535
RCODES: Final = frozenset({0, 1, 3, 4, 5, 16})
"""NOERROR, FORMERR, NXDOMAIN, NOTIMP, REFUSED, BADVERS. SERVFAIL would be a bug of grpcdns."""
OPT: Final = 41


class Expected(NamedTuple):
    """What the query's octets alone decide. ``question``: its octets, b"" when it cannot be read;
    ``rcode``: None when it depends on the data."""

    question: bytes
    rcode: int | None
    edns: bool


def check_reply(query: bytes, reply: bytes) -> None:
    """The rules of a reply to these octets: RFC 1035 4.1, RFC 6891 6.1 and 7."""
    expected = expect(query)
    assert HEADER <= len(reply) <= MAX_MESSAGE, f"{len(reply)} octets"
    head = query[:HEADER].ljust(HEADER, b"\0")
    assert reply[:2] == head[:2], "another ID"
    bits, asked = int.from_bytes(reply[2:4], "big"), int.from_bytes(head[2:4], "big")
    assert bits & 0x8000, "QR is not set"
    assert bits & 0x7800 == asked & 0x7800, "another opcode"
    assert bits & 0x0110 == asked & 0x0110, "RD or CD is not as asked"
    assert not bits & 0x02E0, "TC, RA, Z or AD is set"
    counts = struct.unpack_from("!4H", reply, 4)
    if not expected.question:
        assert reply[HEADER:] == b"", "more than a header, though no question could be read"
        assert counts == (0, 0, 0, 0), "counts without records"
    else:
        assert counts[0] == 1, f"{counts[0]} questions"
        end = HEADER + len(expected.question)
        assert reply[HEADER:end] == expected.question, "not the question as asked"
    check_content(expected, reply[2:])


@lru_cache(1 << 15)  # replies that differ only in the ID are parsed once
def check_content(expected: Expected, content: bytes) -> None:
    """The rules about the records of a reply (without its ID), as dnspython parses it."""
    bits = int.from_bytes(content[:2], "big")
    # dnspython parses the sections of an UPDATE by other rules: make every reply one to a QUERY.
    plain = b"\0\0" + bytes([content[0] & 0x87]) + content[1:]
    try:
        message = dns.message.from_wire(plain)
    except (dns.exception.DNSException, ValueError) as error:
        raise AssertionError(f"dnspython cannot parse it: {error!r}") from error
    rcode = int(message.rcode())
    assert rcode in RCODES, f"rcode {rcode}"
    assert expected.rcode in (None, rcode), f"rcode {rcode}, not {expected.rcode}"
    assert (message.edns >= 0) == expected.edns, "an OPT, or none, though asked otherwise"
    assert message.edns <= 0, "not EDNS version 0"
    assert not message.options, "EDNS options in a reply"
    if rcode in (0, 3):
        assert bits & 0x0400, "AA is not set"
    else:
        assert not bits & 0x0400, "AA on an error"
        assert message.answer + message.authority == [], "records with an error"
    if rcode == 0 and not message.answer:
        assert len(message.authority) == 1, "NODATA without a SOA"
    if rcode == 3:
        assert len(message.authority) == 1, "NXDOMAIN without a SOA"


def expect(query: bytes) -> Expected:
    """Parse a query as far as it decides the reply."""
    nothing = Expected(b"", 1, False)
    if len(query) < HEADER:
        return nothing
    response, opcode = query[2] & 0x80, query[2] >> 3 & 15
    wrong = 1 if response or opcode == 0 else 4
    qdcount, ancount, nscount, arcount = struct.unpack_from("!4H", query, 4)
    end = name_end(query, HEADER, pointers=False)
    counted = qdcount == 1 and ancount <= 1 and nscount <= 1 and arcount <= 2
    if response or not counted or end is None or end - HEADER > 255 or end + 4 > len(query):
        return nothing._replace(rcode=wrong)
    question = query[HEADER : end + 4]
    if opcode:
        return Expected(question, 4, False)
    edns, rcode = _read_opt(query, end + 4, ancount + nscount, arcount)
    qtype, qclass = struct.unpack_from("!2H", question, len(question) - 4)
    if rcode is None and (qclass != 1 or qtype in (251, 252)):
        rcode = 5
    return Expected(question, rcode, edns)


def _read_opt(query: bytes, at: int, skipped: int, additional: int) -> tuple[bool, int | None]:
    """Whether there was an OPT before the first error, and the rcode for that error."""
    edns, rcode = False, None
    for number in range(skipped + additional):
        end = name_end(query, at, pointers=True)
        if end is None or end + 10 > len(query):
            return edns, 1
        rtype, _, _, version, _, length = struct.unpack_from("!HHBBHH", query, end)
        if end + 10 + length > len(query):
            return edns, 1
        if rtype == OPT and number >= skipped:
            if edns or query[at] != 0 or not _options_end(query, end + 10, length):
                return edns, 1
            edns = True
            if version:
                rcode = 16
        at = end + 10 + length
    return edns, rcode


def _options_end(query: bytes, at: int, length: int) -> bool:
    """Whether dnspython's own parser finds whole options in an OPT's rdata, and nothing else."""
    parser = dns.wire.Parser(query, at)
    try:
        with parser.restrict_to(length):
            while parser.remaining():
                _code, size = parser.get_struct("!HH")
                parser.get_bytes(size)
    except dns.exception.FormError:
        return False
    return True


def name_end(message: bytes, at: int, *, pointers: bool) -> int | None:
    """Where a name ends; None when it does not end or breaks the rules."""
    while at < len(message):
        length = message[at]
        if length == 0:
            return at + 1
        if length >= 0xC0 and pointers:
            return at + 2
        if length > 63:
            return None
        at += 1 + length
    return None
