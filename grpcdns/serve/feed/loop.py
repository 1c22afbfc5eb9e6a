"""The feed's main loop: new workers, sockets that did not take everything, timers, signals.

One thread and one selector. What the source's threads could not send at once (`Subscriber.pending`)
is sent from here when the socket takes bytes again.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from grpcdns.serve import link
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.subscriber import Subscriber

_log = logging.getLogger(__name__)

TICK: Final = 0.2
"""Seconds between heartbeats; timers are no finer."""
MAX_PEERS: Final = 64


class FeedLoop:
    """``tick`` is called every `TICK` seconds; a signal calls what ``signals`` says for it."""

    def __init__(self, path: str, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._selector = selectors.DefaultSelector()
        self._running = True
        self.turned = time.monotonic()
        """When the loop was last seen to turn."""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._fanout: Broadcast | None = None
        self._reports: dict[int, dict[str, link.Report]] = {}
        self._reported = threading.Condition()
        self._asked = 0
        self._peers: dict[int, Subscriber] = {}
        self._listener = _listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._woken)

    def serve(self, fanout: Broadcast, signals: dict[signal.Signals, Callable[[], None]]) -> None:
        """Until `stop`; in the main thread, for it takes the signals."""
        self._fanout = fanout
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        for number in signals:
            signal.signal(number, lambda caught, _frame: signals[signal.Signals(caught)]())
        due = time.monotonic()
        while self._running:
            self.turned = time.monotonic()
            for key, events in self._selector.select(max(0.0, due - time.monotonic())):
                key.data(events)
            self._flush()
            if time.monotonic() >= due:
                due = time.monotonic() + TICK
                self._tick()
        signal.set_wakeup_fd(-1)
        self.close()

    def stop(self) -> None:
        """From a signal handler or any thread."""
        self._running = False
        self.wake()

    def wake(self) -> None:
        """From any thread: a peer has something to send."""
        try:
            self._wake_writer.send(b"\0")
        except OSError:
            pass  # it is awake already, or closed

    def reports(self, timeout: float) -> dict[str, link.Report]:
        """The numbers of every worker that gives them in time, by its name; from any thread."""
        fanout = self._fanout
        if fanout is None:
            return {}
        with self._reported:
            self._asked += 1
            number = self._asked
            found: dict[str, link.Report] = {}
            self._reports[number] = found
        frame = link.to_frame(link.Ask(number))
        for peer in list(fanout.peers):
            fanout.push(peer, frame)
        with self._reported:
            self._reported.wait_for(
                lambda: {peer.name for peer in list(fanout.peers)} <= found.keys(), timeout
            )
            del self._reports[number]
            return dict(found)

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if self._fanout is None or len(self._peers) >= MAX_PEERS:
            sock.close()
            return
        sock.setblocking(False)
        peer = Subscriber(sock, self._fanout.store)
        self._peers[sock.fileno()] = peer
        self._selector.register(sock, selectors.EVENT_READ, self._serve_peer(peer))

    def _serve_peer(self, peer: Subscriber) -> Callable[[int], None]:
        def act(events: int) -> None:
            if events & selectors.EVENT_READ:
                self._read(peer)

        return act

    def _read(self, peer: Subscriber) -> None:
        try:
            data = peer.sock.recv(1 << 16)
            if not data:
                raise link.LinkError("gone")
            for message in peer.reader.feed(data):
                self._take(peer, message)
        except BlockingIOError:
            return
        except (OSError, link.LinkError) as error:
            self._drop(peer, error)

    def _take(self, peer: Subscriber, message: link.Message) -> None:
        assert self._fanout is not None  # noqa: S101 - peers are accepted with it only
        if isinstance(message, link.Hello):
            if peer.name:
                raise link.LinkError("says Hello twice")
            if message.version != link.VERSION:
                raise link.LinkError(f"speaks version {message.version}, not {link.VERSION}")
            peer.name, peer.live = message.name, message.live
            self._fanout.join(peer)
        elif isinstance(message, link.Report):
            with self._reported:
                found = self._reports.get(message.number)
                if found is not None:
                    found[peer.name] = message
                    self._reported.notify_all()
        else:
            raise link.LinkError(f"a worker does not say {type(message).__name__}")

    def _flush(self) -> None:
        """Send what can be sent, and wait for the sockets that take no more."""
        for peer in list(self._peers.values()):
            assert self._fanout is not None  # noqa: S101
            with self._fanout.lock:
                try:
                    if peer.pending:
                        peer.flush()
                except OSError as error:
                    gone: Exception | None = error
                else:
                    gone = None
                waits = peer.pending
            if gone is not None:
                self._drop(peer, gone)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            key = self._selector.get_key(peer.sock)
            if key.events != events:
                self._selector.modify(peer.sock, events, key.data)

    def _drop(self, peer: Subscriber, why: Exception) -> None:
        assert self._fanout is not None  # noqa: S101
        if self._peers.pop(peer.sock.fileno(), None) is None:
            return
        self._fanout.leave(peer)
        self._selector.unregister(peer.sock)
        peer.sock.close()
        if peer.name:
            _log.info("%s has hung up: %s", peer.name, why)
        else:
            _log.warning("a connection that was no worker: %s", why)

    def _woken(self, _events: int) -> None:
        try:
            self._wake_reader.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Let go of every socket; `serve` does so at its end."""
        for peer in self._peers.values():
            peer.sock.close()
        for sock in (self._listener, self._wake_reader, self._wake_writer):
            sock.close()
        self._selector.close()


def _listen(path: str) -> Any:
    """The folder is private, so a socket that is there is that of a feed that died."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    sock.bind(path)
    os.chmod(path, 0o600)  # nobody can connect before listen()
    sock.listen(16)
    sock.setblocking(False)
    return sock
