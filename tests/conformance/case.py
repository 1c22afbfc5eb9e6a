"""One question and its whole answer, as zone-file text.

    Case("svc1.testns.svc.cluster.local.", "A", answer=["svc1... 5 IN A 10.96.0.10"])

``{soa}`` in the authority section is the zone's SOA under the row's policy. A row without records
expects it there: NXDOMAIN and NODATA carry the SOA (RFC 2308).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final, NamedTuple

from grpcdns.config.options import Config
from grpcdns.core.answers.policy import Policy
from tests.conformance.reply import Reply, without_serial

NOERROR: Final = "NOERROR"
NXDOMAIN: Final = "NXDOMAIN"
REFUSED: Final = "REFUSED"


class Case(NamedTuple):
    """A row. ``differs``: the id in docs/differences.md of the plugin's other answer, if there is
    one; ``id`` is only needed if name and type do not say enough."""

    qname: str
    qtype: str = "A"
    rcode: str = NOERROR
    answer: Sequence[str] = ()
    authority: Sequence[str] = ()
    additional: Sequence[str] = ()
    differs: str = ""
    id: str = ""

    def name(self) -> str:
        return self.id or f"{self.qname.rstrip('.')}-{self.qtype}"


class Group(NamedTuple):
    """Rows of one section of a specification, asked under one set of options."""

    title: str
    rows: Sequence[Case]
    config: Config = Config()


def absent(*names: str, qtypes: Sequence[str] = ("A",), differs: str = "") -> list[Case]:
    """Names that do not exist."""
    return [Case(name, qtype, NXDOMAIN, differs=differs) for name in names for qtype in qtypes]


def empty(*names: str, qtypes: Sequence[str] = ("A",), differs: str = "") -> list[Case]:
    """Names that exist without records of the type."""
    return [Case(name, qtype, differs=differs) for name in names for qtype in qtypes]


def reverse(address: str) -> str:
    """The name of an address's PTR record."""
    return ipaddress.ip_address(address).reverse_pointer + "."


def soa(qname: str, policy: Policy) -> str:
    """The SOA of the zone that a name is in, with 0 for its serial."""
    zones = {*policy.zones, *policy.external_zones}
    inside = [zone for zone in zones if f".{qname.lower()}".endswith(f".{zone}")]
    zone = max(inside, key=len)
    if zone in policy.external_zones:
        ttl = policy.external_ttl
        under = f"{policy.external_apex}.{zone}"
        return f"{zone} {ttl} IN SOA ns1.{under} hostmaster.{under} 0 7200 1800 86400 {ttl}"
    ttl = policy.ttl
    return f"{zone} {min(ttl, 300)} IN SOA ns.dns.{zone} hostmaster.{zone} 0 7200 1800 86400 {ttl}"


def expected(case: Case, policy: Policy) -> tuple[object, ...]:
    """What `summary` must give for the reply."""
    authority = list(case.authority)
    if not case.answer and not authority and case.rcode != REFUSED:
        authority = ["{soa}"]
    zone_soa = soa(case.qname, policy) if case.rcode != REFUSED else ""
    sections = [
        _sorted([text.replace("{soa}", zone_soa) for text in section])
        for section in (case.answer, authority, case.additional)
    ]
    return case.rcode, case.rcode != REFUSED, False, *sections


def summary(reply: Reply) -> tuple[object, ...]:
    """rcode, AA, TC and the sections, sorted; names and TTLs as they are, 0 for the serial."""
    sections = [_sorted(section) for section in reply.sections]
    return reply.rcode, "aa" in reply.flags, "tc" in reply.flags, *sections


def _sorted(records: Sequence[str]) -> list[str]:
    return sorted(map(without_serial, records))
