"""One DNS question to a server, as a client asks it."""

from __future__ import annotations

import dns.edns
import dns.flags
import dns.message
import dns.query

from harness.ports import Address


def ask(
    address: Address | tuple[str, int],
    qname: str,
    qtype: str = "A",
    *,
    tcp: bool = False,
    edns: int | None = None,
    payload: int = 1232,
    options: list[dns.edns.Option] | None = None,
    qclass: str = "IN",
    timeout: float = 5.0,
) -> dns.message.Message:
    """Asks once, with no retry. `edns` is the EDNS version; None sends no OPT record at all."""
    query = dns.message.make_query(qname, qtype, qclass)
    if edns is not None:
        query.use_edns(edns, payload=payload, options=options)
    host, port = address
    if tcp:
        return dns.query.tcp(query, host, timeout=timeout, port=port)
    return dns.query.udp(query, host, timeout=timeout, port=port)


def section(answer: dns.message.Message, name: str = "answer") -> list[str]:
    """The records of a section as zone-file lines, one a record, sorted."""
    rrsets = getattr(answer, name)
    return sorted(line for rrset in rrsets for line in rrset.to_text().splitlines())
