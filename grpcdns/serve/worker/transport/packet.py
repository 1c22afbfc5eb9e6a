"""``coredns.dns.DnsPacket { bytes msg = 1; }``, encoded and decoded without protobuf's classes.

Pure functions on bytes, on the hot path of both transports. The rules are those of the protobuf
encoding specification: unknown fields are skipped, the last ``msg`` counts, no ``msg`` is an empty
one.
"""

from __future__ import annotations

from typing import Final

MAX_MESSAGE: Final = 65535
"""The longest DNS message, in octets (RFC 1035 4.2.2)."""
MAX_PACKET: Final = MAX_MESSAGE + 4
"""The longest DnsPacket: one octet of tag, three of length. The server refuses longer ones."""

_MAX_FIELD: Final = (1 << 29) - 1
_MSG: Final = 0x0A
"""Field 1, wire type 2 (length-delimited)."""


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_HEADS: Final = tuple(b"\x0a" + _varint(length) for length in range(2048))


def to_wire(msg: bytes) -> bytes:
    """The DnsPacket of a DNS message."""
    length = len(msg)
    if length < 2048:
        return _HEADS[length] + msg
    return b"\x0a" + _varint(length) + msg


def from_wire(raw: bytes) -> bytes | None:
    """The DNS message in a DnsPacket; None if ``raw`` is no protobuf message."""
    length = len(raw)
    if length > 2 and raw[0] == _MSG:
        first = raw[1]
        if first < 0x80:
            if first == length - 2:
                return raw[2:]
        elif raw[2] < 0x80 and (first & 0x7F | raw[2] << 7) == length - 3:
            return raw[3:]
    return _from_wire_any(raw)


def _from_wire_any(raw: bytes) -> bytes | None:
    """The same for every valid encoding, not only the shortest."""
    msg = b""
    at = 0
    while at < len(raw):
        tag, at = _read_varint(raw, at)
        if at < 0 or not 0 < tag >> 3 <= _MAX_FIELD:
            return None
        start, at = _skip(raw, at, tag & 7)
        if at < 0 or at > len(raw):
            return None
        if tag == _MSG:  # any other wire type makes it an unknown field
            msg = raw[start:at]
    return msg


def _skip(raw: bytes, at: int, wire_type: int) -> tuple[int, int]:
    """Where the value at ``at`` starts and ends; the end is -1 if it cannot be read."""
    if wire_type == 0:
        return at, _read_varint(raw, at)[1]
    if wire_type == 1:
        return at, at + 8
    if wire_type == 2:
        length, at = _read_varint(raw, at)
        return at, at + length if at >= 0 else -1
    if wire_type == 5:
        return at, at + 4
    return at, -1  # groups, which are obsolete, and unknown wire types


def _read_varint(raw: bytes, at: int) -> tuple[int, int]:
    """A varint and where it ends; the end is -1 if there is none."""
    number = 0
    for shift in range(0, 70, 7):
        if at >= len(raw):
            return 0, -1
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
    return 0, -1
