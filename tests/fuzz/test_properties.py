"""Properties of all names, EDNS options and flags, checked by hypothesis."""

from __future__ import annotations

import struct
from typing import Final

import dns.message
import dns.name
from hypothesis import given, settings
from hypothesis import strategies as st

from grpcdns.core.dns import names
from tests.conformance.reply import query, read_reply
from tests.fuzz.oracle import check_reply
from tests.fuzz.world import answer, pairs

ROUNDS: Final = settings(max_examples=100, deadline=None)
_LABEL: Final = st.binary(min_size=1, max_size=63)
_WORD: Final = st.integers(0, 0xFFFF)
_OPTION: Final = st.tuples(_WORD, st.binary(max_size=40))
_KNOWN: Final = st.sampled_from((
    "svc1.testns.svc.cluster.local", "hdls.testns.svc.cluster.local", "cluster.local",
    "nothing.testns.svc.cluster.local", "1.1.244.10.in-addr.arpa",
    "web-0.hdls.testns.svc.cluster.local",
))  # fmt: skip
_TYPES: Final = st.sampled_from(("A", "AAAA", "SRV", "PTR", "TXT", "SOA", "NS", "HTTPS", "ANY"))


def _wire(labels: list[bytes]) -> bytes:
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


@ROUNDS
@given(st.lists(_LABEL, max_size=6).filter(lambda labels: len(_wire(labels)) <= 255))
def test_a_name_survives_every_form(labels: list[bytes]) -> None:
    """RFC 1035 3.1, RFC 4343 3: to text and back, ASCII letters folded and no other octet."""
    name = names.name_from_wire(_wire(labels))
    assert names.name_to_wire(name) == _wire([label.lower() for label in labels])
    assert dns.name.from_text(names.name_to_text(name)).labels[:-1] == tuple(
        label.lower() for label in labels
    )


@ROUNDS
@given(_KNOWN, _TYPES, st.lists(st.booleans(), min_size=40, max_size=40))
def test_the_case_asked_in_is_the_case_answered_in(
    name: str, qtype: str, upper: list[bool]
) -> None:
    """0x20: the question comes back as asked, with the same records."""
    mixed = "".join(char.upper() if upper[at % 40] else char for at, char in enumerate(name))
    plain, odd = query(name, qtype), query(mixed, qtype)
    for pair in pairs()[:3]:
        one, other = answer(pair.remembering, plain), answer(pair.remembering, odd)
        check_reply(odd, other)
        assert read_reply(one).folded() == read_reply(other).folded()


@ROUNDS
@given(_KNOWN, _TYPES, _WORD, st.integers(0, 0xFF), _WORD, st.lists(_OPTION, max_size=5))
def test_the_content_of_an_opt_changes_no_record(
    name: str, qtype: str, payload: int, extended: int, flags: int, options: list[tuple[int, bytes]]
) -> None:
    """RFC 6891 6.1.2, 6.1.4: unknown options and flags are ignored; of the flags DO comes back."""
    rdata = b"".join(struct.pack("!HH", code, len(data)) + data for code, data in options)
    opt = b"\0" + struct.pack("!HHBBHH", 41, payload, extended, 0, flags, len(rdata)) + rdata
    bare = query(name, qtype)
    asked = bare[:11] + b"\1" + bare[12:] + opt
    for pair in pairs():
        plain, reply = answer(pair.remembering, bare), answer(pair.remembering, asked)
        check_reply(asked, reply)
        assert read_reply(reply).folded() == read_reply(plain).folded()
        assert dns.message.from_wire(reply).ednsflags & 0xFFFF == flags & 0x8000


@ROUNDS
@given(_KNOWN, _TYPES, st.integers(0, 0xFFFF), st.lists(_WORD, min_size=4, max_size=4))
def test_every_header(name: str, qtype: str, bits: int, counts: list[int]) -> None:
    """RFC 1035 4.1.1, RFC 8906 3.1: any combination of flags, and wrong counts."""
    plain = query(name, qtype)
    for head in (struct.pack("!H", bits) + plain[4:12], struct.pack("!5H", bits, *counts)):
        asked = plain[:2] + head + plain[12:]
        for pair in pairs()[:2]:
            check_reply(asked, answer(pair.remembering, asked))
            check_reply(asked, answer(pair.forgetful, asked))
