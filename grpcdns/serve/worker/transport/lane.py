"""The fast transport: one thread polls grpcio's completion queue, answers and sends.

Beware: this module, and no other, uses grpcio's private API (`check` names every part of it):
grpcio's public servers hand each call from thread to thread and reach a fifth of its throughput.
Everything but ``Query`` is served by a public `grpc.server` on the same addresses. The lane runs on
that server's thread, which polls a queue of ours: it handles the events of ``Query`` itself and
returns the others. (With a second polling thread, each would wake the other for every other event.)

A call is three events of the queue: it came (request the next call, start to receive the message);
its message came (answer it, send everything in one batch); it is over. Operations without content
are made once and shared by all calls.

Beware: an operation owns its content from the start of a batch to its event. If two batches share
an operation with content (a message, a status with details), the content is freed twice.

Stopping: once the server shuts down, requesting another call raises ValueError, requested calls
come back with success False, and grpcio's core ends every call that was not requested yet. So the
answers are held back for a moment while every call that has come is accepted; then the server shuts
down, the callers are notified, and only then are the answers sent. The queue is polled until the
last call is over.
"""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from grpcdns.serve.worker.later import Later, Servicer, Uncounted
from grpcdns.serve.worker.transport.contract import (
    HEARD,
    NO_MESSAGE,
    NOT_NOW,
    QUERY,
    Pressure,
    Stats,
    quiet,
)
from grpcdns.serve.worker.transport.packet import from_wire, to_wire
from grpcdns.serve.worker.transport.queue import Poll, make_queue
from grpcdns.serve.worker.transport.server import Listeners

try:
    from grpc import _server
    from grpc._cython import cygrpc  # type: ignore[attr-defined, unused-ignore]
except ImportError:  # pragma: no cover - `check` says so
    cygrpc = _server = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)

# Names of the hot path, looked up once.
_now: Final = time.perf_counter
_ReceiveMessage: Any = getattr(cygrpc, "ReceiveMessageOperation", None)
_SendMessage: Any = getattr(cygrpc, "SendMessageOperation", None)

_OUTSTANDING: Final = 128
"""Calls requested in advance. A burst that finds enough of them costs a tenth less than one that
waits in grpcio's core (128 compared with 16); more than 128 is no faster."""
_REQUESTED: Final = "requested"
_DONE: Final = "done"
"""Tags of events. A Call: its message is awaited. A tuple (call, octets of its reply): the reply is
being sent. Any other tag belongs to the public server."""
MAX_OPEN: Final = 4096
MAX_UNSENT: Final = 128 << 20
"""The most calls that may be open at once (each takes 15 KB), and the most octets of replies that
callers have not read. Beyond that the oldest calls are cancelled: an honest call ends quickly."""
_SMALL: Final = 1232
"""Replies up to this size are sent even when `MAX_UNSENT` is reached."""
_HONEST: Final = 0.25
"""Seconds after which a call may be cancelled to make room."""

_NEEDED: Final = {
    "": (
        "CompletionQueue",
        "CompletionType",
        "ReceiveCloseOnServerOperation",
        "ReceiveMessageOperation",
        "SendInitialMetadataOperation",
        "SendMessageOperation",
        "SendStatusFromServerOperation",
        "Server",
        "StatusCode",
    ),
    "CompletionQueue": ("poll",),
    "Server": ("register_completion_queue", "register_method", "request_registered_call"),
    "StatusCode": ("ok", "unavailable", "unimplemented"),
    "Call": ("cancel", "start_server_batch"),
    "ReceiveMessageOperation": ("message",),
    "RequestCallEvent": ("call", "success", "tag"),
    "BatchOperationEvent": ("batch_operations", "success", "tag"),
}
_NEEDED_STATE: Final = ("completion_queue", "server")
"""Attributes of the public server's state that the lane reads or replaces."""


def check() -> str | None:
    """The first private name of grpcio that is missing; None when all are there."""
    if cygrpc is None:  # type: ignore[unreachable, unused-ignore]
        return "grpc._cython.cygrpc"
    for owner, names in _NEEDED.items():
        holder = getattr(cygrpc, owner, None) if owner else cygrpc
        if holder is None:
            return f"grpc._cython.cygrpc.{owner}"
        for name in names:
            if not hasattr(holder, name):
                return ".".join(filter(None, ("grpc._cython.cygrpc", owner, name)))
    state = getattr(_server, "_ServerState", None)
    for name in _NEEDED_STATE:
        if name not in getattr(state, "__annotations__", ()):
            return f"grpc._server._ServerState.{name}"
    return None


class Lane:
    """`Transport` on the public server's thread, which polls, answers and sends."""

    name = "lane"

    def __init__(self, listeners: Listeners, answer: Servicer, pressure: Pressure) -> None:
        self.stats = Stats()
        self._listeners = listeners
        self._answer = answer
        self._pressure = pressure
        self._server = listeners.server(())
        self._started = False
        state: Any = self._server._state  # type: ignore[attr-defined]
        self._core = state.server
        self._core.register_method(QUERY)
        self._queue = state.completion_queue = make_queue(cygrpc.CompletionQueue, self._serve)
        self._core.register_completion_queue(self._queue)
        self._awaited: Any = cygrpc.Call
        self._open: dict[Any, float] = {}
        """The calls in flight, oldest first, and when each came (``time.perf_counter``)."""
        self._unsent = 0
        """Octets of replies that are being sent."""
        self._held: list[tuple[Any, bytes]] | None = None
        """While stopping: calls that are answered once the callers know that the server stops."""
        no_flags = 0
        head = cygrpc.SendInitialMetadataOperation(None, no_flags)
        close = cygrpc.ReceiveCloseOnServerOperation(no_flags)
        self._head, self._close = head, close
        self._ok = _status(cygrpc.StatusCode.ok, b"")

    def start(self) -> None:
        self._listeners.bind(self._server)
        self._server.start()
        for _ in range(_OUTSTANDING):
            self._core.request_registered_call(self._queue, self._queue, QUERY, _REQUESTED)
        self._started = True

    def stop(self, grace: float) -> None:
        if not self._started:
            return
        self._started = False
        held: list[tuple[Any, bytes]] = []
        self._held = held
        quiet(lambda: len(self._open))
        over = self._server.stop(grace)
        time.sleep(HEARD)
        self._held = None
        while held or not over.wait(0.01):
            while held:
                self._reply(*held.pop())

    def sweep(self, limit: float) -> int:
        late = _now() - limit
        stuck = [call for call, came in list(self._open.items()) if came < late]
        for call in stuck:
            call.cancel()
        return len(stuck)

    def _serve(self, poll: Poll, deadline: float | None) -> Any:
        """Poll, and serve the events of ``Query``; returns the first that is not one."""
        awaited = self._awaited
        while True:
            event = poll(deadline)
            tag = event.tag
            try:
                if tag is _REQUESTED:
                    if event.success:
                        self._came(event.call)
                elif type(tag) is awaited:
                    self._received(tag, event)
                elif type(tag) is tuple:
                    self._over(tag[0], tag[1])
                elif tag is not _DONE:
                    return event
            except Exception:
                _log.exception("the lane could not serve a call")
            # An event keeps its call alive: release it before waiting for the next.
            event = tag = None

    def _came(self, call: Any) -> None:
        """A call has come. Request the next one first: it may be waiting already."""
        try:
            self._core.request_registered_call(self._queue, self._queue, QUERY, _REQUESTED)
        except ValueError:  # the server is stopping
            pass
        now = _now()
        pressure, in_flight = self._pressure, self._open
        # With nothing in flight this may be the probe itself, late because we got no CPU.
        if (pressure.sent and in_flight and pressure.high(now)) or (
            len(in_flight) >= MAX_OPEN and not self._make_room(now)
        ):
            self.stats.shed += 1
            self._refuse(call, cygrpc.StatusCode.unavailable, NOT_NOW)
            return
        in_flight[call] = now
        call.start_server_batch((_ReceiveMessage(0),), call)

    def _make_room(self, now: float) -> bool:
        """Cancel the oldest call, unless it may be an honest one."""
        oldest = next(iter(self._open), None)
        if oldest is None or now - self._open[oldest] < _HONEST:
            return False
        del self._open[oldest]
        oldest.cancel()
        self.stats.broken += 1
        return True

    def _over(self, call: Any, size: int) -> None:
        """A reply has been sent, or its caller is gone."""
        self._unsent -= size
        self._open.pop(call, None)

    def _received(self, call: Any, event: Any) -> None:
        """A call's message has come, or never will."""
        raw = event.batch_operations[0].message()
        if raw is None:
            self.stats.broken += 1
            self._open.pop(call, None)
            self._refuse(call, cygrpc.StatusCode.unimplemented, NO_MESSAGE)
        elif self._held is not None:
            self._held.append((call, raw))
        else:
            self._reply(call, raw)

    def _reply(self, call: Any, raw: bytes) -> None:
        try:
            reply = self._answer(from_wire(raw) or b"")
        except Exception:
            _log.exception("a query could not be answered")
            reply = None
        if type(reply) is not bytes:
            if reply is None:
                self._finish(call, None)
            elif type(reply) is Uncounted:
                self._send(call, reply)
            else:
                self._wait(reply, call)  # type: ignore[arg-type]
            return
        packet = to_wire(reply)
        size = len(packet)
        if size > _SMALL and self._unsent > MAX_UNSENT:
            self._finish(call, None)
            return
        send = _SendMessage(packet, 0)
        call.start_server_batch((self._head, send, self._ok, self._close), (call, size))
        self._unsent += size
        now = _now()
        self.stats.took(now - self._open.get(call, now))
        if self._unsent > MAX_UNSENT // 2:
            self._make_room(now)

    def _wait(self, later: Later, call: Any) -> None:
        """Leave the call open; the thread that sets the reply sends it."""
        self.stats.open += 1

        def send(reply: bytes | None) -> None:
            self.stats.open -= 1
            self._finish(call, reply)

        later.then(send)

    def _finish(self, call: Any, reply: bytes | None) -> None:
        now = _now()
        self.stats.took(now - self._open.get(call, now))
        if reply is None:
            self.stats.unavailable += 1
            self._open.pop(call, None)
            self._refuse(call, cygrpc.StatusCode.unavailable, NOT_NOW)
        else:
            self._send(call, reply)

    def _send(self, call: Any, reply: bytes) -> None:
        send = _SendMessage(to_wire(reply), 0)
        call.start_server_batch((self._head, send, self._ok, self._close), (call, 0))

    def _refuse(self, call: Any, code: Any, details: bytes) -> None:
        call.start_server_batch((self._head, _status(code, details), self._close), _DONE)


def _status(code: Any, details: bytes) -> Any:
    return cygrpc.SendStatusFromServerOperation(None, code, details, 0)
