"""A client that queries at a fixed rate and counts what was lost, wrong or slow.

    with Steady(coredns.address, {("xecho...", "A"): {"10.96.49.52"}}, rate=200) as steady:
        ...faults...
    assert not steady.report().failed

Queries in flight have different IDs. Each is sent once: a retry would hide a loss. An answer is
right when it is NOERROR with exactly the expected data.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Self

import dns.message
import dns.rcode

from harness.ports import Address

Questions = Mapping[tuple[str, str], frozenset[str]]


class Sent(NamedTuple):
    """A query in flight: when it was sent, and its question."""

    at: float
    question: tuple[str, str]


class Report(NamedTuple):
    """``failed`` counts the other outcomes by kind; ``slowest`` is of right answers, in seconds."""

    asked: int
    right: int
    failed: Counter[str]
    slowest: float

    def __str__(self) -> str:
        failed = (
            ", ".join(f"{count} {what}" for what, count in self.failed.items()) or "none failed"
        )
        return f"{self.right} of {self.asked} right ({failed}), slowest {self.slowest:.3f} s"


class Steady:
    """Sends ``rate`` queries a second until stopped; each may take ``timeout`` seconds."""

    def __init__(
        self, address: Address, questions: Questions, *, rate: float = 200, timeout: float = 5.0
    ) -> None:
        self._questions = dict(questions)
        self._rate = rate
        self._timeout = timeout
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(tuple(address))
        self._socket.settimeout(0.1)
        self._flying: dict[int, Sent] = {}
        self._failed: Counter[str] = Counter()
        self._asked = self._right = 0
        self._slowest = 0.0
        self._ended = threading.Event()
        self._sender = threading.Thread(target=self._send, daemon=True)
        self._receiver = threading.Thread(target=self._receive, daemon=True)

    def report(self) -> Report:
        """The counts so far; final after the ``with`` block."""
        return Report(self._asked, self._right, Counter(self._failed), self._slowest)

    def __enter__(self) -> Self:
        self._receiver.start()
        self._sender.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._sender.join()
        self._receiver.join()
        self._socket.close()

    def _packets(self) -> Iterator[tuple[int, bytes, tuple[str, str]]]:
        made = {
            question: dns.message.make_query(*question, id=0).to_wire()[2:]
            for question in self._questions
        }
        for number, question in zip(itertools.count(), itertools.cycle(made), strict=False):
            serial = number & 0xFFFF
            yield serial, serial.to_bytes(2) + made[question], question

    def _send(self) -> None:
        due = time.monotonic()
        for serial, packet, question in self._packets():
            due += 1 / self._rate
            if self._ended.wait(max(0.0, due - time.monotonic())):
                return
            self._flying[serial] = Sent(time.monotonic(), question)
            self._asked += 1
            try:
                self._socket.send(packet)
            except OSError as error:
                del self._flying[serial]
                self._failed[f"unsendable: {error.strerror}"] += 1

    def _receive(self) -> None:
        while not self._ended.is_set() or self._flying:
            try:
                packet = self._socket.recv(65535)
            except TimeoutError:
                self._give_up()
                continue
            except OSError:  # an ICMP error about an earlier query, which will time out
                continue
            sent = self._flying.pop(int.from_bytes(packet[:2]), None)
            if sent is not None:
                self._judge(packet, sent)

    def _give_up(self) -> None:
        late = time.monotonic() - self._timeout
        for serial, sent in list(self._flying.items()):
            if sent.at < late:
                del self._flying[serial]
                self._failed["unanswered"] += 1

    def _judge(self, packet: bytes, sent: Sent) -> None:
        took = time.monotonic() - sent.at
        reply = dns.message.from_wire(packet)
        data = {record.to_text() for rrset in reply.answer for record in rrset}
        if reply.rcode() != dns.rcode.NOERROR:
            self._failed[dns.rcode.to_text(reply.rcode())] += 1
        elif data != self._questions[sent.question]:
            self._failed[f"wrong answer to {' '.join(sent.question)}: {sorted(data)}"] += 1
        else:
            self._right += 1
            self._slowest = max(self._slowest, took)
