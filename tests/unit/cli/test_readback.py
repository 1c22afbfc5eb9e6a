"""What `zone` and `explain` print went through our packer and dnslib: a wrong packer is noticed."""

from __future__ import annotations

from typing import Any

import pytest

from grpcdns.cli import NotDone, main
from grpcdns.cli.readback import read_back
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name
from grpcdns.core.dns.wire import Packer, Record, question_of
from harness.paths import EXAMPLES

ZONE: Name = ("cluster", "local")
QUESTION = question_of(ZONE, wire.ANY)
RECORDS = [
    wire.soa_record(ZONE, 5, ("ns", *ZONE), ("host.master", *ZONE), 7, 5),
    Record(ZONE, wire.NS, 5, (("ns", "dns", *ZONE),)),
    wire.address_record(("a.b", "\xff", *ZONE), b"\x0a\0\0\1", 0),
    wire.address_record(("a.b", "\xff", *ZONE), bytes(15) + b"\1", 4294967295),
    wire.srv_record(("_x", *ZONE), 5, 50, 53, ("a.b", "\xff", *ZONE)),
    wire.txt_record(("t", *ZONE), 5, "1.1.0"),
    Record(("c", *ZONE), wire.CNAME, 5, (("www", "example", "org"),)),
]


def test_records_come_back_as_they_were() -> None:
    found = read_back(QUESTION, RECORDS)
    assert [one.to_text() for one in found] == [one.to_text() for one in RECORDS]


def test_more_than_one_message_holds() -> None:
    """Names of the second message point into the second message."""
    many = [wire.address_record((f"host-{n}", *ZONE), n.to_bytes(4), 5) for n in range(9000)]
    assert [one.to_text() for one in read_back(QUESTION, many)] == [one.to_text() for one in many]


def _wrong_octet(tail: bytes) -> bytes:
    return tail[:-1] + bytes([tail[-1] ^ 1])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_wrong_octet, "but dnslib reads"),
        (lambda tail: tail + b"\0", "1 octets more"),
        (lambda tail: tail[:-1], "cannot read"),
        (lambda tail: tail.replace(b"\0\0\0\5", b"\0\0\0\6", 1), "but dnslib reads"),
    ],
    ids=["octet", "surplus", "cut", "ttl"],
)
def test_a_wrong_packer_is_a_fault(
    change: Any, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = Packer.tail.fget  # type: ignore[attr-defined]
    monkeypatch.setattr(Packer, "tail", property(lambda packer: change(right(packer))))
    with pytest.raises(NotDone, match=said):
        read_back(QUESTION, [RECORDS[2].with_ttl(5)])
    web = "web.default.svc.cluster.local"
    for words in (["zone"], ["explain", web]):
        assert main([*words, "--manifests", str(EXAMPLES)]) == 1
        caught = capsys.readouterr()
        assert "a fault of grpcdns, please report it" in caught.err
        assert not caught.out
