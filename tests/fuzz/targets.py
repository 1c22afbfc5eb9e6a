"""The targets: each takes any octets, and raises when a rule is broken.

``BUDGET`` is the processor time in seconds that one input of up to 64 KiB may take. A shared
machine counts the time that others took, so an input is too slow only if it is so ``TRIES`` times.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from tests.fuzz import cluster_targets, text_targets
from tests.fuzz.draw import Draw
from tests.fuzz.messages import draw_name, draw_query
from tests.fuzz.oracle import check_reply
from tests.fuzz.world import answer, pairs

Target = Callable[[bytes], None]

BUDGET: Final = 0.25
TRIES: Final = 5


def packet(data: bytes) -> None:
    """A DnsPacket, through the parser of the transports, into the handler."""
    from google.protobuf.message import DecodeError

    from grpcdns.pb.dns_pb2 import DnsPacket
    from grpcdns.serve.worker.transport.packet import from_wire, to_wire

    message = from_wire(data)
    try:
        expected: bytes | None = DnsPacket.FromString(data).msg
    except DecodeError:
        expected = None
    # The parser accepts all that protobuf accepts, except groups: deprecated, and never sent.
    assert message == expected or (message is None and _has_group(data)), (
        f"{message!r} where protobuf reads {expected!r}"
    )
    reply = _ask(message or b"")
    assert DnsPacket.FromString(to_wire(reply)).msg == reply, "not the DnsPacket of the reply"


def message(data: bytes) -> None:
    """A DNS message into the handler."""
    _ask(data)


def query(data: bytes) -> None:
    """Structured queries, a few in a row."""
    draw = Draw(data)
    which = draw.byte()
    for _ in range(1 + draw.below(3)):
        _ask(draw_query(draw), which)


def names(data: bytes) -> None:
    """Names between wire, labels and text, compared with dnspython."""
    import dns.exception
    import dns.name

    from grpcdns.core.dns import names as ours

    wire = draw_name(Draw(data)) if len(data) % 2 else data
    try:
        theirs, used = dns.name.from_wire(wire, 0)
    except (dns.exception.DNSException, ValueError):
        return
    if used != len(wire) or any(octet >= 0xC0 for octet in _lengths(wire)):
        return
    name = ours.name_from_wire(wire)
    assert ours.name_to_wire(name) == theirs.canonicalize().to_wire()
    assert dns.name.from_text(ours.name_to_text(name)) == theirs
    address = ours.address_from_reverse(name)
    if address is not None and not any("\\" in label for label in ours.name_to_text(name)):
        assert ours.address_from_reverse(ours.reverse_from_address(address)) == address


def _ask(message: bytes, which: int | None = None) -> bytes:
    """Asks the handlers under every policy (or one): with and without a memo, and from the memo,
    the replies are equal."""
    chosen = pairs() if which is None else (pairs()[which % len(pairs())],)
    reply = b""
    for remembering, forgetful in chosen:
        reply = answer(forgetful, message)
        first, second = answer(remembering, message), answer(remembering, message)
        assert first == reply, "the reply with a memo differs from the one without"
        assert second == reply, "the second answer is not the first"
        check_reply(message, reply)
    return reply


def _lengths(wire: bytes) -> list[int]:
    found, at = [], 0
    while at < len(wire):
        found.append(wire[at])
        at += 1 + wire[at]
    return found


def _has_group(data: bytes) -> bool:
    """Whether it may have the tag of a group: wire type 3 or 4."""
    return any(octet & 7 in (3, 4) for octet in data)


TARGETS: Final[dict[str, Target]] = {
    "packet": packet,
    "message": message,
    "query": query,
    "names": names,
    "upstream": cluster_targets.upstream,
    "changes": cluster_targets.changes,
    "bodies": cluster_targets.bodies,
    "objects": cluster_targets.objects,
    "json": text_targets.json,
    "frames": text_targets.frames,
    "snapshot": text_targets.snapshot,
    "manifest": text_targets.manifest,
    "corefile": text_targets.corefile,
    "selector": text_targets.selector,
}


def run(target: Target, data: bytes) -> None:
    """One input, and the bound on its time."""
    took = 0.0
    for _ in range(TRIES):
        began = time.thread_time()
        target(data)
        took = time.thread_time() - began
        if took < BUDGET:
            return
    raise AssertionError(f"{took:.3f} s for {len(data)} octets, {TRIES} times")
