"""The wire, from both ends: whatever octets come in, and what other libraries make of ours."""

from __future__ import annotations

import struct
from functools import cache
from random import Random
from typing import Final

import dns.flags
import dns.message
import dns.rdatatype
import dnslib
import pytest
from hypothesis import example, given, seed, settings
from hypothesis import strategies as st

from grpcdns.config.options import Config
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.handler import Deferred, Handler
from tests.conformance.cluster import OBJECTS
from tests.conformance.loading import ask, handler_of, lists_of
from tests.conformance.outside import OUTSIDE
from tests.conformance.questions import QTYPES, names_of, near
from tests.conformance.reply import TYPES, name_wire, query, read_reply
from tests.unit.core.test_orders import SEED

NAME: Final = "svc1.testns.svc.cluster.local."
PLAIN: Final = query(NAME, "A")
OPT: Final = b"\0" + struct.pack("!HHLH", 41, 1232, 0, 0)


@cache
def handler() -> Handler:
    config = Config(pods="insecure", external_zones=("outside.example.",), external_headless=True)
    return handler_of(lists_of(OBJECTS), config.policy())


def edns(rest: bytes = b"", *, ttl: int = 0, root: bytes = b"\0", count: int = 1) -> bytes:
    opt = root + struct.pack("!HHLH", 41, 1232, ttl, len(rest)) + rest
    return counted(0, 0, count) + opt * count


def counted(answers: int, authorities: int, additionals: int) -> bytes:
    """`PLAIN` with other record counts."""
    return PLAIN[:6] + struct.pack("!3H", answers, authorities, additionals) + PLAIN[12:]


# -- anything comes in


def check_reply(message: bytes, reply: bytes | Deferred | None) -> None:
    """QR set, the ID, and the very question or none; never over 65,535 octets."""
    raw = reply.complete([None] * len(reply.lookups)) if isinstance(reply, Deferred) else reply
    assert raw is not None
    assert 12 <= len(raw) <= 65535
    assert raw[:2] == message[:2].ljust(2, b"\0")
    assert raw[2] & 0x80
    assert raw[3] & 0x80 == 0, "RA"
    questions = int.from_bytes(raw[4:6], "big")
    if questions == 0:
        assert len(raw) == 12
        assert raw[3] & 15 in (1, 4), "FORMERR or NOTIMP"
        return
    assert questions == 1
    end = message.index(b"\0", 12) + 5 if b"\0" in message[12:] else 12
    parsed = read_reply(raw)
    assert parsed.question is not None
    assert raw[12:end] == message[12:end]


@seed(SEED)
@settings(max_examples=500, deadline=None, database=None, print_blob=True)
@given(st.binary(max_size=600))
@example(b"")
@example(b"\0" * 12)
@example(b"\xff" * 12)
@example(b"\0" * 65535)
@example(PLAIN[:12] + b"\xc0\x0c" + PLAIN[-4:])
@example(PLAIN[:12] + b"\x3f" + b"a" * 63 + b"\0" + PLAIN[-4:])
@example(PLAIN[:12] + b"\x40" + b"a" * 64 + b"\0" + PLAIN[-4:])
def test_any_octets(message: bytes) -> None:
    parsed = wire.parse_query(message)
    assert parsed.question is not None or parsed.rcode
    check_reply(message, handler().handle(message))


@seed(SEED)
@settings(max_examples=700, deadline=None, database=None, print_blob=True)
@given(
    base=st.sampled_from(
        (
            PLAIN,
            edns(),
            edns(b"\0\x0a\0\x08abcdefgh"),
            query(NAME, "SRV"),
            query("ext.testns.svc.cluster.local.", "A"),
        )
    ),
    changes=st.lists(st.tuples(st.integers(0, 80), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 90),
    tail=st.binary(max_size=20),
)
def test_near_queries(base: bytes, changes: list[tuple[int, int]], cut: int, tail: bytes) -> None:
    message = bytearray(base[: len(base) - cut] if cut < 40 else base)
    for at, octet in changes:
        if at < len(message):
            message[at] = octet
    message += tail
    check_reply(bytes(message), handler().handle(bytes(message)))
    check_reply(bytes(message), handler().handle(bytes(message)))


# -- what a reply's head says


@pytest.mark.parametrize(
    ("message", "rcode", "sections"),
    [
        pytest.param(PLAIN, 0, (1, 1, 0, 0), id="plain"),
        pytest.param(edns(), 0, (1, 1, 0, 1), id="EDNS"),
        pytest.param(edns(b"\0\x0a\0\x08abcdefgh"), 0, (1, 1, 0, 1), id="cookie"),
        pytest.param(edns(b"\xff\xee\0\x04\x0a\0\0\x01"), 0, (1, 1, 0, 1), id="option 65518"),
        pytest.param(edns(ttl=1 << 16), 0, (1, 0, 0, 1), id="version 1 is BADVERS"),
        pytest.param(edns(count=2), 1, (1, 0, 0, 1), id="two OPT records"),
        pytest.param(edns(root=b"\1x\0"), 1, (1, 0, 0, 0), id="an OPT that is not the root's"),
        pytest.param(PLAIN + b"rubbish", 0, (1, 1, 0, 0), id="octets after the end are ignored"),
        pytest.param(PLAIN[:10] + b"\0\1" + PLAIN[12:], 1, (1, 0, 0, 0), id="a record is missing"),
        pytest.param(PLAIN[:4] + b"\0\0" + PLAIN[6:], 1, (0, 0, 0, 0), id="no question"),
        pytest.param(PLAIN[:4] + b"\0\2" + PLAIN[6:], 1, (0, 0, 0, 0), id="two questions"),
        pytest.param(counted(2, 0, 0), 1, (0, 0, 0, 0), id="two answers"),
        pytest.param(counted(0, 2, 0), 1, (0, 0, 0, 0), id="two authorities"),
        pytest.param(counted(0, 0, 3), 1, (0, 0, 0, 0), id="three additionals"),
        pytest.param(edns(b"\0\x0a\0\x09abcdefgh"), 1, (1, 0, 0, 0), id="an option beyond the OPT"),
        pytest.param(edns(b"\0\x0a\0"), 1, (1, 0, 0, 0), id="half an option"),
        pytest.param(edns(b"\0\x0a\0\0" * 3 + b"\0"), 1, (1, 0, 0, 0), id="after the options"),
        pytest.param(b"\0\1" * 2 + b"\xff" * 8, 1, (0, 0, 0, 0), id="counts of 65,535"),
        pytest.param(PLAIN[:2] + b"\x80" + PLAIN[3:], 1, (0, 0, 0, 0), id="a reply"),
        pytest.param(PLAIN[:2] + b"\x28" + PLAIN[3:], 4, (1, 0, 0, 0), id="UPDATE"),
        pytest.param(PLAIN[:2] + b"\x20" + PLAIN[3:], 4, (1, 0, 0, 0), id="NOTIFY"),
        pytest.param(PLAIN[:2] + b"\x28\0\0\5" + PLAIN[6:], 4, (0, 0, 0, 0), id="odd UPDATE"),
        pytest.param(PLAIN[:2] + b"\x28\0\0\1" + PLAIN[6:13], 4, (0, 0, 0, 0), id="cut UPDATE"),
        pytest.param(query(NAME, "A", qclass=3), 5, (1, 0, 0, 0), id="class CH"),
        pytest.param(query(NAME, "A", qclass=255), 5, (1, 0, 0, 0), id="class ANY"),
        pytest.param(query(NAME, "A", qclass=0), 5, (1, 0, 0, 0), id="class 0"),
    ],
)  # fmt: skip
def test_head(message: bytes, rcode: int, sections: tuple[int, ...]) -> None:
    for _ in ("new", "remembered"):
        raw = ask(handler(), message) or b""
        assert raw[3] & 15 == rcode
        assert struct.unpack_from("!4H", raw, 4) == sections
        assert raw[:2] == message[:2]


def test_badvers() -> None:
    """RFC 6891 6.1.3: the upper octet of the rcode is in the OPT, our version is 0."""
    raw = ask(handler(), edns(ttl=1 << 16)) or b""
    parsed = dns.message.from_wire(raw)
    assert parsed.rcode() == 16
    assert parsed.edns == 0


@pytest.mark.parametrize("bits", range(256))
def test_flags(bits: int) -> None:
    """RD and CD come back, AD and Z do not (RFC 6840 5.7), whatever else is set."""
    for first in (0, 1):
        message = PLAIN[:2] + bytes([first, bits]) + PLAIN[4:]
        for _ in ("new", "remembered"):
            raw = ask(handler(), message) or b""
            assert raw[2] == 0x84 | first
            assert raw[3] == bits & 0x10


@pytest.mark.parametrize("do", [0, 0x8000])
def test_dnssec_ok_is_copied(do: int) -> None:
    """RFC 3225 3."""
    for _ in ("new", "remembered"):
        raw = ask(handler(), edns(ttl=do)) or b""
        assert raw[-11:] == b"\0" + struct.pack("!HHLH", 41, 65535, do, 0)


def test_label_with_odd_octets_is_a_name_that_is_not() -> None:
    """Octets that are no text are legal; a name with a zero octet is never kept in the memo."""
    for label in (b"\xff\xfe", b"a.b", b"a\0b", b" "):
        name = bytes([len(label)]) + label + name_wire("testns.svc.cluster.local.")
        for _ in range(2):
            reply = read_reply(ask(handler(), query(name, "A")) or b"")
            assert reply.rcode == "NXDOMAIN"


def test_names_of_the_longest() -> None:
    for length, rcode in ((255, "NXDOMAIN"), (256, "FORMERR")):
        name = name_wire("cluster.local.")
        while len(name) < length:
            step = min(64, length - len(name))
            if length - len(name) - step == 1:
                step -= 1
            name = bytes([step - 1]) + b"x" * (step - 1) + name
        assert len(name) == length
        assert read_reply(ask(handler(), query(name, "A")) or b"").rcode == rcode


# -- what others read in our messages


@pytest.mark.parametrize("qtype", QTYPES)
def test_others_read_the_same(qtype: str) -> None:
    """Every answer of the cluster parses with dnspython and dnslib, and packs to the same again."""
    random = Random(SEED)
    names = names_of(OBJECTS, Config(external_zones=("outside.example.",)))
    for name in [*random.sample(names, 250), *near(names, random, 50)]:
        raw = ask(handler(), query(name, qtype, edns=True), OUTSIDE) or b""
        ours = read_reply(raw)
        parsed = dns.message.from_wire(raw)
        assert parsed.flags & dns.flags.QR
        theirs = [
            f"{rrset.name.to_text()} {rrset.ttl} IN {dns.rdatatype.to_text(rrset.rdtype)} {rdata}"
            for section in (parsed.answer, parsed.authority, parsed.additional)
            for rrset in section
            for rdata in rrset
        ]
        assert sorted(record for part in ours.sections for record in part) == sorted(theirs)
        assert dns.message.from_wire(parsed.to_wire(max_size=65535)) == parsed
        if "\\" in name or not name.isascii() or not name.isprintable():
            continue  # dnslib takes no label that is not UTF-8, legal as it is
        other = dnslib.DNSRecord.parse(raw)
        for part, records in zip(ours.sections, (other.rr, other.auth, other.ar), strict=True):
            read = [(str(r.rname), r.ttl) for r in records if r.rtype != dnslib.QTYPE.OPT]
            assert sorted(read) == sorted((text.split()[0], int(text.split()[1])) for text in part)


def test_names_are_compressed() -> None:
    """RFC 1035 4.1.4: an owner costs two octets; the target of a SRV is whole (RFC 2782)."""
    raw = ask(handler(), query("hdls.testns.svc.cluster.local.", "A")) or b""
    reply = read_reply(raw)
    question = len(query("hdls.testns.svc.cluster.local.", "A"))
    assert len(raw) == question + len(reply.answer) * 16
    srv = ask(handler(), query("_http._tcp.svc1.testns.svc.cluster.local.", "SRV")) or b""
    assert name_wire(NAME) in srv[12 + len(name_wire("_http._tcp." + NAME)) :]


def test_only_a_soa_has_a_serial() -> None:
    """The memo writes the zone's serial where a packed message says that one is."""
    packer = wire.Packer(wire.question_of(("a", "b"), wire.MX))
    packer.pack([wire.Record(("a", "b"), wire.MX, 5, (b"\0\1", ("mail", "b")))])
    assert packer.serial_at == -1
    packer.pack([wire.soa_record(("b",), 5, ("m", "b"), ("r", "b"), 0x01020304, 5)])
    assert packer.tail[packer.serial_at :].startswith(b"\1\2\3\4")


# -- the text of records: what `grpcdns zone`, `query` and `explain` print


@pytest.mark.parametrize(
    ("record", "text"),
    [
        (wire.address_record(("a", "b"), b"\x0a\0\0\1", 5), "a.b. 5 IN A 10.0.0.1"),
        (wire.address_record(("a",), b"\xfd" + bytes(15), 5), "a. 5 IN AAAA fd00::"),
        (wire.srv_record((), 0, 1, 80, ("x",)), ". 0 IN SRV 0 1 80 x."),
        (wire.txt_record(("t",), 7, 'say "x"'), 't. 7 IN TXT "say \\"x\\""'),
        (wire.Record(("c",), wire.CNAME, 5, (("t", "x"),)), "c. 5 IN CNAME t.x."),
        (wire.Record(("c",), wire.CNAME, 5, (b"\1t\1x\0",)), "c. 5 IN CNAME t.x."),
        (wire.Record(("c",), 65, 5, (b"\0\1",)), "c. 5 IN HTTPS \\# 2 0001"),
        (wire.Record(("a.b", " \x07"), 640, 5, (b"",)), "a\\.b.\\032\\007. 5 IN TYPE640 \\# 0 "),
        (wire.soa_record(("z",), 1, ("m",), ("r",), 2, 3), "z. 1 IN SOA m. r. 2 7200 1800 86400 3"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)  # fmt: skip
def test_record_text(record: wire.Record, text: str) -> None:
    assert record.to_text() == text


def test_types_have_the_registry_s_numbers() -> None:
    for name, number in wire.TYPES.items():
        assert dns.rdatatype.from_text(name) == number
    assert {name: wire.TYPES[name] for name in TYPES if name in wire.TYPES}.items() <= TYPES.items()
    assert name_from_text("a.b.") == ("a", "b")
