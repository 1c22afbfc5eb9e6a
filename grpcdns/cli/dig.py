"""A DNS message in the form dig prints it, and as plain data for JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype

_SECTIONS: Final = ("answer", "authority", "additional")
_QUESTION: Final = 0


def show(message: dns.message.Message, *, footer: tuple[str, ...] = ()) -> str:
    """The whole message as dig shows it; ``footer`` lines stand at the end, after ';; '."""
    counts = [len(message.question), *(_count(message, s) for s in _SECTIONS)]
    counts[3] += message.edns >= 0
    names = ("QUERY", "ANSWER", "AUTHORITY", "ADDITIONAL")
    lines = [
        f";; ->>HEADER<<- opcode: {dns.opcode.to_text(message.opcode())}, "
        f"status: {dns.rcode.to_text(message.rcode())}, id: {message.id}",
        f";; flags:{''.join(' ' + f for f in _flags(message))}; "
        + ", ".join(f"{name}: {count}" for name, count in zip(names, counts, strict=True)),
        *_edns(message),
        *_question(message),
    ]
    for section in _SECTIONS:
        if records := list(records_of(message, section)):
            lines += ["", f";; {section.upper()} SECTION:", *map("\t".join, records)]
    return "\n".join([*lines, "", *(f";; {line}" for line in footer)])


def short(message: dns.message.Message) -> str:
    """The answer's data alone, a line each: dig +short."""
    return "\n".join(record[4] for record in records_of(message, "answer"))


def data(message: dns.message.Message) -> dict[str, Any]:
    """The message as JSON has it."""
    keys = ("name", "ttl", "class", "type", "data")
    question = [
        {"name": asked.name.to_text(), "type": dns.rdatatype.to_text(asked.rdtype)}
        for asked in message.question
    ]
    return {
        "id": message.id,
        "opcode": dns.opcode.to_text(message.opcode()),
        "status": dns.rcode.to_text(message.rcode()),
        "flags": _flags(message),
        "question": question,
        **{
            section: [
                {k: int(v) if k == "ttl" else v for k, v in zip(keys, record, strict=True)}
                for record in records_of(message, section)
            ]
            for section in _SECTIONS
        },
    }


def records_of(message: dns.message.Message, section: str) -> Iterator[tuple[str, ...]]:
    """A section's records: name, TTL, class, type, data, all text."""
    for rrset in message.section_from_number(_QUESTION + 1 + _SECTIONS.index(section)):
        for record in rrset:
            yield (
                rrset.name.to_text(),
                str(rrset.ttl),
                dns.rdataclass.to_text(rrset.rdclass),
                dns.rdatatype.to_text(rrset.rdtype),
                record.to_text(),
            )


def _count(message: dns.message.Message, section: str) -> int:
    return sum(1 for _ in records_of(message, section))


def _flags(message: dns.message.Message) -> list[str]:
    return dns.flags.to_text(message.flags).lower().split()


def _edns(message: dns.message.Message) -> Iterator[str]:
    if message.edns >= 0:
        flags = dns.flags.edns_to_text(message.ednsflags).lower()
        yield ""
        yield ";; OPT PSEUDOSECTION:"
        about = f"version: {message.edns}, flags:{flags and ' ' + flags}; udp: {message.payload}"
        yield f"; EDNS: {about}"


def _question(message: dns.message.Message) -> Iterator[str]:
    if message.question:
        asked = message.question[0]
        kind = dns.rdatatype.to_text(asked.rdtype)
        yield ""
        yield ";; QUESTION SECTION:"
        yield f";{asked.name.to_text()}\t\t{dns.rdataclass.to_text(asked.rdclass)}\t{kind}"
