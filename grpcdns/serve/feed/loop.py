"""The feed's main loop: new workers, sockets that did not accept everything, timers, signals.

One thread and one selector. What the source's threads could not send at once (`Subscriber.pending`)
is sent from here when the socket accepts bytes again.
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
from typing import Final

from grpcdns.serve import link
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.subscriber import Subscriber

_log = logging.getLogger(__name__)

TICK: Final = 0.2
"""Seconds between heartbeats, and the resolution of every timer."""
MAX_SUBSCRIBERS: Final = 64


class FeedLoop:
    """``path`` is the link's socket; ``tick`` is called every `TICK` seconds."""

    def __init__(self, path: str, tick: Callable[[], None]) -> None:
        self._tick = tick
        self._selector = selectors.DefaultSelector()
        self._running = True
        self.turned = time.monotonic()
        """When the loop last turned (`time.monotonic`)."""
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        self._broadcast: Broadcast | None = None
        self._reports: dict[int, dict[str, link.Report]] = {}
        self._reported = threading.Condition()
        self._asked = 0
        self.on_status: Callable[[Subscriber], None] | None = None
        """Called with who asks for the status, in the loop's thread."""
        self._subscribers: dict[int, Subscriber] = {}
        self._listener = _listen(path)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(self._wake_reader, selectors.EVENT_READ, self._woken)

    def serve(
        self, broadcast: Broadcast, signals: dict[signal.Signals, Callable[[], None]]
    ) -> None:
        """Run until `stop`, in the main thread. ``signals`` says what each signal calls."""
        self._broadcast = broadcast
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
        """Something is queued for a subscriber; from any thread."""
        try:
            self._wake_writer.send(b"\0")
        except OSError:
            pass  # already awake, or closed

    def reports(self, timeout: float, names: int = 0) -> dict[str, link.Report]:
        """The Reports of the workers that answer within ``timeout`` seconds, by name; from any
        thread but the loop's. ``names`` as in `link.Ask`."""
        broadcast = self._broadcast
        if broadcast is None:
            return {}
        with self._reported:
            self._asked += 1
            number = self._asked
            found: dict[str, link.Report] = {}
            self._reports[number] = found
        frame = link.to_frame(link.Ask(number, names))
        for subscriber in broadcast.workers():
            broadcast.push(subscriber, frame)
        with self._reported:
            self._reported.wait_for(
                lambda: {subscriber.name for subscriber in broadcast.workers()} <= found.keys(),
                timeout,
            )
            del self._reports[number]
            return dict(found)

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except OSError:
            return
        if self._broadcast is None or len(self._subscribers) >= MAX_SUBSCRIBERS:
            sock.close()
            return
        sock.setblocking(False)
        subscriber = Subscriber(sock, self._broadcast.store)
        self._subscribers[sock.fileno()] = subscriber
        self._selector.register(sock, selectors.EVENT_READ, self._on_event(subscriber))

    def _on_event(self, subscriber: Subscriber) -> Callable[[int], None]:
        def act(events: int) -> None:
            if events & selectors.EVENT_READ:
                self._read(subscriber)

        return act

    def _read(self, subscriber: Subscriber) -> None:
        try:
            data = subscriber.sock.recv(1 << 16)
            if not data:
                raise link.LinkError("it closed the connection")
            for message in subscriber.reader.feed(data):
                self._take(subscriber, message)
        except BlockingIOError:
            return
        except (OSError, link.LinkError) as error:
            self._drop(subscriber, error)

    def _take(self, subscriber: Subscriber, message: link.Message) -> None:
        assert self._broadcast is not None  # noqa: S101 - nothing is accepted before
        if isinstance(message, link.Hello):
            if subscriber.name:
                raise link.LinkError("a second Hello")
            if message.version != link.VERSION:
                raise link.LinkError(f"protocol version {message.version}, not {link.VERSION}")
            subscriber.name, subscriber.live = message.name, message.live
            self._broadcast.join(subscriber)
        elif isinstance(message, link.GuardAsk):
            self._broadcast.answer_guard(subscriber, message)
        elif isinstance(message, link.StatusAsk) and self.on_status is not None:
            subscriber.asked = True
            self.on_status(subscriber)
        elif isinstance(message, link.Report):
            with self._reported:
                found = self._reports.get(message.number)
                if found is not None:
                    found[subscriber.name] = message
                    self._reported.notify_all()
        else:
            raise link.LinkError(f"a worker does not send {type(message).__name__}")

    def _flush(self) -> None:
        """Send what can be sent, and watch the sockets that accept no more."""
        for subscriber in list(self._subscribers.values()):
            assert self._broadcast is not None  # noqa: S101
            with self._broadcast.lock:
                try:
                    if subscriber.pending:
                        subscriber.flush()
                except OSError as error:
                    gone: Exception | None = error
                else:
                    gone = None
                waits = subscriber.pending
            if gone is not None:
                self._drop(subscriber, gone)
                continue
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if waits else 0)
            key = self._selector.get_key(subscriber.sock)
            if key.events != events:
                self._selector.modify(subscriber.sock, events, key.data)

    def _drop(self, subscriber: Subscriber, why: Exception) -> None:
        assert self._broadcast is not None  # noqa: S101
        if self._subscribers.pop(subscriber.sock.fileno(), None) is None:
            return
        self._broadcast.leave(subscriber)
        self._selector.unregister(subscriber.sock)
        subscriber.sock.close()
        if subscriber.is_worker:
            _log.info("%s has disconnected: %s", subscriber.name, why)
        elif subscriber.name:
            _log.debug("%s has read the lists", subscriber.name)
        elif not subscriber.asked:
            _log.warning("a connection to the link that was no worker: %s", why)

    def _woken(self, _events: int) -> None:
        try:
            self._wake_reader.recv(4096)
        except BlockingIOError:
            pass

    def close(self) -> None:
        """Close every socket; `serve` ends with it."""
        for subscriber in self._subscribers.values():
            subscriber.sock.close()
        for sock in (self._listener, self._wake_reader, self._wake_writer):
            sock.close()
        self._selector.close()


def _listen(path: str) -> socket.socket:
    """The folder is private, so a socket that exists is left from a feed that died."""
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
