"""DNS messages as tests compare them. The reader is independent of the code under test.

Records are text as in a zone file, with every number; names keep their case. The reader knows the
types that clusters have, and writes the data of others as octets (RFC 3597).
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

TYPES: Final = {
    "A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33,
    "DS": 43, "HTTPS": 65, "ANY": 255, "AXFR": 252, "IXFR": 251, "TYPE65400": 65400,
}  # fmt: skip
_NAMES: Final = {number: name for name, number in TYPES.items()}
RCODES: Final = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
}  # fmt: skip
_OPT: Final = 41


class Reply(NamedTuple):
    """A message: flags and sections; ``question`` is (name as asked, type, class) or None."""

    id: int
    rcode: str
    flags: frozenset[str]
    question: tuple[str, int, int] | None
    answer: tuple[str, ...]
    authority: tuple[str, ...]
    additional: tuple[str, ...]
    edns: bool

    @property
    def sections(self) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
        return self.answer, self.authority, self.additional

    def comparable(self) -> tuple[object, ...]:
        """What two servers must agree on: rcode, AA, TC and the sections as sets, without the
        SOA's serial."""
        return self._compared(str)

    def folded(self) -> tuple[object, ...]:
        """`comparable`, its names in lower case."""
        return self._compared(str.lower)

    def _compared(self, fold: Callable[[str], str]) -> tuple[object, ...]:
        sections = tuple(
            tuple(sorted({fold(without_serial(record)) for record in part}))
            for part in self.sections
        )
        return self.rcode, "aa" in self.flags, "tc" in self.flags, *sections


def without_serial(record: str) -> str:
    """The record, 0 for the serial of a SOA."""
    fields = record.split(" ")
    if fields[3] == "SOA":
        fields[6] = "0"
    return " ".join(fields)


_FLAGS: Final = {0x8000: "qr", 0x0400: "aa", 0x0200: "tc", 0x0100: "rd", 0x80: "ra", 0x10: "cd"}


def read_reply(message: bytes) -> Reply:
    """Raises ValueError, IndexError or struct.error where it is no whole message."""
    number, bits, *counts = struct.unpack_from("!6H", message)
    at = 12
    question = None
    if counts[0]:
        name, at = _name(message, at)
        question = (name, *struct.unpack_from("!2H", message, at))
        at += 4
    sections: list[tuple[str, ...]] = []
    edns = False
    for count in counts[1:]:
        records = []
        for _ in range(count):
            name, at = _name(message, at)
            rtype, rclass, ttl, length = struct.unpack_from("!HHLH", message, at)
            at += 10
            if rtype == _OPT:
                edns = True
            else:
                rdata = _rdata(message, at, rtype, length)
                of_class = "IN" if rclass == 1 else f"CLASS{rclass}"
                records.append(f"{name} {ttl} {of_class} {_NAMES.get(rtype, rtype)} {rdata}")
            at += length
        sections.append(tuple(records))
    if at != len(message) or counts[0] > 1:
        raise ValueError(f"{len(message) - at} octets after the message, {counts[0]} questions")
    flags = frozenset(flag for bit, flag in _FLAGS.items() if bits & bit)
    rcode = RCODES.get(bits & 15, f"RCODE{bits & 15}")
    return Reply(number, rcode, flags, question, sections[0], sections[1], sections[2], edns)


def _rdata(message: bytes, at: int, rtype: int, length: int) -> str:
    raw = message[at : at + length]
    if len(raw) != length:
        raise ValueError("rdata beyond the message")
    if rtype in (1, 28):
        return _address(raw)
    if rtype in (2, 5, 12):
        return _name(message, at)[0]
    if rtype == 33:
        priority, weight, port = struct.unpack_from("!3H", raw)
        return f"{priority} {weight} {port} {_name(message, at + 6)[0]}"
    if rtype == 6:
        mname, at = _name(message, at)
        rname, at = _name(message, at)
        return " ".join((mname, rname, *map(str, struct.unpack_from("!5L", message, at))))
    if rtype == 16:
        return '"' + raw[1:].decode("latin-1") + '"'
    return f"\\# {length} {raw.hex()}"


@lru_cache(1 << 15)
def _address(raw: bytes) -> str:
    return str(ipaddress.ip_address(raw))


def _name(message: bytes, at: int) -> tuple[str, int]:
    """A name in presentation form, odd octets escaped, and the offset after it."""
    labels: list[str] = []
    after = -1
    size = 1
    while length := message[at]:
        if length >= 0xC0:
            if after < 0:
                after = at + 2
            target = (length & 0x3F) << 8 | message[at + 1]
            if target >= at:
                raise ValueError("a compression pointer that does not point back")
            at = target
            continue
        if length > 63:
            raise ValueError("a label of over 63 octets")
        labels.append(_label(message[at + 1 : at + 1 + length]))
        at += 1 + length
        size += 1 + length
    if size > 255:
        raise ValueError("a name of over 255 octets")
    return ".".join((*labels, "")) or ".", at + 1 if after < 0 else after


@lru_cache(1 << 15)  # the tests read millions of names, of a few thousand labels
def _label(octets: bytes) -> str:
    return "".join(map(_char, octets))


def _char(octet: int) -> str:
    char = chr(octet)
    if char in '.\\"();@$':
        return "\\" + char
    return char if "!" <= char <= "~" else f"\\{octet:03d}"


def name_wire(text: str) -> bytes:
    """The wire form of a name without escapes, its labels as they are, too long or not."""
    labels = [label.encode("latin-1") for label in text.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label) & 0xFF]) + label for label in labels) + b"\0"


def query(
    qname: str | bytes,
    qtype: str,
    *,
    id_: int = 4711,
    rd: bool = True,
    edns: bool = False,
    qclass: int = 1,
) -> bytes:
    """A query; ``qname`` as text without escapes, or in wire form."""
    wire = name_wire(qname) if isinstance(qname, str) else qname
    number = TYPES.get(qtype) or int(qtype.removeprefix("TYPE"))
    head = struct.pack("!6H", id_, 0x0100 if rd else 0, 1, 0, 0, int(edns))
    opt = b"\0" + struct.pack("!HHLH", _OPT, 1232, 0, 0) if edns else b""
    return head + wire + struct.pack("!2H", number, qclass) + opt
