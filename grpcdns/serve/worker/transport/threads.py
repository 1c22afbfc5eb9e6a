"""The fallback transport: ``Query`` by grpcio's public server and its thread pool, on raw bytes.

Beware: grpcio holds a thread for each call whose message has not come yet. Callers that leave as
many calls open as there are threads block this worker until it is restarted; the lane has no such
limit.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

import grpc

from grpcdns.serve.worker.later import Later, Servicer, Uncounted
from grpcdns.serve.worker.transport.contract import (
    HEARD,
    NOT_NOW,
    QUERY,
    Pressure,
    Stats,
    quiet,
)
from grpcdns.serve.worker.transport.packet import from_wire, to_wire
from grpcdns.serve.worker.transport.server import Listeners

_log = logging.getLogger(__name__)

_THREADS: Final = 64
"""Few of them work at a time: the others wait for a message or for the upstream (`Later`)."""
_UPSTREAM_LIMIT: Final = 10.0
"""Seconds. No `Later` takes as long; a limit for what a fault can hold up."""


class _Handler(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Finds ``Query``, and counts its calls."""

    def __init__(self, method: grpc.RpcMethodHandler[bytes, bytes]) -> None:
        self.arrived = 0
        self._method = method

    def service(
        self, details: grpc.HandlerCallDetails
    ) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        if details.method != QUERY:
            return None
        self.arrived += 1
        return self._method


class Threads:
    """`Transport` over public API only."""

    name = "threads"

    def __init__(self, listeners: Listeners, answer: Servicer, pressure: Pressure) -> None:
        self.stats = Stats()
        self._listeners = listeners
        self._answer = answer
        self._pressure = pressure
        self._handler = _Handler(grpc.unary_unary_rpc_method_handler(self._query))
        self._server = listeners.server((self._handler,), _THREADS)
        self._started = False
        self._open = threading.Event()
        self._open.set()

    def start(self) -> None:
        self._listeners.bind(self._server)
        self._server.start()
        self._started = True

    def stop(self, grace: float) -> None:
        if not self._started:
            return
        # As the lane does: hold answers back until every call that has come is accepted.
        self._open.clear()
        quiet(lambda: self._handler.arrived)
        over = self._server.stop(grace)
        time.sleep(HEARD)
        self._open.set()
        over.wait()

    def sweep(self, limit: float) -> int:
        """Nothing: grpcio waits for messages by itself, and does not show for which calls."""
        del limit
        return 0

    def _query(self, raw: bytes, context: grpc.ServicerContext) -> bytes:
        came = time.perf_counter()
        if self._pressure.high(came) and raw != self._pressure.packet:
            self.stats.shed += 1
            _not_now(context)
        try:
            reply = self._answer(from_wire(raw) or b"")
        except Exception:
            _log.exception("a query could not be answered")
            reply = None
        if isinstance(reply, Later):
            reply = self._wait(reply)
        self._open.wait()
        if not isinstance(reply, Uncounted):
            self.stats.took(time.perf_counter() - came)
        if reply is None:
            self.stats.unavailable += 1
            _not_now(context)
        return to_wire(reply)  # type: ignore[arg-type, unused-ignore]

    def _wait(self, later: Later) -> bytes | None:
        replies: list[bytes | None] = []
        done = threading.Event()

        def take(reply: bytes | None) -> None:
            replies.append(reply)
            done.set()

        self.stats.open += 1
        later.then(take)
        done.wait(_UPSTREAM_LIMIT)
        self.stats.open -= 1
        return replies[0] if replies else None


def _not_now(context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, NOT_NOW.decode())
