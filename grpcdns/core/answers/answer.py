"""An answer: rcode and sections, and how records get into them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from grpcdns.core.answers.lookup import Hit
from grpcdns.core.answers.ttl import Origin, TtlClass
from grpcdns.core.cluster.index import CLUSTER, Serial, Tag
from grpcdns.core.dns import wire
from grpcdns.core.dns.names import BadName, Name
from grpcdns.core.dns.wire import NOERROR, Record, Section


class Lookup(NamedTuple):
    """Records that the upstream is to be asked for, and where in a section they go."""

    target: Name
    qtype: int
    section: Section
    position: int


class Answer:
    """The answer to a question, and what it depends on.

    ``serial``: which of the index's serials its SOA has. ``tags`` are those of index.py: a Change
    that returns one of them may change this answer. ``origins`` and, in adaptive mode,
    ``ttl_class`` are those of ttl.py. ``lookups`` are names outside our zones whose records are
    still missing. ``cheap`` marks answers that name nothing in the cluster, of which there is no
    end.
    """

    __slots__ = (
        "authoritative", "cheap", "lookups", "origins", "rcode", "sections", "serial", "tags",
        "ttl_class",
    )  # fmt: skip

    def __init__(self, rcode: int = NOERROR, authoritative: bool = True) -> None:
        self.rcode = rcode
        self.authoritative = authoritative
        self.sections: tuple[list[Record], list[Record], list[Record]] = ([], [], [])
        self.serial: Serial = CLUSTER
        self.tags: set[Tag] = set()
        self.lookups: list[Lookup] = []
        self.cheap = False
        self.origins: set[Origin] = set()
        self.ttl_class: TtlClass | None = None


def add_addresses(
    result: Answer, name: Name, qtype: int, hosts: Iterable[bytes | Name], ttl: int
) -> None:
    """Add A or AAAA records, each address once; names and the other family are skipped."""
    length = 4 if qtype == wire.A else 16
    records = result.sections[0]
    for host in dict.fromkeys(hosts):
        if isinstance(host, bytes) and len(host) == length:
            records.append(Record(name, qtype, ttl, (host,)))


def add_srv(name: Name, hits: Sequence[Hit], ttl: int, result: Answer) -> None:
    """Add SRV records, and their targets' addresses in the additional section.

    The weight is divided among all hits, those without a port number included; equal targets are
    one record.
    """
    if not hits:
        return
    # The plugin's arithmetic, so that both round alike.
    weight = max(1, math.floor(100.0 / (100 * len(hits)) * 100))
    seen: set[tuple[Name, int | bytes]] = set()
    for hit in hits:
        target = hit.target if isinstance(hit.host, bytes) else hit.host
        try:
            record = wire.srv_record(name, ttl, weight, hit.port, target)
        except BadName:
            continue
        if hit.port == -1:
            continue
        if (target, hit.port) not in seen:
            seen.add((target, hit.port))
            result.sections[0].append(record)
        mark = (target, hit.host if isinstance(hit.host, bytes) else b"")
        if mark in seen:
            continue
        seen.add(mark)
        if isinstance(hit.host, bytes):
            result.sections[2].append(wire.address_record(target, hit.host, ttl))
        else:
            result.lookups += (
                Lookup(target, qtype, Section.ADDITIONAL, 0) for qtype in (wire.A, wire.AAAA)
            )
