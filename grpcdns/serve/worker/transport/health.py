"""``grpc.health.v1.Health``: Check, List and Watch, with its four short messages by hand.

A worker is asked for its health all day long and needs no more of protobuf than these bytes.
Watch is handled without a thread of its own for each watcher.
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
    """The health of the whole server and of its one service, which are the same."""

    def __init__(self, *, serving: bool = False) -> None:
        self._lock = threading.Lock()
        self._status = SERVING if serving else NOT_SERVING
        self._watchers: set[Send] = set()
        # What grpcio looks for to serve a stream without keeping a thread for it.
        self._watch.__func__.experimental_non_blocking = True  # type: ignore[attr-defined]

    @property
    def serving(self) -> bool:
        return self._status is SERVING

    @property
    def watchers(self) -> int:
        """How many are told of changes."""
        return len(self._watchers)

    def set(self, *, serving: bool) -> bool:
        """Tell every watcher; whether it was a change."""
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
        """The state now, then each change, until the caller goes."""
        blocking = None
        if send is None:  # a grpcio that keeps a thread for each stream
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
    """The latest state not yet seen, as an iterator that waits for it."""

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
    """HealthCheckRequest { string service = 1; }: the whole server, or its service."""
    return from_wire(request) in (b"", SERVICE.encode())
