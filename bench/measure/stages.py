"""Where the time of a change goes, from the watch's line to the answer: each step by itself.

A slice of ten endpoints changes again and again. The steps are the product's own, in the order in
which a change takes them, in one process and with nothing else to do; but for the hop, which is a
frame from one waiting process to another. What `propagation` finds beyond their sum is the API's,
and waiting for a processor.
"""

from __future__ import annotations

import json
import os
import socket
import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, Final

import dns.message

from bench.cluster import Name, service_of, slice_of
from bench.samples import Results
from bench.setup import Setup, say
from bench.tables import figure, table_of
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind
from grpcdns.serve import link
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.subscriber import Subscriber
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.source.api.decode import Decoder, Event
from grpcdns.source.scope import fields_of
from harness.objects import namespace

CHANGES: Final = 1000
READ, SEND, HOP, TAKE, ANSWER = (
    "feed: parse a line of the watch",
    "feed: send it to two workers",
    "the hop to another process",
    "worker: apply it to the index",
    "worker: make the answer again",
)
_NAME: Final = Name(0)


def measure(setup: Setup) -> Results:
    results = Results("stages")
    for number in range(setup.rounds):
        for case, microseconds in _stages().items():
            results.add("stages", case, number, us=microseconds)
    say("stages: done")
    return results


def _stages() -> dict[str, float]:
    """The median of each step, in microseconds."""
    policy = Policy()
    decoder = Decoder(Kind.ENDPOINT_SLICE, fields_of(policy))
    lines = [_line(number) for number in range(CHANGES)]
    events: list[Event] = []
    found = {READ: _median(lambda line: events.append(decoder.event(line)), lines)}
    frames, found[SEND] = _send(policy, events)
    found[HOP] = _hop(frames[0])
    found[TAKE], found[ANSWER] = _take(policy, frames)
    return found


def _line(number: int) -> bytes:
    obj = slice_of(_NAME, f"10.252.{number >> 8}.{number & 255}")
    obj["metadata"]["resourceVersion"] = str(1000 + number)
    return json.dumps({"type": "MODIFIED", "object": obj}, separators=(",", ":")).encode()


def _send(policy: Policy, events: list[Event]) -> tuple[list[bytes], float]:
    """The frames that a worker gets, and what it took to send each."""
    broadcast = Broadcast(policy, lambda: None)
    pairs = [socket.socketpair(socket.AF_UNIX) for _ in range(2)]
    for ours, _ in pairs:
        subscriber = Subscriber(ours, broadcast.store)
        subscriber.follows.update(Kind)
        broadcast.subscribers.append(subscriber)
    frames: list[bytes] = []
    took = []
    for event in events:
        assert event.item is not None
        key, body = event.item.key, event.item.body
        assert body is not None
        began = time.perf_counter()
        broadcast.upsert(Kind.ENDPOINT_SLICE, key, body)
        took.append(time.perf_counter() - began)
        frame, _ = [theirs.recv(1 << 16) for _, theirs in pairs]
        frames.append(frame)
    for pair in pairs:
        for end in pair:
            end.close()
    return frames, statistics.median(took) * 1e6


def _hop(frame: bytes) -> float:
    """Half of there and back."""
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    if os.fork() == 0:
        ours.close()
        while data := theirs.recv(1 << 16):
            theirs.send(data)
        os._exit(0)
    theirs.close()

    def there_and_back(_: int) -> None:
        ours.send(frame)
        ours.recv(1 << 16)

    with ours:
        found = _median(there_and_back, range(CHANGES), pause=0.001) / 2
    os.wait()
    return found


def _take(policy: Policy, frames: list[bytes]) -> tuple[float, float]:
    answerer, reader = Answerer(policy, ""), link.Reader()
    objects = {
        Kind.NAMESPACE: namespace(_NAME.namespace),
        Kind.SERVICE: service_of(_NAME),
        Kind.ENDPOINT_SLICE: slice_of(_NAME),
    }
    for kind, obj in objects.items():
        item = Decoder(kind, fields_of(policy)).item(json.dumps(obj).encode())
        for _ in answerer.replace(kind, [[(item.key, item.body)]], 1):
            pass
    query = dns.message.make_query(_NAME.qname, "A").to_wire()
    took, answered = [], []
    for frame in frames:
        began = time.perf_counter()
        for message in reader.feed(frame):
            assert isinstance(message, link.Changes)
            for change in message.changes:
                answerer.apply(change)
        taken = time.perf_counter()
        answerer.answer(query)
        answered.append(time.perf_counter() - taken)
        took.append(taken - began)
    assert answerer.changes >= len(frames), "each is another"
    return statistics.median(took) * 1e6, statistics.median(answered) * 1e6


def _median(act: Callable[[Any], object], over: Iterable[Any], pause: float = 0.0) -> float:
    took = []
    for one in over:
        began = time.perf_counter()
        act(one)
        took.append(time.perf_counter() - began)
        if pause:
            time.sleep(pause)
    return statistics.median(took) * 1e6


def table(results: Results) -> str:
    rows = [[case, figure(results, "stages", case, "us")] for case in results.cases()]
    total = sum(spread.median for case in results.cases()
                if (spread := results.spread("stages", case, "us")))  # fmt: skip
    return table_of(("step", "us"), [*rows, ["total", f"{total:,.0f}"]])
