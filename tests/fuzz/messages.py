"""Drawn queries: names that almost exist, flags and EDNS in every combination."""

from __future__ import annotations

import struct
from typing import Final

from tests.conformance.cluster import OBJECTS
from tests.fuzz.draw import Draw

_ZONES: Final = (
    b"\x07cluster\x05local\0", b"\x07example\0", b"\x0aclusterset\x05local\0",
    b"\x07outside\x07example\0", b"\x07in-addr\x04arpa\0", b"\x03ip6\x04arpa\0", b"\0",
    b"\x03com\0",
)  # fmt: skip
_TYPES: Final = (
    1, 28, 33, 12, 5, 16, 6, 2, 255, 65, 64, 15, 41, 250, 251, 252, 0, 65535, 257, 43,
)  # fmt: skip
_OWN: Final = (
    b"svc", b"pod", b"_tcp", b"_udp", b"tcp", b"_http", b"http", b"_zone", b"pin", b"prefer",
    b"zone-a", b"ns", b"dns", b"ns1", b"dns-version", b"*", b"any", b"web-0", b"web-1", b"east",
    b"10-244-1-3", b"10-244-3-1", b"fd00--0", b"1", b"244", b"10", b"96", b"0", b"a", b"\0",
    b"a.b", b"\xff\xfe", b"_", b"-", b"x" * 63,
)  # fmt: skip


def _labels() -> tuple[bytes, ...]:
    """Every name of the cluster, and the labels that its rules look for."""
    names = {obj["metadata"]["name"].encode() for obj in OBJECTS}
    return (*_OWN, *sorted(name for name in names if len(name) < 64))


LABELS: Final = _labels()
_REVERSED: Final = (b"\x0210\x010\x0296\x0210", b"\x011\x011\x03244\x0210")


def draw_name(draw: Draw) -> bytes:
    """A name in wire form, mostly a legal one."""
    name = b"".join(_draw_label(draw) for _ in range(draw.below(8)))
    if draw.maybe(8):
        name = draw.pick(_REVERSED)
    zone = draw.pick(_ZONES)
    whole = name + zone
    return _mix_case(whole, draw.byte()) if draw.maybe(3) else whole


def draw_query(draw: Draw) -> bytes:
    """A query, mostly one that gets a real answer."""
    odd = draw.maybe(4)
    flags = draw.word() if odd else draw.pick((0x0100, 0, 0x0110, 0x0120))
    counts = [1, 0, 0, 0]
    extra = b""
    if draw.maybe(2):
        counts[3], extra = 1, draw_opt(draw)
    if odd and draw.maybe(4):
        counts[draw.below(4)] = draw.pick((0, 1, 2, 3, 255, 65535))
    if odd and draw.maybe(4):
        record = draw_name(draw) + struct.pack("!HHLH", draw.pick(_TYPES), 1, 0, 2) + draw.take(2)
        extra = record + extra
        counts[1 + draw.below(3)] += 1
    qtype = draw.word() if odd and draw.maybe(3) else draw.pick(_TYPES)
    qclass = draw.pick((1, 1, 1, 1, 255, 3, 254, 0))
    head = struct.pack("!HH4H", draw.word(), flags, *(count & 0xFFFF for count in counts))
    message = head + draw_name(draw) + struct.pack("!2H", qtype, qclass) + extra
    if odd and draw.maybe(4):
        message += draw.take(draw.below(32))
    if odd and draw.maybe(8):
        message = message[: draw.below(len(message) + 1)]
    return message


def draw_opt(draw: Draw) -> bytes:
    """An OPT, mostly a plain one."""
    owner = b"\0" if not draw.maybe(16) else draw.pick((b"\x01a\0", b"\xc0\x0c", b"\xc0"))
    version = 0 if not draw.maybe(8) else draw.byte()
    flags = draw.pick((0, 0x8000, 0x8000, 0x4000, 0xFFFF))
    options = b"".join(_draw_option(draw) for _ in range(draw.below(4)))
    if draw.maybe(16):
        options += draw.take(3)
    size = len(options) if not draw.maybe(16) else draw.word()
    extended = 0 if not draw.maybe(16) else draw.byte()
    start = struct.pack("!HHBBHH", 41, draw.word(), extended, version, flags, size)
    return owner + start + options


def _draw_option(draw: Draw) -> bytes:
    data = draw.take(draw.below(24))
    return struct.pack("!HH", draw.pick((10, 3, 8, 12, 11, 65518, 0, 65535)), len(data)) + data


def _draw_label(draw: Draw) -> bytes:
    label = draw.take(1 + draw.below(64)) if draw.maybe(16) else draw.pick(LABELS)
    size = len(label)
    if draw.maybe(64):
        size = draw.byte()
    return bytes([size]) + label


def _mix_case(wire: bytes, bits: int) -> bytes:
    """Some letters in the other case; length octets are below any letter."""
    swapped = wire.swapcase()
    return bytes(
        new if bits >> (at & 7) & 1 else old
        for at, (old, new) in enumerate(zip(wire, swapped, strict=True))
    )
