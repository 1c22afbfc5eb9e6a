"""A DNS message in the form dig prints it, and as the document of `query`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from grpcdns.cli.documents import AskedFor, Edns, Query, ReplyRecord
from grpcdns.core.dns.names import name_to_text
from grpcdns.dnsclient.messages import (
    SECTIONS,
    Message,
    Parsed,
    class_to_text,
    opcode_to_text,
    rcode_to_text,
    type_to_text,
)


def show(message: Message, *, footer: tuple[str, ...] = ()) -> str:
    """The whole message as dig prints it; ``footer``: lines to print at the end, after ';; '."""
    counts = {
        "QUERY": int(message.question is not None),
        "ANSWER": len(message.answer),
        "AUTHORITY": len(message.authority),
        "ADDITIONAL": len(message.additional) + (message.edns is not None),
    }
    lines = [
        f";; ->>HEADER<<- opcode: {opcode_to_text(message.opcode)}, "
        f"status: {rcode_to_text(message.rcode)}, id: {message.id}",
        f";; flags:{''.join(' ' + flag for flag in message.flags)}; "
        + ", ".join(f"{name}: {count}" for name, count in counts.items()),
    ]
    if message.surplus:
        lines.append(f";; WARNING: Message has {message.surplus} extra bytes at end")
    lines += [*_edns(message), *_question(message)]
    for section in SECTIONS:
        if records := getattr(message, section):
            lines += ["", f";; {section.upper()} SECTION:"]
            lines += ["\t".join(record.fields()) for record in records]
    return "\n".join([*lines, "", *(f";; {line}" for line in footer)])


def short(message: Message) -> list[str]:
    """The data of the answer, one line each, as dig +short prints it."""
    return [record.data for record in message.answer]


def document(message: Message, *, server: str, time_ms: float, size: int) -> Query:
    """The message, with where it is from."""
    asked, edns = message.question, message.edns
    return Query(
        id=message.id,
        opcode=opcode_to_text(message.opcode),
        status=rcode_to_text(message.rcode),
        flags=list(message.flags),
        question=[AskedFor(name=name_to_text(asked.name), type=type_to_text(asked.qtype))]
        if asked
        else [],
        answer=_records(message.answer),
        authority=_records(message.authority),
        additional=_records(message.additional),
        edns=Edns(version=edns.version, udp_size=edns.udp_size, dnssec_ok=edns.dnssec_ok)
        if edns
        else None,
        server=server,
        time_ms=time_ms,
        size=size,
    )


def _records(section: Iterable[Parsed]) -> list[ReplyRecord]:
    found = []
    for record in section:
        name, ttl, rclass, rtype, data = record.fields()
        found.append(ReplyRecord(name=name, ttl=int(ttl), rclass=rclass, type=rtype, data=data))
    return found


def _edns(message: Message) -> Iterator[str]:
    edns = message.edns
    if edns is not None:
        flags = " do" if edns.dnssec_ok else ""
        yield ""
        yield ";; OPT PSEUDOSECTION:"
        yield f"; EDNS: version: {edns.version}, flags:{flags}; udp: {edns.udp_size}"


def _question(message: Message) -> Iterator[str]:
    asked = message.question
    if asked is not None:
        yield ""
        yield ";; QUESTION SECTION:"
        name, rclass = name_to_text(asked.name), class_to_text(asked.qclass)
        yield f";{name}\t\t{rclass}\t{type_to_text(asked.qtype)}"
