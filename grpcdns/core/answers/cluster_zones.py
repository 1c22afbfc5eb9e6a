"""A question and the index, to rcode and sections: the rules of the cluster's zones.

Which names exist. A name is read right to left: the longest of our zones that it ends in, then the
labels left of that, whose shapes are in asked.py. It exists if it is one of these:

    an own name of the zone          own_names.py: the apex, dns-version, ns.dns, dns, svc, pod
    ns.svc, ns.pod                   where the Namespace exists
    service.ns.svc                   a Service, or in a multicluster zone a ServiceImport
    what stands left of a Service    one of its ports, endpoints or topology zones
    a-b-c-d.ns.pod                   an address, by the option ``pods``
    d.c.b.a.in-addr.arpa, ip6.arpa   an address that a Service or a ready endpoint has

What is answered. A name that does not exist is NXDOMAIN for every type: nothing is below it either
(RFC 8020). A name that exists is NOERROR: with its records of the type asked for, or without any,
which is NODATA. NXDOMAIN and NODATA both carry the zone's SOA, which says how long they may be
cached (RFC 2308 2). There is no wildcard, and a name outside our zones is REFUSED.

An object that is not there yet, a Namespace that the options hide and an object that says nothing
usable all look the same: the name does not exist.

How it works: ``answer`` picks the zone, then the function for the type from a table; each function
adds its records and returns whether the name exists. The rules are the Kubernetes DNS specification
1.1.0 as CoreDNS's ``kubernetes`` plugin understands it; each place where they differ from the
plugin is in docs/differences.md. External zones (``k8s_external``) are in external_zones.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from grpcdns.core.answers.answer import Answer, Lookup, add_addresses, add_srv
from grpcdns.core.answers.external_zones import answer_external
from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.own_names import OWN_NAMES, zone_soa
from grpcdns.core.answers.policy import Zones
from grpcdns.core.answers.ttl import cap_held, made_of, set_ttl
from grpcdns.core.cluster.index import Index, Serial
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name, address_from_reverse, is_below, is_reverse, longest_match
from grpcdns.core.dns.wire import NXDOMAIN, REFUSED, Question, Record, Section

MAX_CHAIN: Final = 10
"""ExternalNames that are followed after the first."""


def answer(question: Question, index: Index, zones: Zones) -> Answer:
    """The answer to a question of class IN; REFUSED for a name outside our zones or a transfer."""
    index.held_used = False
    result = _answer(question, index, zones)
    if zones.adaptive and result.authoritative:
        positive = bool(result.sections[0] or result.lookups)
        made = made_of(result.origins, result.tags, index.recent, zones.policy, positive=positive)
        ttl = zones.external_ttl if result.serial is Serial.EXTERNAL else zones.ttl
        result.ttl_class = set_ttl(result.sections, made, zones.policy, ttl)
    if index.held_used:
        cap_held(result.sections)
    return result


def _answer(question: Question, index: Index, zones: Zones) -> Answer:
    if question.qtype in (wire.AXFR, wire.IXFR):
        return Answer(REFUSED, authoritative=False)
    zone = longest_match(question.name, zones.cluster, zones.most_labels)
    result = Answer()
    outside = longest_match(question.name, zones.external) if zones.external else None
    if outside is not None:
        external = answer_external(question, index, zones, outside)
        # A zone given to both (a reverse one, say) is searched in both, except for the names of
        # its name servers.
        apex = (zones.policy.external_apex, *outside)
        if external.rcode != NXDOMAIN or zone is None or is_below(question.name, apex):
            return external
        result.tags |= external.tags
    if zone is None:
        return Answer(REFUSED, authoritative=False)
    view = View(index, zones, zone, result.tags, result.origins)
    if view.multicluster:
        result.serial = Serial.MULTICLUSTER
    if not _answer_in_zone(view, question, result):
        result.rcode = NXDOMAIN
    if not result.sections[0] and not result.lookups:
        result.sections[1].append(zone_soa(view, index.serials[result.serial]))
        result.sections[2].clear()
        view.cheap = True
    result.cheap = view.cheap
    return result


def _answer_in_zone(view: View, question: Question, result: Answer) -> bool:
    own = OWN_NAMES.get(question.name[: len(question.name) - len(view.zone)])
    add = None if own is None else own.records.get(question.qtype)
    if add is not None:
        add(view, question, result)
        return True
    return _BY_TYPE.get(question.qtype, _exists)(view, question, result)


# -- a function for each type: adds records, and returns whether the name exists


def _addresses(view: View, question: Question, result: Answer) -> bool:
    """A and AAAA: DNS specification 2.3.1, 2.4.1; ExternalNames are followed (2.5)."""
    view.hosts_only = True
    return _follow(view, question, question.name, result, ())


def _follow(
    view: View, question: Question, name: Name, result: Answer, chain: tuple[Name, ...]
) -> bool:
    """Add what a name leads to, through ExternalNames; ``chain`` are the names followed so far.

    A chain ends as in the plugin: a loop, more than MAX_CHAIN further links, or a target in the
    zone without records gives NODATA; for a target outside, the upstream is asked.
    """
    hits = view.find(name)
    if hits is None:
        return _exists_otherwise(view, name)
    add_addresses(result, name, question.qtype, [hit.host for hit in hits], view.zones.ttl)
    for host in (hit.host for hit in hits if isinstance(hit.host, tuple)):
        if is_below(host, name) or host in chain or len(chain) > MAX_CHAIN:
            continue
        link = Record(name, wire.CNAME, view.zones.ttl, (host,))
        records = result.sections[0]
        zone = longest_match(host, view.zones.cluster)
        if zone is None:
            records.append(link)
            result.lookups.append(Lookup(host, question.qtype, Section.ANSWER, len(records)))
            continue
        mark = len(records)
        records.append(link)
        if not is_reverse(host):
            _follow(view.at(zone), question, host, result, (*chain, name))
        if len(records) == mark + 1 and zone == view.zone:
            records.pop()
    return True


def _srv(view: View, question: Question, result: Answer) -> bool:
    """SRV: DNS specification 2.3.2, 2.4.2."""
    hits = view.find(question.name)
    if hits is None:
        return _exists_otherwise(view, question.name)
    add_srv(
        question.name, [hit for hit in hits if isinstance(hit.host, bytes)], view.zones.ttl, result
    )
    return True


def _ptr(view: View, question: Question, result: Answer) -> bool:
    """PTR: DNS specification 2.3.3, 2.4.3."""
    address = address_from_reverse(question.name)
    if address is None:
        return _exists(view, question, result)
    names = view.names_at(address)
    for name in names:
        result.sections[0].append(Record(question.name, wire.PTR, view.zones.ttl, (name,)))
    return bool(names)


def _cname(view: View, question: Question, result: Answer) -> bool:
    """CNAME: DNS specification 2.5, the ExternalName itself."""
    view.hosts_only = True
    hits = view.find(question.name)
    if hits is None:
        return _exists_otherwise(view, question.name)
    if hits and isinstance(hits[0].host, tuple):
        result.sections[0].append(
            Record(question.name, wire.CNAME, view.zones.ttl, (hits[0].host,))
        )
    return True


def _exists(view: View, question: Question, result: Answer) -> bool:  # noqa: ARG001
    """Every other type: NODATA if the name exists, whatever records it has (RFC 8020 2)."""
    view.hosts_only = True
    return view.find(question.name) is not None or _exists_otherwise(view, question.name)


def _soa(view: View, question: Question, result: Answer) -> bool:  # noqa: ARG001
    """SOA below the apex: NODATA, whether the name exists or not, as in the plugin."""
    return True


_BY_TYPE: Final[dict[int, Callable[[View, Question, Answer], bool]]] = {
    wire.A: _addresses,
    wire.AAAA: _addresses,
    wire.CNAME: _cname,
    wire.SRV: _srv,
    wire.PTR: _ptr,
    wire.SOA: _soa,
}
SERVICE_TYPES: Final = (wire.A, wire.AAAA, wire.SRV)
"""The types that a Service and an endpoint may have records of, a CNAME aside."""
TYPES: Final = tuple(
    dict.fromkeys((*_BY_TYPE, *(qtype for own in OWN_NAMES.values() for qtype in own.records)))
)
"""Every type that some name may have records of."""


def _exists_otherwise(view: View, name: Name) -> bool:
    """Whether a name that no object has by its shape exists: as a reverse or an own name."""
    address = address_from_reverse(name)
    if address is not None:
        return bool(view.names_at(address))
    return name[: len(name) - len(view.zone)] in OWN_NAMES
