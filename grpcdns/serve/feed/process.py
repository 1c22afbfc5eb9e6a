"""The feed process: source, `Broadcast`, `FeedLoop`, snapshots and metrics, put together.

    python -m grpcdns.serve.feed RUNDIR [LOG_FD BEAT_FD]

What only people and Prometheus look at is loaded once the source has been started, while the API
makes its first list. It never imports grpc. When it dies the workers go on answering; its successor
resyncs them.
"""

from __future__ import annotations

import logging
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from grpcdns.config.options import Config, UserError
from grpcdns.serve import child_process, timeslice
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.loop import FeedLoop
from grpcdns.serve.feed.snapshots import Snapshots
from grpcdns.serve.rundir import RunDir
from grpcdns.source.make import Source, make_source

if TYPE_CHECKING:
    from grpcdns.serve.feed.http import HttpServer
    from grpcdns.serve.feed.networks import ServiceNetworks
    from grpcdns.serve.feed.status import StatusKeeper

_log = logging.getLogger("grpcdns.serve.feed")


class FeedProcess:
    """The feed's parts, from its start to its end."""

    def __init__(self, run: RunDir, config: Config, beat_fd: int | None) -> None:
        self._run = run
        self._config = config
        self._began = time.monotonic()
        self._warned = self._synced = False
        self._started = False
        self._refused: UserError | None = None
        self._heartbeat = child_process.Heartbeat(beat_fd)
        self._source: Source = make_source(config)
        self._loop = FeedLoop(run.link, self._tick)
        self._broadcast = Broadcast(
            config.policy(),
            self._loop.wake,
            guard=(config.guard, config.guard_max),
            hold_empty=config.hold_empty,
        )
        self._snapshots = Snapshots(config, self._broadcast)
        self._networks: ServiceNetworks | None = None
        self._status: StatusKeeper | None = None
        self._http: list[HttpServer] = []

    def serve(self) -> int:
        self._snapshots.restore()
        starter = threading.Thread(target=self._start_source, name="source", daemon=True)
        starter.start()
        try:
            self._start_views()
            self._loop.serve(
                self._broadcast, {signal.SIGTERM: self._loop.stop, signal.SIGHUP: self._reload}
            )
        finally:
            if self._status is not None:
                self._status.stop()
            self._source.stop()
            self._snapshots.stop()
            for server in self._http:
                server.stop()
        if self._refused is not None:
            raise self._refused
        return child_process.DRAINED

    def _start_views(self) -> None:
        """Metrics, page and status. Raises `UserError` for an address that cannot be bound."""
        from grpcdns.serve.feed.http import HttpServer
        from grpcdns.serve.feed.metrics import Metrics
        from grpcdns.serve.feed.networks import ServiceNetworks
        from grpcdns.serve.feed.status import StatusKeeper

        config = self._config
        self._networks = ServiceNetworks(self._broadcast.store, config.policy())
        metrics = Metrics(
            self._run, config, self._broadcast, self._loop, self._snapshots, self._source.samples,
            self._networks,
        )  # fmt: skip
        self._status = StatusKeeper(self._run, config, self._broadcast, self._loop, metrics)
        if config.metrics:
            self._http.append(HttpServer(config.metrics, metrics.routes()))
        if config.admin:
            from grpcdns.serve.feed.admin import make_server

            self._http.append(make_server(config.admin, self._status))
        for server in self._http:
            server.start()
        self._status.start()

    def _start_source(self) -> None:
        """In its own thread: a login may take a while, and a snapshot is served meanwhile."""
        try:
            self._source.start(self._broadcast)
            self._started = True
        except UserError as error:
            self._refused = error
            self._loop.stop()
        except Exception:
            _log.exception("the source cannot be started")
            self._loop.stop()

    def _tick(self) -> None:
        self._heartbeat.beat(up=self._started)
        self._broadcast.tick()
        self._snapshots.tick()
        if self._networks is not None:
            self._networks.tick()
        self._report_sync(time.monotonic() - self._began)

    def _report_sync(self, waited: float) -> None:
        """Log once that everything is listed, or that something is still missing."""
        if not self._synced and self._broadcast.is_live:
            self._synced = True
            _log.info("synced after %.1f s: %s", waited, self._broadcast.counts())
            if not self._config.manifests:  # that source has said so already
                from grpcdns.source.unmatched import unmatched

                for text in unmatched(self._broadcast.store.bodies, self._config):
                    _log.warning("%s", text)
        if not self._warned and waited > self._config.startup_timeout:
            self._warned = True
            if missing := self._broadcast.missing:
                limit, kinds = self._config.startup_timeout, ", ".join(missing)
                _log.warning("not ready after %g s: no list yet of %s", limit, kinds)

    def _reload(self) -> None:
        self._config = child_process.read_config(self._run)
        child_process.start_log("feed", self._config)
        self._snapshots.use(self._config)
        self._source.set_policy(self._config.policy())
        if self._networks is not None and self._status is not None:
            self._networks.use(self._config.policy())
            self._status.use(self._config)
        _log.info("configuration reloaded")


def main() -> int:
    run = RunDir(sys.argv[1])
    log_fd, beat_fd = child_process.given_fds(sys.argv[2:])

    def serve() -> int:
        config = child_process.read_config(run)
        child_process.start_log("feed", config, log_fd)
        timeslice.shorten()
        return FeedProcess(run, config, beat_fd).serve()

    return child_process.main("feed", serve, beat_fd)
