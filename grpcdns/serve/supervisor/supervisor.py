"""``grpcdns serve``: starts the feed and a worker for each address, and keeps them running.

    code = run(config, reload)

It restarts a child that died, after a jittered delay if it died young. It kills a child that gives
no heartbeat: CoreDNS has no health check, and a frozen worker would cost it 5 s a query. SIGTERM
and SIGINT drain the workers, then end the feed. While they drain, further SIGTERMs are ignored
(`timeout`, an init or a service manager may signal a process more than once), and a second SIGINT
kills them. SIGHUP, and a change of the configuration file, reload the options that can be reloaded.
A child that cannot start because of the user's options ends everything with its line and exit code
2. An address that cannot be bound is no such reason while another worker has one: it is retried.

It loads little and serves nothing, so that it neither dies nor grows.
"""

from __future__ import annotations

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from grpcdns import log
from grpcdns.config.options import Config
from grpcdns.serve.child_process import NO_ADDRESS, USER_ERROR
from grpcdns.serve.rundir import ProcessState, RunDir, Supervision
from grpcdns.serve.supervisor.child import Child
from grpcdns.serve.supervisor.reload import Options
from grpcdns.serve.supervisor.start_lines import log_start
from grpcdns.serve.supervisor.stderr import Stderr

_log = logging.getLogger(__name__)

TICK: Final = 0.1
WORKER_SILENCE: Final = 0.6
"""Seconds. A worker's heartbeat comes every 0.15 s, through its serving path."""
FEED_SILENCE: Final = 5.0
"""Seconds. The feed may be busy with a large list, and no answer waits for it."""
START_GRACE: Final = 20.0
DRAIN: Final = 8.0
"""Seconds that the workers have to drain (`worker.process.GRACE` and a little)."""
FEED_STOP: Final = 5.0
_KEY_PRESS: Final = 0.1
"""Seconds within which SIGINTs come from one key press: an init may relay the terminal's signal."""


def run(config: Config, reload: Callable[[], Config] | None = None, file: str = "") -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. ``reload`` reads the options again,
    ``file`` is the configuration file to watch ("" for none)."""
    log.start("supervisor", config.log_level, config.log_format)
    log_start(config)
    folder = RunDir.make()
    try:
        folder.write_config(config)
        return Supervisor(folder, config, reload, file).run()
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):  # one more must not change the exit code
            signal.signal(number, signal.SIG_IGN)
        folder.remove()


class Supervisor:
    """One loop over signals and the children's heartbeats."""

    def __init__(
        self, folder: RunDir, config: Config, reload: Callable[[], Config] | None, file: str
    ) -> None:
        self._folder = folder
        self._options = Options(config, reload, file)
        self._signals: list[int] = []
        self._interrupted = 0.0
        """When the first SIGINT came (`time.monotonic`); 0.0: none has."""
        self._since = time.time()
        self._code = 0
        self._why: tuple[str, ...] = ()
        """Why it ends with ``USER_ERROR``: the last lines of the log."""
        self._selector = selectors.DefaultSelector()
        path = str(folder.path)
        log_fd = _inheritable_stderr()
        self._feed = Child(
            "feed",
            "grpcdns.serve.feed",
            (path,),
            silence=FEED_SILENCE,
            grace=60.0,
            log_fd=log_fd,
            fork=True,
        )
        self._workers = [
            Child(
                f"worker-{number}",
                "grpcdns.serve.worker",
                (path, str(number)),
                silence=WORKER_SILENCE,
                grace=START_GRACE,
                log_fd=log_fd,
                fork=True,
            )
            for number in range(len(config.listen))
        ]
        self._children = [self._feed, *self._workers]

    def run(self) -> int:
        reader, writer = socket.socketpair()
        for end in (reader, writer):
            end.setblocking(False)
        self._selector.register(reader, selectors.EVENT_READ, None)
        signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._note_signal)
        try:
            for child in self._children:
                self._start(child)
            self._write_processes()
            self._supervise(reader)
            self._end()
            for why in self._why:
                log.fail(why)
        finally:
            for child in self._children:
                child.send(signal.SIGKILL)
            signal.set_wakeup_fd(-1)
            self._selector.close()
            reader.close()
            writer.close()
        return self._code

    # -- while all is well

    def _supervise(self, woken: socket.socket) -> None:
        """Until a signal or a child ends it."""
        while True:
            self._turn(woken, TICK)
            for number in self._take_signals():
                if number == signal.SIGHUP:
                    self._reload()
                elif number != signal.SIGCHLD:
                    self._interrupted = time.monotonic() if number == signal.SIGINT else 0.0
                    _log.info("%s: draining", signal.Signals(number).name)
                    return
            if not self._reap_and_restart():
                return
            for child in self._children:
                if child.pid and (why := child.frozen(time.monotonic())):
                    _log.warning("%s %s: killed", child.name, why)
                    child.send(signal.SIGKILL)
                    child.forgive()
            if self._options.has_changed():
                self._reload()

    def _turn(self, woken: socket.socket, timeout: float) -> None:
        """Wait for heartbeats and signals, ``timeout`` seconds at most."""
        began = time.monotonic()
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                try:
                    woken.recv(4096)
                except BlockingIOError:
                    pass
            else:
                key.data()
        if time.monotonic() - began > timeout + 0.25:  # we got no CPU ourselves, or were frozen
            for child in self._children:
                child.forgive()

    def _reap_and_restart(self) -> bool:
        """Restart what has died; returns whether to go on."""
        now, changed = time.monotonic(), False
        for child in self._children:
            code = self._reap(child)
            if code is not None:
                changed = True
                if code == USER_ERROR and not child.was_up:
                    self._code, self._why = code, (child.refusal,)
                    return False
                if code == NO_ADDRESS and self._has_no_address():
                    self._code = USER_ERROR
                    return False
                refused = code in (NO_ADDRESS, USER_ERROR) and child.refusal
                why = refused or _how(code)
                _log.warning("%s %s: restarted in %.1f s", child.name, why, child.plan_restart())
            if not child.pid and now >= child.due:
                changed = True
                self._start(child)
        if changed:
            self._write_processes()
        return True

    def _has_no_address(self) -> bool:
        """Whether every worker's address was refused, and none has ever served: one line each."""
        if any(worker.was_up or not worker.refusal for worker in self._workers):
            return False
        self._why = tuple(worker.refusal for worker in self._workers)
        return True

    def _reap(self, child: Child) -> int | None:
        fds = (child.beat_fd, child.stderr.fd if child.stderr else -1)
        code = child.reap()
        if code is not None:
            for fd in fds:
                self._forget(fd)
        return code

    def _start(self, child: Child) -> None:
        try:
            child.start()
        except OSError as error:
            _log.error("%s cannot be started: %s", child.name, error)
            child.plan_restart()
            return
        self._selector.register(child.beat_fd, selectors.EVENT_READ, child.hear)
        if child.stderr is not None:
            self._selector.register(
                child.stderr.fd, selectors.EVENT_READ, partial(self._relay, child.stderr)
            )

    def _relay(self, stderr: Stderr) -> None:
        if not stderr.read():
            self._forget(stderr.fd)

    def _forget(self, fd: int) -> None:
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            pass

    def _write_processes(self) -> None:
        processes = {
            child.name: ProcessState(child.pid, child.restarts, child.since)
            for child in self._children
        }
        processes["supervisor"] = ProcessState(os.getpid(), 0, self._since)
        self._folder.write_supervision(
            Supervision(processes, self._options.successful, self._options.since)
        )

    # -- signals

    def _note_signal(self, number: int, _frame: object) -> None:
        self._signals.append(number)

    def _take_signals(self) -> list[int]:
        taken, self._signals = self._signals, []
        return taken

    def _reload(self) -> None:
        """The options, the log, and the children that have started."""
        reloaded = self._options.reload()
        self._write_processes()
        if not reloaded:
            return
        config = self._options.config
        self._folder.write_config(config)
        log.start("supervisor", config.log_level, config.log_format)
        for child in self._children:
            if child.was_up:
                child.send(signal.SIGHUP)

    # -- the end

    def _end(self) -> None:
        """Drain the workers, then end the feed; kill what takes too long."""
        for children, patience in ((self._workers, DRAIN), ([self._feed], FEED_STOP)):
            for child in children:
                child.send(signal.SIGTERM)
            if not self._wait(children, time.monotonic() + patience):
                for child in children:
                    if child.pid:
                        _log.warning("%s did not end: killed", child.name)
                        child.send(signal.SIGKILL)
                self._wait(children, time.monotonic() + 1.0)

    def _wait(self, children: list[Child], deadline: float) -> bool:
        """Whether all have ended by the deadline, or before a second SIGINT."""
        while any(child.pid for child in children):
            for child in children:
                self._reap(child)
            if self._is_interrupted_again() or time.monotonic() >= deadline:
                return not any(child.pid for child in children)
            for key, _ in self._selector.select(0.02):
                if key.data is None:
                    os.read(key.fd, 4096)
                else:
                    key.data()
        return True

    def _is_interrupted_again(self) -> bool:
        if signal.SIGINT not in self._take_signals():
            return False
        now = time.monotonic()
        self._interrupted = self._interrupted or now
        return now - self._interrupted > _KEY_PRESS


def _inheritable_stderr() -> int:
    """A copy of our stderr: a child's fd 2 is a pipe."""
    try:
        fd = os.dup(log.STDERR)
    except OSError:  # it was closed before we started
        fd = os.open(os.devnull, os.O_WRONLY)
    os.set_inheritable(fd, True)
    return fd


def _how(code: int) -> str:
    return f"died of {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"
