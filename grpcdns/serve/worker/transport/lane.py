"""The fast transport: one thread polls grpcio's completion queue, answers and sends.

Beware: this module, and no other, leans on grpcio's private API (`check` names every part of it),
because grpcio's public servers hand each call from thread to thread and reach a fifth of its
throughput. What is not ``Query`` is served by a public `grpc.server` on the same addresses. Its
thread is ours: it polls a queue that keeps the events of ``Query`` to itself. (Two threads that
poll wake each other for every other event.)

A call is three events of the queue: it came (ask for another such, start to receive its message);
its message came (answer it, send everything in one batch); it is over. Operations without content
are made once and shared by all calls.

Beware: an operation owns what it carries from the start of a batch to its event. One with content
(a message, a status with details) that two batches share is freed twice.

Stopping: once the server shuts down, asking for another call raises ValueError, what was asked for
comes back with success False, and grpcio's core ends every call that nobody has asked for yet. So
answers are held back for a moment while everything that has come is taken in; then the server
shuts down, the callers hear of it, and only then are the answers sent. The queue is polled until
the last call is over.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, Final

from grpcdns.serve.worker.later import Later, Servicer
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
from grpcdns.serve.worker.transport.server import Edge

try:
    from grpc import _server
    from grpc._cython import cygrpc
except ImportError:  # pragma: no cover - `check` says so
    cygrpc = _server = None  # type: ignore[assignment]

_log = logging.getLogger(__name__)

# Names of the hot path, looked up once.
_now: Final = time.perf_counter
_ReceiveMessage: Any = getattr(cygrpc, "ReceiveMessageOperation", None)
_SendMessage: Any = getattr(cygrpc, "SendMessageOperation", None)

_OUTSTANDING: Final = 128
"""Calls asked for ahead of their coming. A burst that finds enough of them costs a tenth less than
one that waits in grpcio's core, with 128 than with 16; more does not make it faster."""
_REQUESTED: Final = "requested"
_DONE: Final = "done"
"""Tags of events. A Call is one whose message is awaited; a tuple is (call, octets of its answer)
that is being sent; what is none of these is the public server's."""
MAX_OPEN: Final = 4096
MAX_UNSENT: Final = 128 << 20
"""Calls that may be open at once (each costs 15 KB), and octets of replies that callers do not
take. Beyond that the oldest are cancelled: an honest call is over in no time."""
_SMALL: Final = 1232
"""Replies of this size are sent whatever the others do."""
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
"""What the lane looks for in, and puts into, the public server's state."""


def check() -> str | None:
    """The first private name of grpcio that is not as it was tested; None when all are there."""
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


def _queue(
    came: Callable[[Any], None],
    received: Callable[[Any, Any], None],
    over: Callable[[Any, int], None],
) -> Any:
    """A queue for grpcio's server to poll, that gives it what is not ours."""
    awaited = cygrpc.Call

    class Queue(cygrpc.CompletionQueue):  # type: ignore[misc, unused-ignore]
        def poll(self, deadline: float | None = None) -> Any:
            poll = super().poll
            while True:
                event = poll(deadline)
                tag = event.tag
                try:
                    if tag is _REQUESTED:
                        if event.success:
                            came(event.call)
                    elif type(tag) is awaited:
                        received(tag, event)
                    elif type(tag) is tuple:
                        over(*tag)
                    elif tag is not _DONE:
                        return event
                except Exception:
                    _log.exception("the lane could not serve a call")
                # An event keeps its call alive: let go of it before waiting for the next.
                event = tag = None

    return Queue()


class Lane:
    """`Transport` on the public server's thread, which polls, answers and sends."""

    name = "lane"

    def __init__(self, edge: Edge, answer: Servicer, pressure: Pressure) -> None:
        self.stats = Stats()
        self._edge = edge
        self._answer = answer
        self._pressure = pressure
        self._server = edge.build(())
        self._started = False
        state: Any = self._server._state  # type: ignore[attr-defined]
        self._core = state.server
        self._core.register_method(QUERY)
        self._queue = state.completion_queue = _queue(self._came, self._received, self._over)
        self._core.register_completion_queue(self._queue)
        self._open: dict[Any, float] = {}
        """The calls under way, oldest first, and when each came."""
        self._unsent = 0
        """Octets of replies that are being sent."""
        self._held: list[tuple[Any, bytes]] | None = None
        """While stopping: calls that are answered when the callers know of it."""
        no_flags = 0
        head = cygrpc.SendInitialMetadataOperation(None, no_flags)
        close = cygrpc.ReceiveCloseOnServerOperation(no_flags)
        self._head, self._close = head, close
        self._ok = _status(cygrpc.StatusCode.ok, b"")

    def start(self) -> None:
        self._edge.bind(self._server)
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

    def _came(self, call: Any) -> None:
        """A call is here. Ask for another such first: it may be waiting already."""
        try:
            self._core.request_registered_call(self._queue, self._queue, QUERY, _REQUESTED)
        except ValueError:  # the server is stopping
            pass
        now = _now()
        pressure, under_way = self._pressure, self._open
        if (pressure.sent and pressure.high(now)) or (
            len(under_way) >= MAX_OPEN and not self._make_room(now)
        ):
            self.stats.shed += 1
            self._refuse(call, cygrpc.StatusCode.unavailable, NOT_NOW)
            return
        under_way[call] = now
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
        """A reply is sent, or its caller is gone."""
        self._unsent -= size
        self._open.pop(call, None)

    def _received(self, call: Any, event: Any) -> None:
        """A call's message is here, or will never be."""
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
        """Leave the call open; whoever has the reply sends it, from a thread of their own."""
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
            send = _SendMessage(to_wire(reply), 0)
            call.start_server_batch((self._head, send, self._ok, self._close), (call, 0))

    def _refuse(self, call: Any, code: Any, details: bytes) -> None:
        call.start_server_batch((self._head, _status(code, details), self._close), _DONE)


def _status(code: Any, details: bytes) -> Any:
    return cygrpc.SendStatusFromServerOperation(None, code, details, 0)
