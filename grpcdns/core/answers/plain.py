"""The short way to the commonest answers: the addresses of a Service, by the Service's name.

What the rules in cluster_zones.py say for these is made here in a quarter of the time, with nothing
unpacked and no record between the object and the octets. Everything that is not plain goes the long
way: a name of any other shape, an ExternalName, a Service that is not there or is held, one that
has no endpoint yet, what has just changed in adaptive mode, and options that choose among endpoints
or Services. Both ways lead to the same octets: test_orders.py compares them, since an index with an
observer goes the long way only.
"""

from __future__ import annotations

import struct
from typing import Final

from grpcdns.core.answers.lookup import View
from grpcdns.core.answers.own_names import zone_soa
from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.answers.ttl import Made, Origin, TtlClass, choose, set_ttl
from grpcdns.core.cluster.index import CLUSTER, Index
from grpcdns.core.cluster.packed import cluster_ips
from grpcdns.core.dns.names import (
    MAX_LABEL,
    MAX_NAME,
    Name,
    address_from_text,
    is_below,
    is_reverse,
    name_to_wire,
)
from grpcdns.core.dns.wire import AAAA, IN, A, Packer, Question, Record

_A_IN: Final = struct.pack("!2H", A, IN)
_AAAA_IN: Final = struct.pack("!2H", AAAA, IN)
_SVC: Final = b"\3svc"
_MOST: Final = 1000
"""Addresses of which it is certain that they fit a message."""
_SHORTEST: Final = 12
"""Octets of a name, type and class; a shorter key has no room for a Service's name."""


class PlainAnswer:
    """The octets after the question, with ``count`` addresses, or with none and a SOA whose serial
    is at ``serial_at``. ``tag`` is the Service's key, all that the answer depends on."""

    __slots__ = ("count", "serial", "serial_at", "tag", "tail", "ttl_class")

    def __init__(
        self,
        tail: bytes,
        count: int,
        tag: str,
        ttl_class: TtlClass | None,
        serial: int = 0,
        serial_at: int = -1,
    ) -> None:
        self.tail = tail
        self.count = count
        self.tag = tag
        self.ttl_class = ttl_class
        self.serial = serial
        self.serial_at = serial_at


class Plain:
    """Plain answers from an index, for these zones."""

    def __init__(self, index: Index, zones: Zones) -> None:
        self._index = index
        self._shown = zones.namespaces
        policy = zones.policy
        self._headless = not (policy.no_endpoints or policy.serve_terminating or policy.topology)
        self._by_suffix: dict[bytes, Name] = {}
        if not policy.ignore_empty_service:
            for zone in zones.cluster:
                if _is_plain(zone, zones):
                    self._by_suffix[_SVC + name_to_wire(zone)] = zone
        self._virtual = _Kind(Origin.CLUSTER_IP, zones, policy)
        self._direct = _Kind(Origin.ENDPOINTS, zones, policy)

    def find(self, key: bytes) -> PlainAnswer | None:
        """The answer to a question, as the memo's key has it; None if it is not plain."""
        index, size = self._index, len(key)
        asked = key[size - 4 :] if size > _SHORTEST else b""
        if (asked != _A_IN and asked != _AAAA_IN) or index.observer is not None:
            return None
        zone, namespace, name = self._read(key)
        if zone is None or (self._shown and namespace not in self._shown):
            return None
        tag = f"{namespace}/{name}"
        body = index.packed_service(tag)
        if body is None:
            return None
        texts = cluster_ips(body)
        index.held_used = False
        if texts is None or not index.has_namespace(namespace):
            return None
        headless = texts[:1] == ["None"]
        if headless:
            kind, found = self._direct, index.ready_addresses_of(tag) if self._headless else []
            if not found or len(found) > _MOST:
                return None
        else:
            kind, found = self._virtual, _packed(texts)
        recent = index.recent
        if index.held_used or (
            recent is not None and recent.has((f"{namespace}/", tag), endpoints=headless)
        ):
            return None
        head = kind.a if asked == _A_IN else kind.aaaa
        length = 4 if asked == _A_IN else 16
        chosen = [address for address in found if len(address) == length]
        if not chosen:
            return kind.without_records(key, zone, tag, index)
        if len(chosen) > 1:
            chosen = list(dict.fromkeys(chosen))
        return PlainAnswer(head + head.join(chosen), len(chosen), tag, kind.ttl_class)

    def _read(self, key: bytes) -> tuple[Name | None, str, str]:
        """Zone, Namespace and Service of a name of that shape; no zone for any other."""
        end = len(key) - 4
        first = key[0]
        if end > MAX_NAME or first > MAX_LABEL or first + 2 >= end:
            return None, "", ""
        second = key[1 + first]
        start = 2 + first + second
        if second > MAX_LABEL or start >= end:
            return None, "", ""
        zone = self._by_suffix.get(key[start:end])
        if zone is None:
            return None, "", ""
        return zone, key[2 + first : start].decode("latin-1"), key[1 : 1 + first].decode("latin-1")


def _packed(texts: list[str]) -> list[bytes]:
    """The addresses among the texts."""
    found: list[bytes] = []
    for text in texts:
        packed = address_from_text(text)
        if packed is not None:
            found.append(packed)
    return found


class _Kind:
    """What answers of one origin have in common: TTLs, and the octets before an address."""

    def __init__(self, origin: Origin, zones: Zones, policy: Policy) -> None:
        self._zones = zones
        self._policy = policy
        seconds = zones.ttl
        self.ttl_class: TtlClass | None = None
        self._made = Made(frozenset({origin}), positive=False, changed=False)
        if zones.adaptive:
            made = Made(frozenset({origin}), positive=True, changed=False)
            self.ttl_class, seconds = choose(made, policy, zones.ttl)
        self.a = b"\xc0\x0c" + struct.pack("!HHLH", A, IN, seconds, 4)
        self.aaaa = b"\xc0\x0c" + struct.pack("!HHLH", AAAA, IN, seconds, 16)
        # By zone and length of the question: the SOA's octets differ in where it points to.
        self._soas: dict[tuple[Name, int], PlainAnswer] = {}

    def without_records(self, key: bytes, zone: Name, tag: str, index: Index) -> PlainAnswer:
        """A SOA alone."""
        serial = index.serials[CLUSTER]
        made = self._soas.get((zone, len(key)))
        if made is None or made.serial != serial:
            made = self._soas[zone, len(key)] = self._make_soa(key, zone, index)
        return PlainAnswer(made.tail, 0, tag, made.ttl_class, serial, made.serial_at)

    def _make_soa(self, key: bytes, zone: Name, index: Index) -> PlainAnswer:
        serial = index.serials[CLUSTER]
        view = View(index, self._zones, zone, set())
        records: list[Record] = [zone_soa(view, serial)]
        ttl_class: TtlClass | None = None
        if self._zones.adaptive:
            ttl_class = set_ttl((records,), self._made, self._policy, self._zones.ttl)
        # Of the labels left of the zone only the lengths matter: the SOA's names have none of them.
        first = key[0]
        left = ("x" * first, "x" * key[1 + first], "svc")
        packer = Packer(Question(key[:-4], (*left, *zone), A, IN))
        packer.pack(records)
        return PlainAnswer(packer.tail, 0, "", ttl_class, serial, packer.serial_at)


def _is_plain(zone: Name, zones: Zones) -> bool:
    """Whether names in a zone are in no other, and the zone has no rules but those of a cluster."""
    others = [other for other in zones.cluster if other != zone and is_below(other, zone)]
    others += [one for one in zones.external if is_below(one, zone) or is_below(zone, one)]
    others += [one for one in zones.multicluster if is_below(one, zone) or is_below(zone, one)]
    return bool(zone) and not others and not is_reverse(("", *zone))
