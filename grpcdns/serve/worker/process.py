"""The worker process: answers on one address, from what the feed sends.

    python -m grpcdns.serve.worker RUNDIR NUMBER [LOG_FD BEAT_FD]

It never imports kubernetes. It is not ready (NOT_SERVING, and UNAVAILABLE to every query) until it
is synced or restored from a snapshot, and again while it drains. Without a feed it goes on
answering from what it knows.
"""

from __future__ import annotations

import gc
import logging
import signal
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from grpcdns.config.options import Config, UserError
from grpcdns.histogram import histogram
from grpcdns.serve import child_process, link
from grpcdns.serve.rundir import RunDir
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.serve.worker.later import Servicer
from grpcdns.serve.worker.receiver import Receiver
from grpcdns.serve.worker.transport import lane
from grpcdns.serve.worker.transport.contract import BUCKETS, AddressError, Pressure, Transport
from grpcdns.serve.worker.transport.health import Health
from grpcdns.serve.worker.transport.probe import Probe, new_message
from grpcdns.serve.worker.transport.server import Listeners
from grpcdns.serve.worker.transport.threads import Threads

if TYPE_CHECKING:
    import grpc

_log = logging.getLogger("grpcdns.serve.worker")

SWITCH_INTERVAL: Final = 0.0005
"""Seconds after which a computing thread must release the GIL to another."""
GRACE: Final = 6.0
"""Seconds that calls in flight have while draining: CoreDNS waits 5."""
MESSAGE_LIMIT: Final = 10.0
"""Seconds that a caller may take to send its message."""
SIGNALS: Final = frozenset({signal.SIGTERM, signal.SIGHUP})
"""What the main thread waits for. They are blocked in every thread, so that another SIGTERM while
it drains stays pending: some supervisors signal every process of a group or control group, ours
included."""
_HOUSEKEEPING: Final = 0.5
_COLLECT_EVERY: Final = 60


class WorkerProcess:
    """A worker's parts, from its start to its end."""

    def __init__(self, run: RunDir, number: int, config: Config, beat_fd: int | None) -> None:
        self._run = run
        self._config = config
        self._name = f"{link.WORKER}{number}"
        self._number = number
        self._draining = False
        self._frozen = False
        self._health = Health()
        message = new_message()
        self._answerer = Answerer(config.policy(), config.upstream, message)
        pressure = Pressure()
        listeners = Listeners(
            [config.listen[number]],
            self._health,
            private=run.probe(number),
            group=config.socket_group,
            credentials=_credentials(config),
        )
        self._transport = make_transport(
            config.transport, listeners, self._answerer.answer, pressure
        )
        self._receiver = Receiver(
            run.link, self._name, self._answerer, self._samples, self._update_health
        )
        self._heartbeat = child_process.Heartbeat(beat_fd)
        self._probe = Probe(run.probe(number), message, pressure, self._heartbeat.beat)

    def serve(self) -> int:
        """Run until SIGTERM, in the main thread; returns the exit code."""
        sys.setswitchinterval(SWITCH_INTERVAL)
        gc.disable()
        gc.collect()  # garbage of the imports; the index leaves none
        try:
            self._transport.start()
        except AddressError as error:
            self._heartbeat.refuse(str(error))
            return child_process.NO_ADDRESS
        self._probe.start()
        self._restore()
        self._receiver.start()
        for count in _forever():
            caught = signal.sigtimedwait(SIGNALS, _HOUSEKEEPING)
            if caught is None:
                self._keep_house(count)
            elif caught.si_signo == signal.SIGHUP:
                self._reload()
            else:
                break
        self._drain()
        return child_process.DRAINED

    def _restore(self) -> None:
        """Serve from the snapshot, if there is one and nothing ends us meanwhile."""
        if not self._config.snapshot:
            return
        from grpcdns.serve.worker.restored import restore

        for _ in restore(self._config, self._answerer, self._run.configured()):
            if signal.SIGTERM in signal.sigpending():
                return
        self._update_health()

    def _drain(self) -> None:
        """Take no new calls and finish those in flight."""
        self._draining = True
        self._update_health()
        _log.info("draining")
        self._probe.drain()
        self._transport.stop(GRACE)
        self._probe.stop()
        self._receiver.stop()
        self._answerer.stop()
        _log.info("drained")

    def _update_health(self) -> None:
        serving = self._answerer.synced and not self._draining
        if serving and not self._frozen:
            self._freeze()
        if not self._health.set(serving=serving) or self._draining:
            return
        if not serving:
            _log.warning("not serving: no complete state")
        elif self._answerer.restored:
            age = max(0.0, time.time() - self._answerer.restored)
            _log.warning("serving from a snapshot saved %.0f s ago, until the API answers", age)
        else:
            _log.info("serving")

    def _freeze(self) -> None:
        """What is in memory now stays: the garbage collector need not look at it again."""
        self._frozen = True
        gc.freeze()

    def _keep_house(self, count: int) -> None:
        self._transport.sweep(MESSAGE_LIMIT)
        self._answerer.expire()
        if count % _COLLECT_EVERY == 0:
            gc.collect(1)

    def _reload(self) -> None:
        config = child_process.read_config(self._run)
        child_process.start_log(self._name, config)
        self._answerer.set_policy(config.policy(), config.upstream)
        self._update_health()
        _log.info("configuration reloaded")

    def _samples(self) -> Iterator[tuple[str, str, float]]:
        stats = self._transport.stats
        yield "ready", "", self._health.serving
        yield "transport_info", f'transport="{self._transport.name}"', 1
        yield from histogram("dns_request_duration_seconds", BUCKETS, stats.buckets, stats.seconds)
        yield "grpc_unavailable_total", "", stats.unavailable
        yield "grpc_shed_total", "", stats.shed
        yield "grpc_broken_calls_total", "", stats.broken
        yield "grpc_deferred_calls", "", stats.open
        yield "probe_seconds", "", self._probe.latest
        yield from self._answerer.samples()


def _credentials(config: Config) -> grpc.ServerCredentials | None:
    if not config.tls_cert:
        return None
    from grpcdns.serve.worker.transport.tls import make_credentials

    return make_credentials(config)


def make_transport(
    choice: str, listeners: Listeners, answer: Servicer, pressure: Pressure
) -> Transport:
    """The transport that ``--transport`` asks for. Raises `UserError` if grpcio cannot do it."""
    missing = lane.check()
    if choice == "threads" or (choice == "auto" and missing):
        if missing and choice == "auto":
            _log.warning("grpcio has no %s: serving with --transport threads, slower", missing)
        return Threads(listeners, answer, pressure)
    if missing:
        raise UserError(f"--transport lane: this grpcio has no {missing}; use auto")
    return lane.Lane(listeners, answer, pressure)


def _forever() -> Iterator[int]:
    count = 0
    while True:
        count += 1
        yield count


def main() -> int:
    # Before grpcio starts its threads, which inherit the mask: a thread that does not block SIGTERM
    # would let it kill the process whenever the main thread is not waiting.
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    run, number = RunDir(sys.argv[1]), int(sys.argv[2])
    name = f"{link.WORKER}{number}"
    log_fd, beat_fd = child_process.given_fds(sys.argv[3:])

    def serve() -> int:
        config = child_process.read_config(run)
        child_process.start_log(name, config, log_fd)
        return WorkerProcess(run, number, config, beat_fd).serve()

    return child_process.main(name, serve, beat_fd)
