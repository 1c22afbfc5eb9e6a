"""The zones' own names: those that a zone has whatever is in the cluster.

One table for the zones of each plugin, by the labels left of the zone. The rules, ``grpcdns zone``
and ``grpcdns explain`` all read it, so a name, or a record at one, is added here alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, cast

from grpcdns.core.answers.answer import Answer, add_addresses
from grpcdns.core.answers.asked import Asked
from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.policy import MAX_SOA_TTL, Zones, cap_ttl
from grpcdns.core.cluster.index import Serial
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name, address_from_text
from grpcdns.core.dns.wire import Question, Record

Rule = Callable[[View, Question, Answer], None]
"""Adds a name's records of one type to an answer."""


class OwnName(NamedTuple):
    """A name: what it stands for, and a rule for each type it has records of."""

    means: str
    records: Mapping[int, Rule]


VERSION_TEXT: Final = "1.1.0"
VERSION_TTL: Final = 28800
NS_DNS: Final = ("ns", "dns")
NS1: Final = "ns1"
HOSTMASTER: Final = "hostmaster"


# -- cluster zones


def zone_soa(view: View, serial: int) -> Record:
    """The SOA of a cluster zone, which every answer without records carries too."""
    ttl = view.zones.ttl
    mname, rname = (*NS_DNS, *view.zone), (HOSTMASTER, *view.zone)
    return wire.soa_record(view.zone, min(ttl, MAX_SOA_TTL), mname, rname, serial, ttl)


def _add_soa(view: View, _question: Question, result: Answer) -> None:
    result.sections[0].append(zone_soa(view, view.index.serials[result.serial]))


def _add_name_servers(view: View, _question: Question, result: Answer) -> None:
    """NS: the DNS Service's name, or its endpoints' if headless, and their addresses."""
    hits = view.name_servers()
    for target in dict.fromkeys(hit.target for hit in hits):
        result.sections[0].append(Record(view.zone, wire.NS, view.zones.ttl, (target,)))
    for hit in hits:
        address = cast("bytes", hit.host)
        result.sections[2].append(wire.address_record(hit.target, address, view.zones.ttl))


def _add_name_server_addresses(view: View, question: Question, result: Answer) -> None:
    hosts = [hit.host for hit in view.name_servers()]
    add_addresses(result, question.name, question.qtype, hosts, view.zones.ttl)


def _add_version(view: View, question: Question, result: Answer) -> None:
    """TXT: DNS specification 2.2, the schema version."""
    ttl = cap_ttl(view.policy, VERSION_TTL)
    result.sections[0].append(wire.txt_record(question.name, ttl, VERSION_TEXT))


OWN_NAMES: Final[Mapping[Name, OwnName]] = {
    (): OwnName("the zone itself", {wire.SOA: _add_soa, wire.NS: _add_name_servers}),
    ("dns-version",): OwnName("the version of the DNS specification", {wire.TXT: _add_version}),
    NS_DNS: OwnName(
        "the zone's name server",
        {wire.A: _add_name_server_addresses, wire.AAAA: _add_name_server_addresses},
    ),
    ("dns",): OwnName("nothing: it is above the name server's name", {}),
    ("svc",): OwnName("nothing: it is above the names of all Services", {}),
    ("pod",): OwnName("nothing: it is above the names of all Pods", {}),
}
"""Of the zones of the ``kubernetes`` plugin."""


# -- external zones


def external_soa(view: View) -> Record:
    """The SOA of an external zone, which every answer without records carries too."""
    ttl = view.zones.external_ttl
    apex = (view.policy.external_apex, *view.zone)
    serial = view.index.serials[Serial.EXTERNAL]
    return wire.soa_record(view.zone, ttl, (NS1, *apex), (HOSTMASTER, *apex), serial, ttl)


def _add_external_soa(view: View, _question: Question, result: Answer) -> None:
    result.sections[0].append(external_soa(view))


def _add_external_name_server(view: View, _question: Question, result: Answer) -> None:
    ttl = view.zones.external_ttl
    target = (NS1, view.policy.external_apex, *view.zone)
    result.sections[0].append(Record(view.zone, wire.NS, ttl, (target,)))
    for address in _external_addresses(view):
        result.sections[2].append(wire.address_record(target, address, ttl))


def _add_external_addresses(view: View, question: Question, result: Answer) -> None:
    hosts = _external_addresses(view)
    add_addresses(result, question.name, question.qtype, hosts, view.zones.external_ttl)


def _external_addresses(view: View) -> list[bytes]:
    """The external addresses of the DNS Service, or its endpoints if headless."""
    key = view.policy.dns_service
    view.tags.add(key)
    service = view.index.service(key)
    if service is None:
        return []
    if view.policy.external_headless and service.headless:
        ending = view.ending(key)
        hits = view.endpoint_hits(view.index.slices(key), Asked(), (), "", ending=ending)
        return [cast("bytes", hit.host) for hit in hits]
    return [
        packed for text in service.external_ips if (packed := address_from_text(text)) is not None
    ]


APEX: Final = ""
"""The place of the label that the option ``external_apex`` gives, in EXTERNAL_OWN_NAMES. No name in
a question has an empty label."""
EXTERNAL_OWN_NAMES: Final[Mapping[Name, OwnName]] = {
    (): OwnName(
        "the zone itself", {wire.SOA: _add_external_soa, wire.NS: _add_external_name_server}
    ),
    (APEX,): OwnName("nothing: it is above the name server's name", {}),
    (NS1, APEX): OwnName(
        "the zone's name server",
        {wire.A: _add_external_addresses, wire.AAAA: _add_external_addresses},
    ),
}
"""Of the zones of the ``k8s_external`` plugin."""


def find_external_own_name(left: Name, zones: Zones) -> OwnName | None:
    """The own name of these labels left of an external zone, if there is one."""
    if left and left[-1] == zones.policy.external_apex:
        left = (*left[:-1], APEX)
    return EXTERNAL_OWN_NAMES.get(left)


def own_names_of(zone: Name, zones: Zones) -> Iterator[tuple[Name, OwnName]]:
    """Every own name of a zone, whole. A zone given to both plugins has the names of both, and
    those of ``k8s_external`` come first, as they do in answers."""
    if zone in zones.external:
        apex = zones.policy.external_apex
        for left, own in EXTERNAL_OWN_NAMES.items():
            yield (*(apex if label == APEX else label for label in left), *zone), own
    if zone in zones.cluster:
        for left, own in OWN_NAMES.items():
            yield (*left, *zone), own
