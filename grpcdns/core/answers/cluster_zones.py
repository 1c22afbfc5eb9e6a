"""A question and the index, to rcode and sections: the rules of the cluster's zones.

Most important first: ``answer`` picks the zone and then the function for the qtype from a table.
A function that finds nothing for a name that exists gives NODATA, one that finds no such name
NXDOMAIN; both carry the zone's SOA (RFC 2308 2). The rules are the Kubernetes DNS specification
1.1.0 as CoreDNS's ``kubernetes`` plugin understands it; each place where they differ from the
plugin is in docs/differences.md. External zones (``k8s_external``) are in external.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, cast

from grpcdns.core.answers.answer import Answer, Lookup, add_addresses, add_srv
from grpcdns.core.answers.external_zones import answer_external
from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.policy import Zones, cap_ttl
from grpcdns.core.cluster.index import Index, Serial
from grpcdns.core.cluster.reasons import Observer
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import Name, address_from_reverse, is_below, is_reverse, longest_match
from grpcdns.core.dns.wire import NXDOMAIN, REFUSED, Question, Record, Section

VERSION: Final = ("dns-version",)
VERSION_TEXT: Final = "1.1.0"
VERSION_TTL: Final = 28800
NS_DNS: Final = ("ns", "dns")
MAX_CHAIN: Final = 10
MAX_SOA_TTL: Final = 300


def answer(
    question: Question, index: Index, zones: Zones, observer: Observer | None = None
) -> Answer:
    """The answer to a question of class IN; REFUSED outside our zones and for transfers."""
    if question.qtype in (wire.AXFR, wire.IXFR):
        return Answer(REFUSED, authoritative=False)
    zone = longest_match(question.name, zones.cluster)
    result = Answer()
    outside = longest_match(question.name, zones.external) if zones.external else None
    if outside is not None:
        external = answer_external(question, index, zones, outside, observer)
        # A zone given to both (a reverse one, say) is looked for in both, but for the names of
        # its name servers.
        apex = (zones.policy.external_apex, *outside)
        if external.rcode != NXDOMAIN or zone is None or is_below(question.name, apex):
            return external
        result.tags |= external.tags
    if zone is None:
        return Answer(REFUSED, authoritative=False)
    view = View(index, zones, zone, result.tags, observer)
    result.serial = Serial.MULTICLUSTER if view.multicluster else Serial.CLUSTER
    found = _BY_TYPE.get(question.qtype, _exists)(view, question, result)
    if not found:
        result.rcode = NXDOMAIN
    if not result.sections[0] and not result.lookups:
        result.sections[1].append(_soa(view, index.serials[result.serial]))
        result.sections[2].clear()
        view.cheap = True
    result.cheap = view.cheap
    return result


# -- a function for each qtype: fills the answer, and says whether the name exists


def _addresses(view: View, question: Question, result: Answer) -> bool:
    """A and AAAA: DNS specification 2.3.1, 2.4.1; ExternalNames are followed (2.5)."""
    if _is_name_server(view, question.name):
        hosts = [hit.host for hit in view.name_servers()]
        add_addresses(result, question.name, question.qtype, hosts, view.zones.ttl)
        return True
    return _follow(view, question, question.name, result, ())


def _follow(
    view: View, question: Question, name: Name, result: Answer, chain: tuple[Name, ...]
) -> bool:
    """Add what a name leads to, through ExternalNames: ``chain`` are the names already passed.

    A chain ends as in the plugin: a loop, more than MAX_CHAIN further links, or a target inside
    the zone with nothing to give leaves NODATA; a target outside is left to the upstream.
    """
    hits = view.find(name)
    if hits is None:
        return _is_special(view, name)
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
    if _is_name_server(view, question.name):
        return True
    hits = view.find(question.name)
    if hits is None:
        return _is_special(view, question.name)
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


def _txt(view: View, question: Question, result: Answer) -> bool:
    """TXT: DNS specification 2.2, the schema version."""
    if question.name == (*VERSION, *view.zone):
        ttl = cap_ttl(view.policy, VERSION_TTL)
        result.sections[0].append(wire.txt_record(question.name, ttl, VERSION_TEXT))
        return True
    return _exists(view, question, result)


def _cname(view: View, question: Question, result: Answer) -> bool:
    """CNAME: DNS specification 2.5, the ExternalName itself."""
    hits = view.find(question.name)
    if hits is None:
        return _is_special(view, question.name)
    if hits and isinstance(hits[0].host, tuple):
        result.sections[0].append(
            Record(question.name, wire.CNAME, view.zones.ttl, (hits[0].host,))
        )
    return True


def _soa_at(view: View, question: Question, result: Answer) -> bool:
    """SOA: at the apex; elsewhere NODATA, whether the name exists or not, as the plugin has it."""
    if question.name == view.zone:
        result.sections[0].append(_soa(view, view.index.serials[result.serial]))
    return True


def _ns(view: View, question: Question, result: Answer) -> bool:
    """NS: at the apex, with the addresses of the DNS Service."""
    if question.name != view.zone:
        return _exists(view, question, result)
    hits = view.name_servers()
    for target in dict.fromkeys(hit.target for hit in hits):
        result.sections[0].append(Record(view.zone, wire.NS, view.zones.ttl, (target,)))
    for hit in hits:
        address = cast("bytes", hit.host)
        result.sections[2].append(wire.address_record(hit.target, address, view.zones.ttl))
    return True


def _exists(view: View, question: Question, result: Answer) -> bool:  # noqa: ARG001
    """Every other type: NODATA where the name exists, whatever it has (RFC 8020 2)."""
    return view.find(question.name) is not None or _is_special(view, question.name)


_BY_TYPE: Final[dict[int, Callable[[View, Question, Answer], bool]]] = {
    wire.A: _addresses,
    wire.AAAA: _addresses,
    wire.SRV: _srv,
    wire.PTR: _ptr,
    wire.TXT: _txt,
    wire.CNAME: _cname,
    wire.SOA: _soa_at,
    wire.NS: _ns,
}


def _is_name_server(view: View, name: Name) -> bool:
    return name == (*NS_DNS, *view.zone)


def _is_special(view: View, name: Name) -> bool:
    """Whether a name that is no object's exists: as a reverse name, or as one of the zone's own."""
    address = address_from_reverse(name)
    if address is not None:
        return bool(view.names_at(address))
    own = (VERSION, NS_DNS, NS_DNS[1:])
    return is_below(name, view.zone) and name[: len(name) - len(view.zone)] in own


def _soa(view: View, serial: int) -> Record:
    ttl = view.zones.ttl
    mname, rname = (*NS_DNS, *view.zone), ("hostmaster", *view.zone)
    return wire.soa_record(view.zone, min(ttl, MAX_SOA_TTL), mname, rname, serial, ttl)
