"""Queries and replies of the client, against dnspython: what it reads in what we wrote, and what
both read in the same octets."""

from __future__ import annotations

import random
import struct
import time

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.dns.names import BadName, name_from_user
from grpcdns.core.dns.wire import TYPES, Packer, question_of
from grpcdns.dnsclient.messages import (
    UDP_SIZE,
    BadMessage,
    Edns,
    Question,
    find_type,
    make_query,
    parse_message,
    rcode_to_text,
    type_to_text,
)

OWNER = "Web.default.svc.cluster.local."
ROUNDS = settings(max_examples=300, deadline=None)
_LABELS = st.lists(st.binary(min_size=1, max_size=63), max_size=5).filter(
    lambda labels: sum(map(len, labels)) + len(labels) < 255
)


def message(*records: str, section: str = "answer", **header: int) -> dns.message.Message:
    """A reply with these records, as dnspython makes it."""
    made = dns.message.make_response(dns.message.make_query(OWNER, "A", id=7))
    for text in records:
        made.section_from_number(("answer", "authority", "additional").index(section) + 1).append(
            dns.rrset.from_text(*text.split(maxsplit=4))  # type: ignore[arg-type]
        )
    made.flags |= header.get("flags", 0)
    made.set_rcode(dns.rcode.Rcode(header.get("rcode", 0)))
    return made


def raw(*parts: bytes, counts: tuple[int, int, int, int]) -> bytes:
    """A message put together by hand: header with these counts, then the parts."""
    return struct.pack("!6H", 7, 0x8400, *counts) + b"".join(parts)


def record(rtype: int, rdata: bytes, *, owner: bytes = b"\0", rclass: int = 1) -> bytes:
    return owner + struct.pack("!HHLH", rtype, rclass, 5, len(rdata)) + rdata


# -- queries


@pytest.mark.parametrize("edns", [False, True])
def test_a_query_is_what_others_read(edns: bool) -> None:
    read = dns.message.from_wire(make_query(("a.b", "\xff", "example"), 28, edns=edns))
    assert read.question[0].to_text() == "a\\.b.\\255.example. IN AAAA"
    assert read.flags == dns.flags.RD
    assert (read.edns, read.payload) == ((0, UDP_SIZE) if edns else (-1, 0))


def test_ids_are_random() -> None:
    assert len({make_query(("a",), 1)[:2] for _ in range(64)}) > 60


def test_case_is_random_and_the_name_the_same() -> None:
    name = ("www", "example-1", "xn--bcher-kva", "\xff\xe9[")
    made = {make_query(name, 1, mix_case=True)[12:] for _ in range(64)}
    assert len(made) > 60
    for query in made:
        read = dns.name.from_wire(query, 0)[0]
        assert read.canonicalize() == dns.name.Name([s.encode("latin-1") for s in (*name, "")])


@pytest.mark.parametrize("name", [("",), ("x" * 64,), ("x" * 63,) * 4])
def test_a_name_that_does_not_fit_is_no_query(name: tuple[str, ...]) -> None:
    with pytest.raises(BadName):
        make_query(name, 1)


# -- names as people type them


@pytest.mark.parametrize(
    "text",
    [
        "a.b.",
        "a.b",
        ".",
        "",
        r"a\.b.c",
        r"a\046b",
        r"x\\.y",
        r"\000\255.b",
        "bücher.example",
        "A.b",
    ],
)
def test_names_typed_are_what_others_read(text: str) -> None:
    labels = dns.name.from_text(text).labels[:-1]
    assert name_from_user(text) == tuple(label.decode("latin-1") for label in labels)


@pytest.mark.parametrize("text", ["a..b", ".a", "a\\", r"a\999", r"\256", "x" * 64, "é" * 70])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(BadName):
        name_from_user(text)


# -- replies


def test_header_and_question() -> None:
    made = message(flags=dns.flags.AA | dns.flags.TC | dns.flags.AD, rcode=3)
    made.use_edns(0, ednsflags=dns.flags.DO, payload=4096)
    read = parse_message(made.to_wire())
    assert (read.id, read.opcode, read.rcode) == (7, 0, 3)
    assert read.flags == ("qr", "aa", "tc", "rd", "ad")
    assert read.truncated
    assert read.question == Question(tuple(OWNER[:-1].split(".")), 1, 1)
    assert read.edns == Edns(0, True, 4096)
    assert read.answer == read.authority == read.additional == []


def test_an_rcode_of_more_than_four_bits() -> None:
    made = message()
    made.use_edns(0)
    made.set_rcode(dns.rcode.BADVERS)
    assert rcode_to_text(parse_message(made.to_wire()).rcode) == "BADVERS"


RECORDS = [
    "A 192.0.2.1",
    "AAAA fd00::1",
    "AAAA 2001:db8:0:0:1:0:0:1",
    "AAAA 1:0:2::",
    "AAAA 1:0:0:2:0:0:0:3",
    "AAAA ::ffff:192.0.2.1",
    r"NS ns\.1.Example.",
    "CNAME www.Example.org.",
    "PTR .",
    r"SOA ns.example. host\.master.example. 4294967295 7200 1800 86400 5",
    "MX 10 mx.example.",
    r"SRV 1 2 65535 a\@b\;c.example.",
    r'TXT "a\"b\\c" "\000\031 ~\127\255" ""',
    r'NAPTR 1 2 "s" "SIP+D2U" "!^.*$!sip:a\\@b!" _sip._udp.example.',
    'CAA 0 issue "ca.example; a=\\"b\\""',
]


@pytest.mark.parametrize("section", ["answer", "authority", "additional"])
@pytest.mark.parametrize("text", RECORDS)
def test_records_are_the_text_that_others_print(text: str, section: str) -> None:
    """TTL and case included: that is what is compared."""
    made = message(f"{OWNER} 30 IN {text}", section=section)
    (found,) = getattr(parse_message(made.to_wire()), section)
    assert found.to_text() == made.section_from_number(
        ("answer", "authority", "additional").index(section) + 1
    )[0].to_text()  # fmt: skip


@pytest.mark.parametrize("text", RECORDS)
def test_a_record_goes_back_to_the_packer(text: str) -> None:
    """What a worker puts into its reply of another's: uncompressed, or compressed anew."""
    made = message(f"{OWNER} 30 IN {text}")
    (found,) = parse_message(made.to_wire()).answer
    question = question_of(("x", "svc", "cluster", "local"), 1)
    packer = Packer(question)
    assert packer.pack([found.to_record()]) == 1
    wire = raw(question.wire, b"\0\1\0\1", packer.tail, counts=(1, 1, 0, 0))
    (again,) = dns.message.from_wire(wire).answer
    expected = made.answer[0]
    assert again.name == expected.name.canonicalize()
    assert again.ttl == 30
    assert again[0] == expected[0]


@pytest.mark.parametrize(
    ("rtype", "rdata", "text"),
    [
        (64, b"\0\1\0\0\1\0\3\2h2", "SVCB \\# 10 00010000010003026832"),
        (65, b"\0\0\1a\0", "HTTPS \\# 5 0000016100"),
        (43, b"\1\2\3\4\5", "DS \\# 5 0102030405"),
        (640, b"\xab", "TYPE640 \\# 1 ab"),
        (10, b"", "NULL \\# 0"),
        (16, b"", "TXT \\# 0"),
        (257, b"\0\1a\xff", "CAA \\# 4 000161ff"),
    ],
)
def test_types_without_a_reader_are_octets(rtype: int, rdata: bytes, text: str) -> None:
    """RFC 3597 5."""
    (found,) = parse_message(raw(record(rtype, rdata), counts=(0, 1, 0, 0))).answer
    assert found.to_text() == f". 5 IN {text}"
    assert found.to_record().rdata == (rdata,)


def test_another_class_is_octets() -> None:
    found = parse_message(raw(record(16, b"\1x", rclass=3), record(1, b"", rclass=77),
                              counts=(0, 2, 0, 0))).answer  # fmt: skip
    assert [one.to_text() for one in found] == [". 5 CH TXT \\# 2 0178", ". 5 CLASS77 A \\# 0"]


def test_octets_after_the_message_are_counted() -> None:
    assert parse_message(message().to_wire() + b"abc").surplus == 3


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "DNSHeader"),
        (b"rubbish", "DNSHeader"),
        (raw(counts=(1, 0, 0, 0)), "has no end"),
        (raw(counts=(0, 65535, 0, 0)), "has no end"),
        (raw(record(1, b"\1\2\3"), counts=(0, 1, 0, 0)), "4 octets wanted"),
        (raw(record(1, b"\1\2\3\4\5"), counts=(0, 1, 0, 0)), "longer than its data"),
        (raw(record(5, b"\1a\0\0"), counts=(0, 1, 0, 0)), "longer than its data"),
        (raw(record(5, b"\1a"), b"\0" * 11, counts=(0, 1, 0, 0)), "has no end"),
        (raw(record(16, b"\5ab"), b"cde", counts=(0, 1, 0, 0)), "TXT"),
        (raw(record(1, b"")[:-2] + b"\0\4\1", counts=(0, 1, 0, 0)), "4 octets wanted"),
        (raw(b"\xc0\x0c\0\1\0\1", counts=(1, 0, 0, 0)), "bad pointer"),
        (raw(b"\xc0\x20\0\1\0\1", counts=(1, 0, 0, 0)), "bad pointer"),
        (raw(b"\x40" + b"a" * 64 + b"\0\0\1\0\1", counts=(1, 0, 0, 0)), "bad label"),
        (raw((b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1", counts=(1, 0, 0, 0)), "longer than 255"),
    ],
)  # fmt: skip
def test_what_is_no_message(octets: bytes, said: str) -> None:
    with pytest.raises(BadMessage, match=said):
        parse_message(octets)


@pytest.mark.timed
def test_a_long_chain_of_pointers_ends_at_once() -> None:
    """A name of 8,000 pointers, each to the one before it: neither recursion nor time."""
    first = raw(record(640, b"\0" + b"".join(
        struct.pack("!H", 0xC000 | at) for at in (23, *range(24, 16000, 2))
    )), counts=(0, 1, 0, 0))  # fmt: skip
    chain = first[:6] + struct.pack("!H", 3001) + first[8:]
    ends = record(1, b"\1\2\3\4", owner=struct.pack("!H", 0xC000 | 15990)) * 3000
    began = time.process_time()
    with pytest.raises(BadMessage, match="bad pointer"):
        parse_message(chain + ends)
    assert time.process_time() - began < 0.5


def test_a_pointer_to_a_pointer_is_read() -> None:
    """RFC 1035 4.1.4 allows it, and there are servers that write it."""
    one = record(5, b"\1a\0")
    two = record(5, b"\xc0\x17", owner=b"\xc0\x17")
    three = record(5, b"\xc0\x1a", owner=b"\xc0\x1a")
    found = parse_message(raw(one, two, three, counts=(0, 3, 0, 0))).answer
    assert [line.to_text() for line in found] == [
        ". 5 IN CNAME a.", "a. 5 IN CNAME a.", "a. 5 IN CNAME a.",
    ]  # fmt: skip


@ROUNDS
@given(_LABELS, _LABELS)
def test_any_octets_in_a_name(owner: list[bytes], target: list[bytes]) -> None:
    made = dns.message.make_response(dns.message.make_query(dns.name.Name([*owner, b""]), "CNAME"))
    data = dns.rdata.from_text("IN", "CNAME", dns.name.Name([*target, b""]).to_text())
    made.answer.append(dns.rrset.from_rdata(dns.name.Name([*owner, b""]), 5, data))
    read = parse_message(made.to_wire())
    assert read.answer[0].to_text() == made.answer[0].to_text()
    assert read.question is not None
    assert read.question.name == tuple(label.decode("latin-1") for label in owner)


def test_a_message_of_the_longest() -> None:
    records = record(1, b"\1\2\3\4") * ((65535 - 12) // 15)
    octets = raw(records, counts=(0, len(records) // 15, 0, 0))
    octets += b"\0" * (65535 - len(octets))
    read = parse_message(octets)
    assert (len(read.answer), read.surplus) == (4368, 3)


def test_mutated_messages_are_read_or_refused() -> None:
    """Never another exception, neither in reading nor in showing nor in packing it again."""
    random.seed(20)
    whole = message(*(f"{OWNER} 30 IN {text}" for text in RECORDS)).to_wire()
    others = [43, 46, 47, 48, 29, 17, 44, 52, 64, 65, 39, 41]
    more = [record(rtype, random.randbytes(random.randrange(24))) for rtype in others]
    whole = whole[:6] + struct.pack("!H", len(RECORDS) + len(more)) + whole[8:] + b"".join(more)
    refused = 0
    for _ in range(4000):
        mutated = bytearray(whole[: random.choice((len(whole), random.randrange(len(whole))))])
        for _ in range(random.randrange(1, 4) if mutated else 0):
            mutated[random.randrange(len(mutated))] = random.choice(
                (0, 0xC0, 0xFF, random.randrange(256))
            )
        try:
            read = parse_message(bytes(mutated))
        except BadMessage:
            refused += 1
            continue
        for section in (read.answer, read.authority, read.additional):
            for found in section:
                assert found.to_text().isascii()
                assert len(found.to_record().rdata) == 1
    assert 500 < refused < 4000


# -- mnemonics


@pytest.mark.parametrize(
    ("text", "number"),
    [("A", 1), ("HTTPS", 65), ("SSHFP", 44), ("TYPE640", 640), ("TYPE65536", None), ("AAAAA", None),
     ("TYPE", None), ("TYPE-1", None)],
)  # fmt: skip
def test_types_by_name(text: str, number: int | None) -> None:
    assert find_type(text) == number


def test_types_have_the_names_that_others_use() -> None:
    for number in (*TYPES.values(), 44, 52, 640, 65280):
        assert type_to_text(number) == dns.rdatatype.to_text(dns.rdatatype.RdataType.make(number))
