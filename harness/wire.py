"""A TCP forwarder between a client and a server that can be cut, or can hold everything back."""

from __future__ import annotations

import selectors
import socket
import threading
from typing import Self

from harness.ports import Address, free_address


class Wire:
    """Forwards connections to ``target``. ``cut()`` closes them and refuses new ones; ``hold()``
    passes nothing and closes nothing, as on a half-open connection; ``mend()`` undoes both."""

    def __init__(self, target: Address) -> None:
        self.address = free_address()
        self._target = target
        self._selector = selectors.DefaultSelector()
        self._peers: dict[socket.socket, socket.socket] = {}
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._held = False
        self._ended = False
        self._wake, self._woken = socket.socketpair()
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def cut(self) -> None:
        with self._lock:
            self._close_listener()
            for one in list(self._peers):
                self._drop(one)

    def hold(self) -> None:
        with self._lock:
            self._held = True

    def mend(self) -> None:
        """Passes everything again, and accepts connections."""
        with self._lock:
            self._held = False
            if self._listener is None:
                self._listener = socket.create_server(tuple(self.address), reuse_port=False)
                self._selector.register(self._listener, selectors.EVENT_READ)
        self._wake.send(b"!")

    def __enter__(self) -> Self:
        self.mend()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended = True
        self._wake.send(b"!")
        self._thread.join()
        self.cut()
        for one in (self._wake, self._woken):
            one.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._ended:
            ready = [key.fileobj for key, _ in self._selector.select(0.05)]
            with self._lock:
                for one in ready:
                    if isinstance(one, socket.socket):
                        self._serve(one)

    def _serve(self, ready: socket.socket) -> None:
        if ready is self._woken:
            ready.recv(64)
        elif ready is self._listener:
            self._accept(ready)
        elif not self._held and ready in self._peers:
            self._pass_on(ready)

    def _accept(self, listener: socket.socket) -> None:
        client, _ = listener.accept()
        try:
            server = socket.create_connection((self._target.host, self._target.port), 1.0)
        except OSError:
            client.close()
            return
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        try:
            data = source.recv(65536)
            if data:
                self._peers[source].sendall(data)
                return
        except OSError:
            pass
        self._drop(source)

    def _drop(self, one: socket.socket) -> None:
        other = self._peers.pop(one, None)
        if other is None:
            return
        self._peers.pop(other, None)
        for end in (one, other):
            self._selector.unregister(end)
            end.close()

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
