"""One worker's connection: which kinds it follows, and what is queued for it.

Nothing here blocks. `push` sends at once what the socket accepts and queues the rest. The queue is
bounded: when it overflows, it is dropped and every kind is listed again. So a slow worker costs the
feed a few megabytes at most, and ends up with the right data.

Beware: every method is called under the Broadcast's lock, which keeps frames in the order of the
Changes. A listing reads each object when its turn comes, so it is never older than the Changes
sent before it.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Iterator
from typing import Final

from grpcdns.core.cluster.objects import Kind
from grpcdns.core.cluster.store import Store
from grpcdns.frames import batches
from grpcdns.serve import link

QUEUE: Final = 4 << 20
"""The most bytes that are queued for a worker."""


class Subscriber:
    """``follows``: the kinds that were listed to it, or are about to be. It gets their Changes."""

    def __init__(self, sock: socket.socket, store: Store) -> None:
        self.sock = sock
        self.name = ""
        self.live = False
        """Whether the worker had live data when it connected."""
        self.asked = False
        """Whether this is no worker but a command that asks about the guard or the status."""
        self.follows: set[Kind] = set()
        self.state = b""
        """The latest State, as a frame."""
        self.resyncs = 0
        self.reader = link.Reader()
        self._store = store
        self._serial = 0
        self._queue: deque[memoryview] = deque()
        self._size = 0
        self._part_sent = False
        self._to_list: deque[Kind] = deque()
        self._listing: Iterator[bytes] | None = None

    @property
    def is_worker(self) -> bool:
        """Whether it answers queries; `explain` only reads the lists."""
        return self.name.startswith(link.WORKER)

    @property
    def pending(self) -> bool:
        return bool(self._queue or self._to_list or self._listing)

    def push(self, frame: bytes) -> None:
        """Send one frame now, or after those that are queued."""
        if self._size + len(frame) > QUEUE:
            self._overflow()
            return
        self._queue.append(memoryview(frame))
        self._size += len(frame)
        if len(self._queue) == 1:
            self._send()

    def list_kind(self, kind: Kind, serial: int) -> None:
        """Send all objects of a kind, each as it is when its turn comes."""
        self._serial = serial
        self.follows.add(kind)
        self._to_list.append(kind)

    def flush(self) -> None:
        """Send on: the socket accepts bytes again. Raises OSError when the worker is gone."""
        while self._send():
            if self._listing is None:
                if not self._to_list:
                    return
                self._listing = self._list(self._to_list.popleft())
            frame = next(self._listing, None)
            if frame is None:
                self._listing = None
            else:
                self._queue.append(memoryview(frame))
                self._size += len(frame)

    def _send(self) -> bool:
        """Send what is queued; whether all of it was sent."""
        while self._queue:
            head = self._queue[0]
            try:
                sent = self.sock.send(head)
            except BlockingIOError:
                return False
            self._size -= sent
            if sent == len(head):
                self._queue.popleft()
            else:
                self._queue[0] = head[sent:]
            self._part_sent = sent < len(head)
        return True

    def _overflow(self) -> None:
        """Drop the queue, except for the rest of a frame that is partly sent, and resync."""
        self.resyncs += 1
        rest = [self._queue[0]] if self._part_sent else []
        if self.state:
            rest.append(memoryview(self.state))
        self._queue = deque(rest)
        self._size = sum(map(len, rest))
        self._listing = None
        self._to_list = deque(sorted(self.follows))

    def _list(self, kind: Kind) -> Iterator[bytes]:
        yield link.to_frame(link.Listing(kind, self._serial))
        for batch in batches(self._store.objects(kind)):
            yield link.to_frame(batch)
        yield link.to_frame(link.Listed(kind))
