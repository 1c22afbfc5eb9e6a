"""DNS messages: our packer and parser beside dnslib, and dnslib's reading beside dnspython's.

    python -m bench.measure.messages

Needs no cluster and no server. CPU time, the best of many runs: what the work costs when nothing
else wants the processor. Packing counts the making of the library's objects, for the records come
from the rules as `wire.Record`.
"""

from __future__ import annotations

import struct
import sys
import time
from collections.abc import Callable
from typing import Final, NamedTuple

import dns.message
import dnslib

from bench.samples import Results
from bench.tables import figure, table_of
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import name_from_wire
from grpcdns.core.dns.wire import Packer, Question, Record, question_of
from grpcdns.dnsclient.messages import make_query, parse_message

OURS, DNSLIB, DNSPYTHON = "grpcdns", "dnslib", "dnspython"
RUNS: Final = 30
RECORDS: Final = 1000
_NAME: Final = ("db", "default", "svc", "cluster", "local")


class Work(NamedTuple):
    """One piece of work, and who does it: each returns the octets or records it made."""

    name: str
    by: dict[str, Callable[[], object]]


def works() -> list[Work]:
    asked = question_of(_NAME, wire.A)
    addresses = [_address(n, _NAME) for n in range(RECORDS)]
    targets = [(f"db-{n}", *_NAME) for n in range(RECORDS)]
    services = [wire.srv_record(_NAME, 5, 1, 5432, target) for target in targets]
    query = make_query(_NAME, wire.A)
    answer = pack_with_ours(asked, addresses[:200])
    return [
        Work(
            f"pack {RECORDS:,} A records",
            {
                OURS: lambda: pack_with_ours(asked, addresses),
                DNSLIB: lambda: pack_with_dnslib(asked, addresses),
            },
        ),
        Work(
            f"pack {RECORDS:,} SRV records",
            {
                OURS: lambda: pack_with_ours(asked, services),
                DNSLIB: lambda: pack_with_dnslib(asked, services),
            },
        ),
        Work(
            "read a query",
            {
                OURS: lambda: wire.parse_query(query),
                DNSLIB: lambda: dnslib.DNSRecord.parse(query),
            },
        ),
        Work(
            "read an answer of 200 A records",
            {
                DNSLIB: lambda: parse_message(answer).answer,
                DNSPYTHON: lambda: dns.message.from_wire(answer).answer,
            },
        ),
    ]


def pack_with_ours(question: Question, records: list[Record]) -> bytes:
    """A whole reply, as the handler makes it."""
    packer = Packer(question)
    count = packer.pack(records)
    head = wire.reply_head(bytes(wire.HEADER), wire.NOERROR, True, (1, count, 0, 0))
    return head + question.wire + b"\0\1\0\1" + packer.tail


def pack_with_dnslib(question: Question, records: list[Record]) -> bytes:
    """The same reply, its records as the objects that dnslib packs."""
    header = dnslib.DNSHeader(id=0, qr=1, aa=1, rd=0)
    message = dnslib.DNSRecord(header, q=dnslib.DNSQuestion(_label(question.name)))
    for name, rtype, ttl, rdata in (record.parts() for record in records):
        octets = rdata[0]
        assert isinstance(octets, bytes)
        message.rr.append(dnslib.RR(_label(name), rtype, 1, ttl, _rdata(rtype, octets)))
    return bytes(message.pack())


def _label(name: tuple[str, ...]) -> dnslib.DNSLabel:
    return dnslib.DNSLabel([label.encode("latin-1") for label in name])


def _rdata(rtype: int, octets: bytes) -> dnslib.RD:
    if rtype == wire.A:
        return dnslib.A(tuple(octets))
    return dnslib.SRV(*struct.unpack_from("!3H", octets), _label(name_from_wire(octets[6:])))


def _address(number: int, name: tuple[str, ...]) -> Record:
    return wire.address_record(name, bytes([10, 1, number >> 8, number & 255]), 5)


def measure(runs: int = RUNS) -> Results:
    """Microseconds of CPU time: the best of ``runs``."""
    results = Results("messages")
    for work in works():
        for who, do in work.by.items():
            results.add(who, work.name, 0, us=min(_time(do) for _ in range(runs)))
    return results


def _time(do: Callable[[], object]) -> float:
    began = time.process_time_ns()
    do()
    took = time.process_time_ns() - began
    if took > 1_000_000:
        return took / 1000
    # Too short for the clock by itself.
    began = time.process_time_ns()
    for _ in range(200):
        do()
    return (time.process_time_ns() - began) / 200 / 1000


def table(results: Results) -> str:
    heads = ("CPU us", OURS, DNSLIB, DNSPYTHON)
    rows = [
        [case, *(figure(results, who, case, "us", digits=1) for who in heads[1:])]
        for case in results.cases()
    ]
    return table_of(heads, rows)


if __name__ == "__main__":
    print(table(measure(int(sys.argv[1]) if sys.argv[1:] else RUNS)))
