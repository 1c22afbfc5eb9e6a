"""The intended differences, by the id under which docs/differences.md gives the reason. Any other
difference fails the test that finds it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from grpcdns.config.options import Config
from harness.api import Object
from tests.conformance.reply import Reply
from tests.differential.options import shared

_V4: Final = re.compile(r"(\d{1,3}\.){4}in-addr\.arpa\.")
_V6: Final = re.compile(r"([0-9a-f]\.){32}ip6\.arpa\.")
_PORT_PARENT: Final = re.compile(r"_(tcp|udp|sctp)\.[^.]+\.[^.]+\.svc\.")


class Facts(NamedTuple):
    """What the table needs to know about a cluster: labels that only one side uses, addresses."""

    dotted: frozenset[str]
    """Address labels of endpoints whose Pods have dots in their names."""
    names: frozenset[str]
    """Services with slices of names (addressType FQDN)."""
    nameless: frozenset[str]
    """PTR names of endpoints in slices that name no Service, or an invalid one."""


def facts_of(objects: Iterable[Object]) -> Facts:
    dotted, names, nameless = set(), set(), set()
    for obj in objects:
        owner = (obj["metadata"].get("labels") or {}).get("kubernetes.io/service-name")
        for point in obj.get("endpoints") or ():
            if "." in (point.get("targetRef") or {}).get("name", ""):
                dotted |= {re.sub("[.:]", "-", text) for text in point["addresses"]}
            if obj.get("addressType") == "FQDN":
                names.add(owner or "")
            elif owner is None or "." in owner:
                nameless |= {_reverse(text) for text in point["addresses"]}
    return Facts(*map(frozenset, (dotted, names, nameless)))


def _reverse(text: str) -> str:
    return ipaddress.ip_address(text).reverse_pointer + "."


class Seen(NamedTuple):
    """One question and both replies."""

    config: Config
    facts: Facts
    qname: str
    qtype: str
    plugin: Reply | None
    ours: Reply

    @property
    def name(self) -> str:
        return self.qname.lower()

    @property
    def left(self) -> str | None:
        """The name left of the kubernetes plugin's zone, without the last dot."""
        inside = [zone for zone in self.config.zones if f".{self.name}".endswith(f".{zone}")]
        if not inside:
            return None
        return self.name[: len(self.name) - len(max(inside, key=len))].rstrip(".")

    @property
    def labels(self) -> frozenset[str]:
        return frozenset(self.name.split("."))

    @property
    def now_exists(self) -> bool:
        """NXDOMAIN from the plugin, NODATA from grpcdns."""
        return (
            self.plugin is not None
            and (self.plugin.rcode, self.ours.rcode) == ("NXDOMAIN", "NOERROR")
            and not self.ours.answer
        )


def _own_name(seen: Seen) -> bool:
    left = seen.left
    if not seen.now_exists or left is None:
        return False
    if left in ("dns-version", "dns"):
        return True
    if left == "ns.dns":
        return seen.qtype in ("TXT", "PTR")
    below = re.fullmatch(r"([^.]+\.)?(svc|pod)|", left)
    return seen.qtype == "TXT" and below is not None


def _other_type_at_reverse(seen: Seen) -> bool:
    if seen.qtype == "PTR" or not (_V4.fullmatch(seen.name) or _V6.fullmatch(seen.name)):
        return False
    # A SOA in a zone that both plugins have: the answer is that of the plugin behind.
    both = seen.qtype == "SOA" and bool(shared(seen.config))
    return seen.now_exists or (both and not seen.ours.answer)


def _above_port(seen: Seen) -> bool:
    left = seen.left
    return seen.now_exists and left is not None and bool(_PORT_PARENT.match(f"{left}."))


def _case_of_zone(seen: Seen) -> bool:
    return seen.now_exists and seen.left == "ns.dns" and seen.qname != seen.name


def _name_server_by_text(seen: Seen) -> bool:
    zone = seen.name[len(seen.left or "") :].lstrip(".")
    return (
        seen.name.startswith(f"ns.dns.{zone}")
        and seen.left != "ns.dns"
        and seen.plugin is not None
        and (seen.plugin.rcode, seen.ours.rcode) == ("NOERROR", "NXDOMAIN")
    )


def _labels_before_reverse(seen: Seen) -> bool:
    found = _V6.search(seen.name)
    return (
        found is not None
        and found.start() > 0
        and seen.plugin is not None
        and (seen.plugin.rcode, seen.ours.rcode) == ("NOERROR", "NXDOMAIN")
    )


def _names_for_addresses(seen: Seen) -> bool:
    return bool(seen.labels & seen.facts.names)


def _dotted_pod(seen: Seen) -> bool:
    if not seen.config.endpoint_pod_names or seen.plugin is None:
        return False
    said = " ".join(record for section in seen.plugin.sections for record in section)
    return bool(seen.labels & seen.facts.dotted) or "dotted" in said or "dotted" in seen.labels


def _external_ttl(seen: Seen) -> bool:
    if seen.plugin is None or seen.config.ttl == seen.config.external_ttl:
        return False
    theirs, ours = seen.plugin, seen.ours
    kinds = {record.split(" ")[3] for record in ours.answer}
    return bool(kinds & {"SRV", "CNAME"}) and _without_ttl(theirs) == _without_ttl(ours)


def _without_ttl(reply: Reply) -> list[list[str]]:
    return [
        sorted({re.sub(r" \d+ IN ", " IN ", record).lower() for record in section})
        for section in reply.sections
    ]


def _cannot_be_written(seen: Seen) -> bool:
    return seen.plugin is None and is_silent(seen.facts, (seen.qname, seen.qtype))


def is_silent(facts: Facts, question: tuple[str, str]) -> bool:
    """Whether the plugin does not reply: its answer has a name with an empty label (D13)."""
    qname, qtype = question
    return qtype == "PTR" and qname.lower() in facts.nameless


def _letter_case(seen: Seen) -> bool:
    """Only the case of letters differs, and capitals were asked for."""
    if seen.plugin is None or seen.qname == seen.name:
        return False
    return seen.plugin.folded() == seen.ours.folded()


EXPECTED: Final[dict[str, Callable[[Seen], bool]]] = {
    "D1": _own_name,
    "D2": _other_type_at_reverse,
    "D3": _above_port,
    "D4": _case_of_zone,
    "D6": _labels_before_reverse,
    "D8": _names_for_addresses,
    "D9": _dotted_pod,
    "D10": _external_ttl,
    "D13": _cannot_be_written,
    "D16": _name_server_by_text,
    "D17": _letter_case,
}
"""The differences that questions about clusters find by themselves; the others have rows."""


def explain(seen: Seen) -> str | None:
    """The id of an intended difference; None for any other."""
    return next((key for key, is_intended in EXPECTED.items() if is_intended(seen)), None)
