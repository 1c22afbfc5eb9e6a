"""Queries that no honest client sends: a row each, with the RFC that says what to answer.

``rcode`` is that of grpcdns, asked directly; ``coredns`` is what a client of CoreDNS gets where
CoreDNS decides by itself (None: no reply). ``question``: whether the reply has one.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from tests.conformance.reply import name_wire

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, BADVERS = 0, 1, 2, 3, 4, 5, 16
SAME: Final = -1
"""For ``coredns``: the same as ours."""

NAME: Final = "svc1.testns.svc.cluster.local"
SPACE: Final = name_wire("testns.svc.cluster.local")
QUESTION: Final = name_wire(NAME) + struct.pack("!2H", 1, 1)


class Row(NamedTuple):
    """One message and its reply."""

    id: str
    rfc: str
    message: bytes
    rcode: int
    coredns: int | None = SAME
    question: bool = True
    records: int | None = None
    """Records in the answer section, where it matters."""


def head(
    bits: int = 0x0100, qd: int = 1, an: int = 0, ns: int = 0, ar: int = 0, id_: int = 0x5EED
) -> bytes:
    return struct.pack("!6H", id_, bits, qd, an, ns, ar)


def opt(
    *options: tuple[int, bytes],
    version: int = 0,
    flags: int = 0,
    payload: int = 1232,
    name: bytes = b"\0",
) -> bytes:
    rdata = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    return name + struct.pack("!HHBBHH", 41, payload, 0, version, flags, len(rdata)) + rdata


def record(rtype: int, rdata: bytes = b"", name: bytes = b"\0", rclass: int = 1) -> bytes:
    return name + struct.pack("!HHLH", rtype, rclass, 0, len(rdata)) + rdata


def asked(name: bytes, qtype: int = 1, qclass: int = 1) -> bytes:
    return head() + name + struct.pack("!2H", qtype, qclass)


def typed(qtype: int, name: str = NAME) -> bytes:
    return asked(name_wire(name), qtype)


TSIG_RDATA: Final = (
    name_wire("hmac-sha256") + b"\0" * 6 + struct.pack("!HH", 300, 32) + b"\0" * 32
    + struct.pack("!HHH", 0x5EED, 0, 0)
)  # fmt: skip

EDNS: Final = (
    Row("plain", "RFC 1035 4.1", head() + QUESTION, NOERROR, records=1),
    Row("opt", "RFC 6891 6.1.1", head(ar=1) + QUESTION + opt(), NOERROR, records=1),
    Row("do", "RFC 3225 3", head(ar=1) + QUESTION + opt(flags=0x8000), NOERROR, records=1),
    Row("version-1", "RFC 6891 6.1.3", head(ar=1) + QUESTION + opt(version=1), BADVERS),
    Row("version-255", "RFC 6891 6.1.3", head(ar=1) + QUESTION + opt(version=255), BADVERS),
    Row("unknown-option", "RFC 6891 6.1.2; RFC 8906 8.2.2",
        head(ar=1) + QUESTION + opt((65001, b"what")), NOERROR, records=1),
    Row("client-address-option", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt((65518, b"\x0a\0\0\1")), NOERROR, records=1),
    Row("cookie", "RFC 7873 5.2.1", head(ar=1) + QUESTION + opt((10, b"12345678")), NOERROR,
        records=1),
    Row("cookie-of-one-octet", "RFC 6891 6.1.2 (not ours to read)",
        head(ar=1) + QUESTION + opt((10, b"1")), NOERROR, records=1),
    Row("client-subnet", "RFC 7871 7.2", head(ar=1) + QUESTION + opt((8, b"\0\1\x18\0\x0a\0\0")),
        NOERROR, records=1),
    Row("many-options", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt(*((65001 + n % 500, b"") for n in range(100))), NOERROR,
        records=1),
    Row("unknown-option-of-version-1", "RFC 8906 8.2.5",
        head(ar=1) + QUESTION + opt((65001, b"x"), version=1), BADVERS),
    Row("unknown-flags", "RFC 6891 6.1.4; RFC 8906 8.2.3",
        head(ar=1) + QUESTION + opt(flags=0x7FFF), NOERROR, records=1),
    Row("payload-0", "RFC 6891 6.2.3 (under 512 is 512)", head(ar=1) + QUESTION + opt(payload=0),
        NOERROR, records=1),
    Row("two-opts", "RFC 6891 6.1.1", head(ar=2) + QUESTION + opt() + opt(), FORMERR),
    Row("opt-with-a-name", "RFC 6891 6.1.2", head(ar=1) + QUESTION + opt(name=b"\1a\0"), FORMERR),
    Row("opt-cut-off", "RFC 6891 6.1.2", head(ar=1) + QUESTION + opt()[:-2], FORMERR),
    Row("opt-rdata-cut-off", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt((65001, b"what"))[:-2], FORMERR),
    Row("option-past-the-opt", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt((65001, b"what"))[:-5] + b"\x05what", FORMERR),
    Row("option-past-the-opt-and-octets-there", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt((65001, b"what"))[:-5] + b"\x05whatever", FORMERR),
    Row("half-an-option", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt()[:-2] + b"\0\3\xfd\xe9\0", FORMERR),
    Row("last-option-past-the-opt", "RFC 6891 6.1.2",
        head(ar=1) + QUESTION + opt((10, b"12345678"), (65001, b"x"))[:-2] + b"\x02x", FORMERR),
    Row("opt-in-the-answer", "RFC 6891 6.1.1 (no OPT unless in the additional section)",
        head(an=1) + QUESTION + opt(), NOERROR),
)  # fmt: skip

HEADERS: Final = (
    *(Row(f"opcode-{opcode}", "RFC 1035 4.1.1; RFC 8906 8.3.1", head(bits=opcode << 11) + QUESTION,
          NOTIMP) for opcode in (1, 2, 3, 4, 6, 15)),
    Row("update", "RFC 2136 2; CVE-2026-86003",
        head(bits=5 << 11, ns=1) + name_wire("cluster.local") + struct.pack("!2H", 6, 1)
        + record(1, b"\x0a\0\0\1", name_wire("new.testns.svc.cluster.local")), NOTIMP),
    Row("notify", "RFC 1996 3.7", head(bits=4 << 11) + typed(6, "cluster.local")[12:], NOTIMP),
    Row("z-bit", "RFC 1035 4.1.1; RFC 8906 8.1.3.1", head(bits=0x0140) + QUESTION, NOERROR,
        records=1),
    Row("ad-bit", "RFC 6840 5.7", head(bits=0x0120) + QUESTION, NOERROR, records=1),
    Row("cd-bit", "RFC 4035 3.1.6", head(bits=0x0110) + QUESTION, NOERROR, records=1),
    Row("rd-clear", "RFC 8906 8.1.3", head(bits=0) + QUESTION, NOERROR, records=1),
    Row("aa-and-tc", "RFC 1035 4.1.1 (of no meaning in a query)", head(bits=0x0600) + QUESTION,
        NOERROR, records=1),
    Row("rcode-in-a-query", "RFC 1035 4.1.1 (the same)", head(bits=0x010F) + QUESTION, NOERROR,
        records=1),
    Row("a-response", "RFC 1035 4.1.1 (QR set: no query)", head(bits=0x8100) + QUESTION, FORMERR,
        question=False, coredns=None),
    Row("no-octets", "RFC 1035 4.1", b"", FORMERR, question=False, coredns=None),
    Row("one-octet", "RFC 1035 4.1", b"\x5e", FORMERR, question=False, coredns=None),
    Row("eleven-octets", "RFC 1035 4.1", head()[:11], FORMERR, question=False, coredns=None),
    Row("header-alone", "RFC 9619 3", head(qd=0), FORMERR, question=False),
    Row("no-question-but-a-cookie", "RFC 7873 5.4 (cookies are not ours); RFC 9619 3",
        head(qd=0, ar=1) + opt((10, b"12345678")), FORMERR, question=False),
    Row("two-questions", "RFC 9619 3", head(qd=2) + QUESTION + QUESTION, FORMERR, question=False),
    Row("two-questions-counted-one-there", "RFC 9619 3", head(qd=2) + QUESTION, FORMERR,
        question=False),
    Row("65535-questions", "RFC 9619 3; CVE-2026-82399", head(qd=65535) + QUESTION, FORMERR,
        question=False),
    Row("all-counts-65535", "CVE-2026-82399", head(qd=65535, an=65535, ns=65535, ar=65535), FORMERR,
        question=False),
    Row("record-counts-65535", "CVE-2026-82399", head(an=65535, ns=65535, ar=65535) + QUESTION,
        FORMERR, question=False),
    *(Row(f"{count}-{section}-records", "RFC 9619 (no query has as many)",
          head(**{section: count}) + QUESTION + record(1, b"\x0a\0\0\1") * count, FORMERR,
          question=False)
      for section, count in (("an", 2), ("ns", 2), ("ar", 3), ("an", 300))),
    Row("notify-soa-and-tsig", "RFC 1996 3.7 (an answer, an authority, two additionals at most)",
        head(an=1, ns=1, ar=2) + QUESTION + record(1, b"\x0a\0\0\1") * 3 + opt(), NOERROR,
        records=1),
    Row("one-question-counted-none-there", "RFC 1035 4.1.2", head(), FORMERR,
        question=False, coredns=SERVFAIL),
    Row("trailing-octets", "RFC 8906 8 (robust to what follows)", head() + QUESTION + b"\xde\xad",
        NOERROR, records=1),
    Row("trailing-64-KiB", "RFC 1035 4.1",
        head() + QUESTION + b"\xff" * (65535 - 12 - len(QUESTION)), NOERROR, records=1),
    Row("answers-in-a-query", "RFC 1035 4.1.1 (ignored)",
        head(an=1) + QUESTION + record(1, b"\x01\2\3\4", b"\xc0\x0c"), NOERROR, records=1),
)  # fmt: skip

NAMES: Final = (
    Row("looping-pointer", "RFC 1035 4.1.4; CoreDNS 530b0a5ff", asked(b"\xc0\x0c"), FORMERR,
        question=False),
    Row("pointer-into-the-header", "RFC 1035 4.1.4", asked(b"\xc0\0"), FORMERR, question=False),
    Row("label-then-loop", "RFC 1035 4.1.4", asked(b"\1a\xc0\x0c"), FORMERR, question=False),
    Row("pointer-forward", "RFC 1035 4.1.4", asked(b"\xc0\x40"), FORMERR, question=False),
    Row("reserved-label-type-01", "RFC 6891 5; RFC 1035 4.1.4", asked(b"\x41" + b"a" * 65 + b"\0"),
        FORMERR, question=False),
    Row("reserved-label-type-10", "RFC 1035 4.1.4", asked(b"\x81a\0"), FORMERR, question=False),
    Row("label-of-64", "RFC 1035 2.3.4", asked(b"\x40" + b"a" * 64 + b"\0"), FORMERR,
        question=False),
    Row("label-of-63", "RFC 1035 2.3.4", asked(b"\x3f" + b"a" * 63 + SPACE),
        NXDOMAIN),
    Row("name-of-255", "RFC 1035 2.3.4", asked(b"\1a" * 118 + name_wire("svc.cluster.local")),
        NXDOMAIN),
    Row("name-of-257", "RFC 1035 2.3.4", asked(b"\1a" * 119 + name_wire("svc.cluster.local")),
        FORMERR, question=False),
    Row("name-without-end", "RFC 1035 3.1", head() + b"\3abc", FORMERR, question=False),
    Row("type-cut-off", "RFC 1035 4.1.2", (head() + QUESTION)[:-3], FORMERR, question=False),
    Row("32,000-labels", "RFC 1035 2.3.4", asked(b"\1a" * 32_000 + b"\0"), FORMERR, question=False),
    Row("nul-in-a-label", "RFC 2181 11", asked(b"\3a\0b" + SPACE),
        NXDOMAIN),
    Row("dot-in-a-label", "RFC 2181 11", asked(b"\x0bsvc1.testns" + name_wire("svc.cluster.local")),
        NXDOMAIN),
    Row("dots-that-spell-a-name", "RFC 2181 11",
        asked(bytes([len(NAME)]) + NAME.encode() + b"\0"), REFUSED),
    Row("octets-over-127", "RFC 2181 11", asked(b"\2\xff\xc3" + SPACE),
        NXDOMAIN),
    Row("asterisk", "RFC 4592 2.1.1 (a literal label); kubernetes#81137",
        typed(1, "*.testns.svc.cluster.local"),
        NXDOMAIN),
    Row("asterisks", "RFC 4592 2.1.1; kubernetes#81137", typed(33, "*.*.svc.cluster.local"),
        NXDOMAIN),
    Row("any-namespace", "CoreDNS#4984", typed(1, "svc1.any.svc.cluster.local"), NXDOMAIN),
    Row("0x20", "RFC 4343 3; draft-vixie-dnsext-dns0x20",
        head() + QUESTION[:-4].swapcase() + QUESTION[-4:], NOERROR, records=1),
    Row("root", "RFC 1034 4.3.2 (not our zone)", asked(b"\0"), REFUSED),
    Row("outside", "RFC 1034 4.3.2", typed(1, "www.example.com"), REFUSED),
    Row("zone-as-the-end-of-a-label", "RFC 1034 3.1", typed(1, "xcluster.local"), REFUSED),
)  # fmt: skip

TYPES: Final = (
    *(Row(f"class-{qclass}", "RFC 1035 3.2.5; RFC 8906 8", asked(name_wire(NAME), 1, qclass),
          REFUSED)
      for qclass in (0, 2, 3, 4, 254, 65535)),
    Row("class-any", "RFC 1035 3.2.5", asked(name_wire(NAME), 1, 255), REFUSED),
    Row("chaos-version", "RFC 4892 (none of our business)", asked(name_wire("version.bind"), 16, 3),
        REFUSED),
    Row("axfr", "RFC 5936 2", typed(252, "cluster.local"), REFUSED),
    Row("ixfr", "RFC 1995 2", typed(251, "cluster.local"), REFUSED),
    Row("axfr-outside", "RFC 5936 2", typed(252, "example.com"), REFUSED),
    Row("any", "RFC 8482 4 (NODATA is allowed: nothing is listed)", typed(255), NOERROR, records=0),
    Row("unknown-type", "RFC 8906 8.1.2; RFC 3597", typed(65400), NOERROR, records=0),
    Row("type-0", "RFC 6895 3.1", typed(0), NOERROR, records=0),
    Row("type-opt", "RFC 6891 6.1 (a pseudo-type)", typed(41), NOERROR, records=0),
    Row("type-tsig", "RFC 8945 4.2", typed(250), NOERROR, records=0),
    Row("meta-type-mailb", "RFC 1035 3.2.3", typed(253), NOERROR, records=0),
    Row("tsig", "RFC 8945 5.2 (never trusted); CVE-2026-33190",
        head(ar=1) + QUESTION + record(250, TSIG_RDATA, name_wire("key"), 255), NOERROR, records=1),
    Row("tsig-axfr", "RFC 8945 5.2; CVE-2026-35579",
        head(ar=1) + typed(252, "cluster.local")[12:]
        + record(250, TSIG_RDATA, name_wire("key"), 255), REFUSED),
    Row("tsig-update", "RFC 2136 3; RFC 8945",
        head(bits=5 << 11, ar=1) + name_wire("cluster.local") + struct.pack("!2H", 6, 1)
        + record(250, TSIG_RDATA, name_wire("key"), 255), NOTIMP),
    Row("tsig-of-rubbish", "RFC 8945 5.2", head(ar=1) + QUESTION + record(250, b"\xff"), NOERROR,
        records=1, coredns=FORMERR),
    Row("sig0", "RFC 2931 3", head(ar=1) + QUESTION + record(24, b"\0" * 18, rclass=255), NOERROR,
        records=1),
)  # fmt: skip

ROWS: Final = (*EDNS, *HEADERS, *NAMES, *TYPES)
