"""Many DNS queries to a server in parallel over UDP; truncated replies are retried over TCP."""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Sequence
from typing import Final

from harness.dns import read_tcp
from harness.ports import Address

WINDOW: Final = 256
PATIENCE: Final = (1.0, 4.0, 15.0)
"""Seconds without a reply, after which missing ones are asked again, and then given up."""
SERVFAIL: Final = 2


def ask_all(address: Address, messages: Sequence[bytes]) -> list[bytes | None]:
    """The replies, in order; None where none came. The IDs are replaced."""
    replies: list[bytes | None] = [None] * len(messages)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        udp.connect(address)
        todo = list(range(len(messages)))
        for patience in PATIENCE:
            _ask_over(udp, messages, todo, replies, patience)
            todo = [number for number in todo if _is_open(replies[number])]
            if not todo:
                break
    for number, reply in enumerate(replies):
        if reply is not None and reply[2] & 0x02:
            replies[number] = _ask_tcp(address, messages[number])
    return replies


def _ask_over(
    udp: socket.socket,
    messages: Sequence[bytes],
    todo: Sequence[int],
    replies: list[bytes | None],
    patience: float,
) -> None:
    """Send each of ``todo``, WINDOW of them in flight, until no reply comes for ``patience`` s."""
    waiting: dict[int, int] = {}
    queue = iter(todo)
    last = time.monotonic()
    exhausted = False
    while waiting or not exhausted:
        while len(waiting) < WINDOW and not exhausted:
            number = next(queue, None)
            if number is None:
                exhausted = True
                break
            id_ = number & 0xFFFF
            waiting[id_] = number
            udp.send(struct.pack("!H", id_) + messages[number][2:])
        if not select.select([udp], [], [], 0.2)[0]:
            if time.monotonic() - last > patience:
                return
            continue
        reply = udp.recv(65535)
        found = waiting.get(int.from_bytes(reply[:2], "big"))
        if found is not None and _is_answer(messages[found], reply):
            del waiting[int.from_bytes(reply[:2], "big")]
            replies[found] = reply
            last = time.monotonic()


def _is_open(reply: bytes | None) -> bool:
    """Whether to ask again: a worker refuses what has piled up on a busy machine, and CoreDNS then
    says SERVFAIL. Where that is the answer, it is so each time."""
    return reply is None or reply[3] & 0x0F == SERVFAIL


def _is_answer(message: bytes, reply: bytes) -> bool:
    """Whether the reply repeats the question."""
    end = message.index(b"\0", 12) + 5
    return reply[12:end].lower() == message[12:end].lower()


def _ask_tcp(address: Address, message: bytes) -> bytes:
    with socket.create_connection(address, timeout=10) as tcp:
        tcp.sendall(struct.pack("!H", len(message)) + message)
        return read_tcp(tcp)
