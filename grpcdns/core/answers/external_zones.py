"""External zones: Services at the addresses by which the world outside reaches them.

The rules of CoreDNS's ``k8s_external`` plugin: ``service.ns.<zone>`` has the Service's external IPs
and load balancer addresses; with ``external_headless`` a headless Service has its endpoints.
Records are ``ttl`` seconds old at most by an option of their own, names servers stand under
``<apex>.<zone>``. Types other than A, AAAA, SRV and PTR are NODATA.
"""

from __future__ import annotations

from grpcdns.core.answers.answer import Answer, Lookup, add_addresses, add_srv
from grpcdns.core.answers.asked import Asked
from grpcdns.core.answers.lookup import Hit, View, port_numbers
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.endpoints import NO_PORT
from grpcdns.core.cluster.index import Index, Serial
from grpcdns.core.cluster.objects import Service
from grpcdns.core.cluster.reasons import Observer, Reason
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import (
    BadName,
    Name,
    address_from_reverse,
    address_from_text,
    fits_wire,
    is_below,
    name_from_text,
)
from grpcdns.core.dns.wire import NXDOMAIN, Question, Record, Section

NS1 = "ns1"


def answer_external(
    question: Question, index: Index, zones: Zones, zone: Name, observer: Observer | None = None
) -> Answer:
    """The answer to a question whose name is in an external zone."""
    result = Answer()
    result.serial = Serial.EXTERNAL
    view = View(index, zones, zone, result.tags, observer)
    apex = (zones.policy.external_apex, *zone)
    if question.name == zone:
        _answer_apex(view, question, apex, result)
    elif is_below(question.name, apex):
        _answer_below_apex(view, question, apex, result)
    elif (address := address_from_reverse(question.name)) is not None:
        _answer_reverse(view, question, address, result)
    else:
        hits = _find(view, question.name)
        if hits is None:
            result.rcode = NXDOMAIN
        elif question.qtype == wire.SRV:
            add_srv(question.name, hits, zones.external_ttl, result)
        elif question.qtype in (wire.A, wire.AAAA):
            _answer_addresses(question, hits, zones.external_ttl, result)
    if not result.sections[0]:
        result.sections[1].append(_soa(view, apex))
        view.cheap = True
    result.cheap = view.cheap
    return result


def _soa(view: View, apex: Name) -> Record:
    ttl = view.zones.external_ttl
    serial = view.index.serials[Serial.EXTERNAL]
    return wire.soa_record(view.zone, ttl, (NS1, *apex), ("hostmaster", *apex), serial, ttl)


def _answer_apex(view: View, question: Question, apex: Name, result: Answer) -> None:
    ttl = view.zones.external_ttl
    if question.qtype == wire.SOA:
        result.sections[0].append(_soa(view, apex))
    elif question.qtype == wire.NS:
        result.sections[0].append(Record(view.zone, wire.NS, ttl, ((NS1, *apex),)))
        for address in _name_server_addresses(view):
            result.sections[2].append(wire.address_record((NS1, *apex), address, ttl))


def _answer_below_apex(view: View, question: Question, apex: Name, result: Answer) -> None:
    left = question.name[: len(question.name) - len(apex)]
    if left not in ((), (NS1,)):
        result.rcode = NXDOMAIN
    elif left and question.qtype in (wire.A, wire.AAAA):
        hits = [Hit(address, 0, ()) for address in _name_server_addresses(view)]
        _answer_addresses(question, hits, view.zones.external_ttl, result)


def _name_server_addresses(view: View) -> list[bytes]:
    """The external addresses of the DNS Service, or its endpoints if headless."""
    key = view.policy.dns_service
    view.tags.add(key)
    service = view.index.service(key)
    if service is None:
        return []
    if view.policy.external_headless and service.headless:
        hits = view.endpoint_hits(view.index.slices(key), Asked(), (), "")
        return [hit.host for hit in hits if isinstance(hit.host, bytes)]
    return [
        packed for text in service.external_ips if (packed := address_from_text(text)) is not None
    ]


def _answer_reverse(view: View, question: Question, address: bytes, result: Answer) -> None:
    """PTR records point into the first external zone; other types are NODATA."""
    view.tags.add(address)
    first = next(iter(view.zones.external))
    targets: list[Name] = [
        (service.name, service.namespace, *first)
        for service in view.index.services_at_external(address)
        if view.shown_at(service.namespace)
    ]
    if question.qtype == wire.PTR:
        for target in filter(fits_wire, targets):
            result.sections[0].append(
                Record(question.name, wire.PTR, view.zones.external_ttl, (target,))
            )
    if not targets:
        result.rcode = NXDOMAIN


def _find(view: View, name: Name) -> list[Hit] | None:
    """What ``service.ns`` and the names below it lead to; None: no such name."""
    left = name[: len(name) - len(view.zone)]
    if not view.exposed(left[-1]):
        return None
    if len(left) == 1:
        return []
    asked = Asked(namespace=left[-1], service=left[-2])
    rest = tuple(label.removeprefix("_") for label in left[:-2])
    if len(rest) == 1:
        asked = asked._replace(endpoint=rest[0])
    elif len(rest) == 2:
        asked = asked._replace(port=rest[0], protocol=rest[1])
    elif rest:
        return None
    view.tags.add(asked.key)
    service = view.index.service(asked.key)
    return None if service is None else _find_service(view, service, asked)


def _find_service(view: View, service: Service, asked: Asked) -> list[Hit] | None:
    target = (service.name, service.namespace, *view.zone)
    if not service.external_ips:
        if not view.policy.external_headless or not (service.headless or asked.endpoint):
            return None
        slices = view.slices(asked) if view.policy.endpoints else ()
        return list(view.endpoint_hits(slices, asked, target, "")) or None
    # As in the plugin, an endpoint label before a Service with external addresses is ignored:
    # there is no end of such names.
    view.cheap = bool(asked.endpoint)
    ports = port_numbers(service.ports or (NO_PORT,), asked)
    if not ports:
        view.passed(Reason.OTHER_PORT, service)
        return None
    hosts = [host for text in service.external_ips if (host := _host_from_text(text))]
    return [Hit(host, number, target) for host in hosts for number in ports]


def _host_from_text(text: str) -> bytes | Name | None:
    """An address, or the name a load balancer is known by; None when the text is neither."""
    try:
        return address_from_text(text) or name_from_text(text.lower())
    except BadName:
        return None


def _answer_addresses(question: Question, hits: list[Hit], ttl: int, result: Answer) -> None:
    """A and AAAA; a load balancer known by name is a CNAME, its target asked of the upstream."""
    hosts = [hit.host for hit in hits]
    add_addresses(result, question.name, question.qtype, hosts, ttl)
    records = result.sections[0]
    for host in dict.fromkeys(hosts):
        if isinstance(host, tuple):
            records.append(Record(question.name, wire.CNAME, ttl, (host,)))
            result.lookups.append(Lookup(host, question.qtype, Section.ANSWER, len(records)))
