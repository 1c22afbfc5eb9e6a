"""External zones: Services at the addresses that the outside world reaches them by.

The rules are those of CoreDNS's ``k8s_external`` plugin. ``service.ns.<zone>`` has the Service's
external IPs and load balancer addresses, or with ``external_headless`` a headless Service's
endpoints. The TTL is an option by itself, ``external_ttl``. The name server is
``ns1.<apex>.<zone>``. Types other than A, AAAA, SRV and PTR are NODATA.
"""

from __future__ import annotations

from grpcdns.core.answers.answer import Answer, Lookup, add_addresses, add_srv
from grpcdns.core.answers.asked import Asked
from grpcdns.core.answers.lookup import Hit, View, port_numbers
from grpcdns.core.answers.own_names import external_soa, find_external_own_name
from grpcdns.core.answers.policy import Zones
from grpcdns.core.cluster.endpoints import NO_PORT
from grpcdns.core.cluster.index import Index, Serial
from grpcdns.core.cluster.objects import Service
from grpcdns.core.cluster.reasons import Reason
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


def answer_external(question: Question, index: Index, zones: Zones, zone: Name) -> Answer:
    """The answer to a question whose name is in an external zone."""
    result = Answer()
    result.serial = Serial.EXTERNAL
    view = View(index, zones, zone, result.tags, result.origins)
    own = find_external_own_name(question.name[: len(question.name) - len(zone)], zones)
    if own is not None:
        if add := own.records.get(question.qtype):
            add(view, question, result)
    elif is_below(question.name, (zones.policy.external_apex, *zone)):
        result.rcode = NXDOMAIN
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
        result.sections[1].append(external_soa(view))
        view.cheap = True
    result.cheap = view.cheap
    return result


def _answer_reverse(view: View, question: Question, address: bytes, result: Answer) -> None:
    """PTR records point into the first external zone; other types are NODATA."""
    view.tags.add(address)
    first = next(iter(view.zones.external))
    targets: list[Name] = [
        (service.name, service.namespace, *first)
        for service in view.index.services_at_external(address)
        if view.exposed_in_reverse(service.namespace)
    ]
    if question.qtype == wire.PTR:
        for target in filter(fits_wire, targets):
            result.sections[0].append(
                Record(question.name, wire.PTR, view.zones.external_ttl, (target,))
            )
    if not targets:
        result.rcode = NXDOMAIN


def _find(view: View, name: Name) -> list[Hit] | None:
    """What ``service.ns`` and the names below it lead to; None if there is no such name."""
    left = name[: len(name) - len(view.zone)]
    if not view.exposed(left[-1]):
        return None
    if len(left) == 1:
        return []
    rest = [label.removeprefix("_") for label in left[:-2]]
    if len(rest) > 2:
        return None
    endpoint = rest[0] if len(rest) == 1 else ""
    port, protocol = rest if len(rest) == 2 else ("", "")
    asked = Asked("", left[-1], left[-2], endpoint, port=port, protocol=protocol)
    view.tags.add(asked.key)
    service = view.index.service(asked.key)
    return None if service is None else _find_service(view, service, asked)


def _find_service(view: View, service: Service, asked: Asked) -> list[Hit] | None:
    target = (service.name, service.namespace, *view.zone)
    if not service.external_ips:
        if not view.policy.external_headless or not (service.headless or asked.endpoint):
            return None
        slices = view.slices(asked) if view.policy.endpoints else []
        ending = view.ending(asked.key)
        return view.endpoint_hits(slices, asked, target, "", ending=ending) or None
    # As in the plugin, an endpoint label before a Service with external addresses is ignored, so
    # there is no end of such names.
    view.cheap = bool(asked.endpoint)
    ports = port_numbers(service.ports or (NO_PORT,), asked)
    if not ports:
        view.leave_out(Reason.OTHER_PORT, service)
        return None
    hosts = [host for text in service.external_ips if (host := _host_from_text(text))]
    return [Hit(host, number, target) for host in hosts for number in ports]


def _host_from_text(text: str) -> bytes | Name | None:
    """A load balancer's address or name; None if the text is neither."""
    try:
        return address_from_text(text) or name_from_text(text.lower())
    except BadName:
        return None


def _answer_addresses(question: Question, hits: list[Hit], ttl: int, result: Answer) -> None:
    """A and AAAA; a load balancer's name is a CNAME, whose target the upstream is asked for."""
    hosts = dict.fromkeys(hit.host for hit in hits)
    add_addresses(result, question.name, question.qtype, hosts, ttl)
    # A CNAME is alone at its name: beside no address of either family, and no other CNAME.
    first = next(iter(hosts), None)
    if isinstance(first, tuple) and all(isinstance(host, tuple) for host in hosts):
        records = result.sections[0]
        records.append(Record(question.name, wire.CNAME, ttl, (first,)))
        result.lookups.append(Lookup(first, question.qtype, Section.ANSWER, len(records)))
