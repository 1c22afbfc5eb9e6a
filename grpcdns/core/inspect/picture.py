"""An explanation as a tree, to be drawn: Namespace, Service, slices, endpoints, and what of them is
in the answer.

It asks the index for the endpoints of the slices, and decides nothing: what is left out, and why,
is what `explain` says.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

import msgspec

from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import EndpointSlice, Kind, key_of, unpack
from grpcdns.core.dns.names import (
    address_from_reverse,
    address_from_text,
    address_to_text,
    name_from_text,
)
from grpcdns.core.inspect.explain import says
from grpcdns.core.inspect.explanation import Explanation

MOST: Final = 200
"""Sources of one drawing, and slices of one Service."""
MOST_ENDPOINTS: Final = 30
"""Endpoints of one slice: those in the answer first."""

IN, OUT, USED, BEHIND, MISSING = "in", "out", "used", "behind", "missing"
"""``in`` the answer; left ``out``; ``used`` to find it; ``behind`` a cluster IP, which is answered
instead; ``missing``: there is none."""


class Node(msgspec.Struct, frozen=True):
    """An object, or one address of it. ``reason``: why it is out. ``more``: how many children are
    not shown."""

    kind: str
    name: str
    state: str
    says: str = ""
    reason: str = ""
    children: tuple[Node, ...] = ()
    more: int = 0


def picture(why: Explanation, index: Index) -> tuple[Node, ...]:
    """The trees, one for each Namespace, bounded by `MOST` and `MOST_ENDPOINTS`."""
    return _Painter(why, index).paint()


class _Painter:
    def __init__(self, why: Explanation, index: Index) -> None:
        self._why = why
        self._index = index
        self._slices = dict(self._found_slices())
        self._answered = _addresses_in(why)
        self._left_out: dict[tuple[str, str], str] = {}
        for one in why.left_out:
            self._left_out.setdefault((one.what, one.part), one.reason)

    def paint(self) -> tuple[Node, ...]:
        children: dict[str, list[Node]] = {}
        shown: set[str] = set()
        for one in self._why.sources[:MOST]:
            if one.kind == "Namespace":
                children.setdefault(one.key, [])
            elif one.kind in ("Service", "ServiceImport") and one.found:
                node = self._service(one.kind, one.key, one.says, shown)
                children.setdefault(one.key.partition("/")[0], []).append(node)
            elif one.kind != "EndpointSlice" and not one.found:
                node = Node(one.kind, one.key, MISSING, reason="there is none")
                children.setdefault(_namespace_of(one.key), []).append(node)
        for one in self._why.sources[:MOST]:
            if one.kind in ("EndpointSlice", "Pod") and one.found and one.key not in shown:
                if one.kind == "Pod":
                    node = Node(one.kind, one.key, USED, one.says)
                elif one.key in self._slices:
                    node = self._slice(self._slices[one.key], USED)
                else:
                    node = Node(one.kind, one.key, MISSING, reason="there is none")
                children.setdefault(one.key.partition("/")[0], []).append(node)
        return tuple(self._namespaces(children))

    def _namespaces(self, children: dict[str, list[Node]]) -> Iterator[Node]:
        found = {one.key: one.found for one in self._why.sources if one.kind == "Namespace"}
        for name, nodes in children.items():
            if not name:
                yield from nodes
                continue
            there = found.get(name, self._index.has_namespace(name))
            state = USED if there else MISSING
            reason = "" if there else "there is none"
            yield Node("Namespace", name, state, reason=reason, children=tuple(nodes))

    def _service(self, kind: str, key: str, text: str, shown: set[str]) -> Node:
        slices = [one for one in self._slices.values() if _owner(one, kind) == key]
        shown.update(map(key_of, slices))
        nodes = [self._slice(one, USED) for one in slices[:MOST]]
        more = max(0, len(slices) - MOST)
        reason = self._left_out.get((f"{kind} {key}", ""), "")
        state = OUT if reason else USED
        service = self._index.service(key) if kind == "Service" else None
        if service is not None and not service.headless:
            if self._why.answer:
                state = IN
            if not nodes and not service.external_name:
                behind = sorted(self._index.all_slices(key), key=key_of)
                nodes = [self._slice(one, BEHIND) for one in behind[:MOST]]
                more = max(0, len(behind) - MOST)
        elif not nodes and state == USED:
            nodes = [Node("EndpointSlice", f"of {key}", MISSING, reason="there is none")]
        return Node(kind, key, state, text, reason, tuple(nodes), more)

    def _found_slices(self) -> Iterator[tuple[str, EndpointSlice]]:
        """The slices among the sources, by key; one may have gone since."""
        for one in self._why.sources:
            if one.kind == "EndpointSlice" and one.found:
                body = self._index.store.get(Kind.ENDPOINT_SLICE, one.key)
                if body is not None:
                    yield one.key, cast("EndpointSlice", unpack(Kind.ENDPOINT_SLICE, body))

    def _slice(self, one: EndpointSlice, state: str) -> Node:
        title = f"EndpointSlice {key_of(one)}"
        reason = self._left_out.get((title, ""), "")
        points = [
            self._endpoint(title, address, endpoint.pod or endpoint.hostname, endpoint.ready, state)
            for endpoint in one.endpoints
            for address in endpoint.addresses
        ]
        points.sort(key=lambda node: node.state != IN)
        if any(node.state == IN for node in points):
            state = IN
        return Node(
            "EndpointSlice",
            key_of(one),
            OUT if reason else state,
            says(one),
            reason,
            tuple(points[:MOST_ENDPOINTS]),
            max(0, len(points) - MOST_ENDPOINTS),
        )

    def _endpoint(self, of: str, address: str, pod: str, ready: bool, state: str) -> Node:
        text = " ".join(filter(None, (pod, "ready" if ready else "not ready")))
        reason = self._left_out.get((of, address), "")
        if reason:
            return Node("endpoint", address, OUT, text, reason)
        if state == BEHIND:
            return Node("endpoint", address, BEHIND, text)
        if _canonical(address) in self._answered:
            return Node("endpoint", address, IN, text)
        whole = self._left_out.get((of, ""), "")
        return Node("endpoint", address, OUT, text, whole or "not asked for")


def _addresses_in(why: Explanation) -> frozenset[str]:
    """The addresses of an answer; of a PTR answer, the address that was asked about."""
    fields = [record.split(" ") for record in (*why.answer, *why.additional)]
    found = {one[-1] for one in fields if len(one) > 4 and one[3] in ("A", "AAAA")}
    if why.qtype == "PTR" and why.answer:
        address = address_from_reverse(name_from_text(why.name))
        if address is not None:
            found.add(address_to_text(address))
    return frozenset(map(_canonical, found))


def _owner(slice_: EndpointSlice, kind: str) -> str:
    """The key of the Service or ServiceImport that a slice is labelled with."""
    label = slice_.service if kind == "Service" else slice_.imported_service
    return f"{slice_.namespace}/{label}"


def _canonical(text: str) -> str:
    address = address_from_text(text)
    return text if address is None else address_to_text(address)


def _namespace_of(key: str) -> str:
    """The namespace of a key; "" of what was searched for: "at 10.0.0.1"."""
    return key.partition("/")[0] if "/" in key and " " not in key else ""
