"""The deliberate differences from CoreDNS's plugins: docs/differences.md, as functions.

For each id a function tells whether two answers to one question differ for that reason. ``grpcdns
compare`` reads the table, and so do the tests against CoreDNS's plugins: a difference that no row
explains fails both. The reasons are in the document, not here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from grpcdns.core.answers.policy import Policy
from grpcdns.core.inspect.facts import REVERSE_ZONE, Facts

NOERROR: Final = "NOERROR"
NXDOMAIN: Final = "NXDOMAIN"
FULL: Final = 64_000
"""Octets: an answer that is cut has at least this many, as no record is over 300."""
_V4: Final = re.compile(r"(\d{1,3}\.){4}in-addr\.arpa\.")
_V6: Final = re.compile(r"([0-9a-f]\.){32}ip6\.arpa\.")
_PORT_PARENT: Final = re.compile(r"_(tcp|udp|sctp)\.[^.]+\.[^.]+\.svc")
_ABOVE_OBJECTS: Final = re.compile(r"([^.]+\.)?(svc|pod)|")


class Said(NamedTuple):
    """One server's answer. Records as ``name ttl class type data``; ``size`` in octets."""

    rcode: str
    answer: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    size: int = 0

    @property
    def sections(self) -> tuple[tuple[str, ...], ...]:
        return self.answer, self.authority, self.additional


class Seen(NamedTuple):
    """A question and both answers. ``plugin`` is None where no reply can be read."""

    policy: Policy
    facts: Facts
    qname: str
    qtype: str
    plugin: Said | None
    ours: Said

    @property
    def name(self) -> str:
        return self.qname.lower()

    @property
    def left(self) -> str | None:
        """What stands left of the cluster zone, without the last dot; None outside all of them."""
        zone = longest_zone(self.name, self.policy.zones)
        return None if zone is None else self.name[: len(self.name) - len(zone)].rstrip(".")

    @property
    def now_exists(self) -> bool:
        """NXDOMAIN there, NODATA here."""
        return self.has_rcodes(NXDOMAIN, NOERROR) and not self.ours.answer

    def has_rcodes(self, plugin: str, ours: str) -> bool:
        return self.plugin is not None and (self.plugin.rcode, self.ours.rcode) == (plugin, ours)

    def is_below(self, owners: frozenset[str]) -> bool:
        """Whether the name is an owner's, or below one."""
        return any(f".{owner}." in f".{self.name}" for owner in owners)


def find_difference(seen: Seen) -> str | None:
    """The id of the deliberate difference that explains one; None for one that is none."""
    return next((id_ for id_, one in DIFFERENCES.items() if one.explains(seen)), None)


def longest_zone(name: str, zones: Iterable[str]) -> str | None:
    """The longest of the zones that a name is in, as text."""
    return max((zone for zone in zones if f".{name}".endswith(f".{zone}")), key=len, default=None)


# -- the rows


def _own_name(seen: Seen) -> bool:
    left = seen.left
    if not seen.now_exists or left is None:
        return False
    if left in ("dns-version", "dns"):
        return True
    if left == "ns.dns":
        return seen.qtype in ("TXT", "PTR")
    return seen.qtype == "TXT" and _ABOVE_OBJECTS.fullmatch(left) is not None


def _other_type_at_reverse(seen: Seen) -> bool:
    if seen.qtype == "PTR" or not (_V4.fullmatch(seen.name) or _V6.fullmatch(seen.name)):
        return False
    # SOA in a zone of both plugins: k8s_external answers what kubernetes would refuse.
    both = seen.qtype == "SOA" and _has_shared_zone(seen.policy)
    return seen.now_exists or (both and not seen.ours.answer)


def _has_shared_zone(policy: Policy) -> bool:
    return any(longest_zone(zone, policy.zones) for zone in policy.external_zones)


def _above_port(seen: Seen) -> bool:
    return seen.now_exists and _PORT_PARENT.fullmatch(seen.left or "") is not None


def _case_of_zone(seen: Seen) -> bool:
    if seen.plugin is None or seen.plugin.answer or seen.qname == seen.name:
        return False
    at_server = seen.left == "ns.dns" and seen.has_rcodes(NXDOMAIN, NOERROR)
    at_apex = seen.left == "" and seen.qtype == "NS" and seen.has_rcodes(NOERROR, NOERROR)
    return at_server or at_apex


def _name_server(seen: Seen) -> bool:
    at_apex = seen.left == "" and seen.qtype == "NS"
    at_server = seen.left == "ns.dns" and seen.qtype in ("A", "AAAA")
    return (at_apex or at_server) and seen.has_rcodes(NOERROR, NOERROR)


def _labels_before_reverse(seen: Seen) -> bool:
    found = _V6.search(seen.name)
    return found is not None and found.start() > 0 and seen.has_rcodes(NOERROR, NXDOMAIN)


def _address_in_several_ways(seen: Seen) -> bool:
    return seen.plugin is not None and _mentions(seen, seen.facts.odd)


def _names_for_addresses(seen: Seen) -> bool:
    return _mentions(seen, seen.facts.fqdn)


def _dotted_pod(seen: Seen) -> bool:
    if not seen.policy.endpoint_pod_names or seen.plugin is None:
        return False
    texts = [seen.name, *(record for section in seen.plugin.sections for record in section)]
    return any(f"{name}." in text.lower() for text in texts for name in seen.facts.dotted)


def _external_ttl(seen: Seen) -> bool:
    if seen.plugin is None or longest_zone(seen.name, seen.policy.external_zones) is None:
        return False
    types = {record.split(" ")[3] for record in seen.ours.answer}
    return bool(types & {"SRV", "CNAME"}) and _without_ttl(seen.plugin) == _without_ttl(seen.ours)


def _without_ttl(said: Said) -> list[list[str]]:
    return [
        sorted({re.sub(r" \d+ IN ", " IN ", record).lower() for record in section})
        for section in said.sections
    ]


def _target_without_reply(seen: Seen) -> bool:
    return (
        seen.has_rcodes(NOERROR, NOERROR)
        and seen.qtype != "CNAME"
        and bool(seen.plugin and not seen.plugin.answer)
        and _bare_cname(seen) is not None
    )


def _bare_cname(seen: Seen) -> str | None:
    """The target, where our answer is the question's CNAME alone."""
    if len(seen.ours.answer) != 1:
        return None
    owner, _, _, rtype, target = seen.ours.answer[0].split(" ", 4)
    return target.lower() if rtype == "CNAME" and owner.lower() == seen.name else None


def _more_than_fits(seen: Seen) -> bool:
    full = seen.ours.size >= FULL and bool(seen.plugin and seen.plugin.answer)
    return full and seen.has_rcodes(NOERROR, NOERROR)


def _nameless_slice(seen: Seen) -> bool:
    return seen.ours.rcode == NXDOMAIN and is_silent(seen.facts, seen.qname, seen.qtype)


def is_silent(facts: Facts, qname: str, qtype: str) -> bool:
    """Whether the plugin may give no reply at all: its answer has a name with an empty label."""
    return qtype == "PTR" and qname.lower() in facts.nameless


def _loop_through_zones(seen: Seen) -> bool:
    target = _bare_cname(seen) if seen.plugin is None else None
    zones = seen.policy.zones
    there = None if target is None else longest_zone(target, zones)
    return there is not None and there != longest_zone(seen.name, zones)


def _name_too_long(seen: Seen) -> bool:
    return seen.plugin is None and (
        seen.name in seen.facts.too_long or seen.is_below(seen.facts.too_long)
    )


def _name_server_by_text(seen: Seen) -> bool:
    zone = longest_zone(seen.name, seen.policy.zones)
    return (
        seen.name.startswith(f"ns.dns.{zone}")
        and seen.left != "ns.dns"
        and seen.has_rcodes(NOERROR, NXDOMAIN)
    )


def _letter_case(seen: Seen) -> bool:
    """Only the case of letters differs, and capitals were asked for."""
    if seen.plugin is None or seen.qname == seen.name:
        return False
    return seen.plugin.rcode == seen.ours.rcode and _folded(seen.plugin) == _folded(seen.ours)


def _folded(said: Said) -> list[list[str]]:
    return [
        sorted({_without_serial(record).lower() for record in section}) for section in said.sections
    ]


def _without_serial(record: str) -> str:
    fields = record.split(" ")
    if fields[3] == "SOA":
        fields[6] = "0"
    return " ".join(fields)


def _apex_of_network(seen: Seen) -> bool:
    """The plugin's answer has no record of that name: its zone begins elsewhere."""
    if seen.plugin is None or seen.left != "" or seen.qtype not in ("SOA", "NS"):
        return False
    owners = {record.split(" ")[0].lower() for record in seen.plugin.answer}
    return REVERSE_ZONE.fullmatch(seen.name) is not None and seen.name not in owners


def _near_endpoints(seen: Seen) -> bool:
    """Ours are some of the plugin's records; the weights of SRV follow from how many."""
    if not _mentions(seen, seen.facts.near) or not seen.has_rcodes(NOERROR, NOERROR):
        return False
    theirs, ours = (_without_weights(said) for said in (seen.plugin, seen.ours) if said)
    return bool(seen.ours.answer) and ours < theirs


def _ending_endpoints(seen: Seen) -> bool:
    """The plugin has no records; ours are those of endpoints that are terminating."""
    if seen.plugin is None or seen.plugin.answer or seen.ours.rcode != NOERROR:
        return False
    return _mentions(seen, seen.facts.ending)


def _without_weights(said: Said) -> set[str]:
    records = (record.lower() for section in said.sections for record in section)
    return {re.sub(r" in srv (\d+) \d+ ", r" in srv \1 ", record) for record in records}


def _cname_among_others(seen: Seen) -> bool:
    """In an external zone, some of the plugin's records, which have a CNAME of the name."""
    if seen.plugin is None or longest_zone(seen.name, seen.policy.external_zones) is None:
        return False
    theirs, ours = (_without_ttl(said)[0] for said in (seen.plugin, seen.ours))
    return (
        seen.qtype in ("A", "AAAA")
        and seen.is_below(seen.facts.mixed)
        and seen.has_rcodes(NOERROR, NOERROR)
        and any(record.startswith(f"{seen.name} in cname ") for record in theirs)
        and set(ours) < set(theirs)
    )


class Difference(NamedTuple):
    """``title``: what it is about, in a few words for people."""

    title: str
    explains: Callable[[Seen], bool]


# fmt: off
DIFFERENCES: Final = {
    "D1": Difference("names above others exist", _own_name),
    "D2": Difference("PTR names exist for every type", _other_type_at_reverse),
    "D3": Difference("names above ports exist", _above_port),
    "D4": Difference("the name server's name in capitals", _case_of_zone),
    "D18": Difference("a network of --zones is a zone of its own", _apex_of_network),
    "D5": Difference("the name server is --dns-service", _name_server),
    "D6": Difference("labels before an ip6.arpa name", _labels_before_reverse),
    "D7": Difference("one address in several spellings", _address_in_several_ways),
    "D8": Difference("slices with addressType FQDN", _names_for_addresses),
    "D9": Difference("Pods with a dot in their name", _dotted_pod),
    "D10": Difference("TTL of SRV and CNAME in external zones", _external_ttl),
    "D11": Difference("an ExternalName's target gets no reply", _target_without_reply),
    "D12": Difference("more records than fit in a message", _more_than_fits),
    "D13": Difference("slices that name no Service", _nameless_slice),
    "D14": Difference("ExternalNames in a loop through two zones", _loop_through_zones),
    "D15": Difference("names of over 255 octets", _name_too_long),
    "D16": Difference("the zone twice in the name server's name", _name_server_by_text),
    "D19": Difference("the nearest endpoints, with --topology-zone", _near_endpoints),
    "D20": Difference("terminating endpoints, with --serve-terminating", _ending_endpoints),
    "D21": Difference("a load balancer's name beside its addresses", _cname_among_others),
    "D17": Difference("capitals in the question", _letter_case),
}
# fmt: on
"""In the order in which they are looked for."""


def _mentions(seen: Seen, owners: frozenset[str]) -> bool:
    """Whether the question or an answer to it is about one of the owners."""
    if not owners:
        return False
    said = [seen.ours, *([seen.plugin] if seen.plugin else [])]
    records = [record.lower() for one in said for section in one.sections for record in section]
    return seen.is_below(owners) or any(f"{owner}." in text for text in records for owner in owners)
