"""``grpc.health.v1.Health``: Check, List and Watch, with their four short messages as octets.

A worker is asked for its health all the time and needs no more of protobuf than these octets. A
watcher takes no thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc

from grpcdns.serve.worker.transport.contract import SERVICE
from grpcdns.serve.worker.transport.packet import from_wire, to_wire

NAME: Final = "grpc.health.v1.Health"

SERVING: Final = b"\x08\x01"
NOT_SERVING: Final = b"\x08\x02"
SERVICE_UNKNOWN: Final = b"\x08\x03"
"""HealthCheckResponse { ServingStatus status = 1; }"""

Send = Callable[[bytes | None], None]


class Health:
    """The health of the server, and of its one service: they are the same."""

    def __init__(self, *, serving: bool = False) -> None:
        self._lock = threading.Lock()
        self._status = SERVING if serving else NOT_SERVING
        self._watchers: set[Send] = set()
        # grpcio serves a stream whose handler has this attribute without holding a thread for it.
        self._watch.__func__.experimental_non_blocking = True  # type: ignore[attr-defined]

    @property
    def serving(self) -> bool:
        return self._status is SERVING

    def set(self, *, serving: bool) -> bool:
        """Set the status and notify every watcher; returns whether it was a change."""
        status = SERVING if serving else NOT_SERVING
        with self._lock:
            if status is self._status:
                return False
            self._status = status
            watchers = list(self._watchers)
            for send in watchers:
                send(status)
        return True

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """For `grpc.server`; requests and responses are raw bytes."""
        return grpc.method_handlers_generic_handler(
            NAME,
            {
                "Check": grpc.unary_unary_rpc_method_handler(self._check),
                "List": grpc.unary_unary_rpc_method_handler(self._list),
                "Watch": grpc.unary_stream_rpc_method_handler(self._watch),
            },
        )

    def _check(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        if not _is_ours(request):
            context.set_code(grpc.StatusCode.NOT_FOUND)
            context.set_details("unknown service")
            return b""
        return self._status

    def _list(self, _request: bytes, _context: grpc.ServicerContext) -> bytes:
        """HealthListResponse { map<string, HealthCheckResponse> statuses = 1; }"""
        status = b"\x12" + to_wire(self._status)[1:]
        return b"".join(to_wire(to_wire(name) + status) for name in (b"", SERVICE.encode()))

    def _watch(
        self, request: bytes, context: grpc.ServicerContext, send: Send | None = None
    ) -> Iterator[bytes] | None:
        """The status now, then each change, until the caller hangs up."""
        blocking = None
        if send is None:  # this grpcio holds a thread for each stream
            blocking = _Queue()
            send = blocking.put
        with self._lock:
            if _is_ours(request):
                send(self._status)
                self._watchers.add(send)
            else:
                send(SERVICE_UNKNOWN)
        if not context.add_callback(lambda: self._forget(send)):
            self._forget(send)
        return blocking

    def _forget(self, send: Send) -> None:
        with self._lock:
            self._watchers.discard(send)
        send(None)


class _Queue:
    """Statuses not sent yet, as an iterator that waits for the next."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._items: list[bytes | None] = []

    def put(self, item: bytes | None) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify()

    def __iter__(self) -> Iterator[bytes]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._items)
                item = self._items.pop(0)
            if item is None:
                return
            yield item

    def __next__(self) -> bytes:  # pragma: no cover - grpcio iterates over iter()
        return next(iter(self))


def _is_ours(request: bytes) -> bool:
    """Whether a HealthCheckRequest { string service = 1; } is for the server or its service."""
    return from_wire(request) in (b"", SERVICE.encode())
