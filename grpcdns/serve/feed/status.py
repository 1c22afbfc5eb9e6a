"""The `Status`: collected from the supervisor's file, the feed's state and the workers' Reports.

One thread asks the workers for a point of the plots every 10 s, and answers the commands that ask
over the link. A Status is made at most twice a second, however many look at it. What explains names
and changes is imported when somebody first looks: it would be half of the feed's start.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from grpcdns import __version__
from grpcdns.config.options import Config
from grpcdns.serve import link, procfs, status
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.history import EVERY, History, label_of
from grpcdns.serve.feed.loop import FeedLoop
from grpcdns.serve.feed.metrics import PATIENCE, REVISION, Metrics
from grpcdns.serve.feed.subscriber import Subscriber
from grpcdns.serve.rundir import RunDir, Supervision
from grpcdns.serve.status import Api, KindState, Process, Status, Worker
from grpcdns.source.kinds import WATCHED

if TYPE_CHECKING:
    from grpcdns.serve.feed.inspector import Inspector

_log = logging.getLogger(__name__)

FRESH: Final = 0.5
"""Seconds for which a Status is given out again."""
NAMES: Final = 128
"""Names of each outcome that a worker is asked for."""
_WAITING: Final = 16
"""The most commands that wait for an answer."""

Reports = Mapping[str, link.Report]


class StatusKeeper:
    """Gives the `Status` to whoever asks. ``start`` it, and ``stop`` it."""

    def __init__(
        self, run: RunDir, config: Config, broadcast: Broadcast, loop: FeedLoop, metrics: Metrics
    ) -> None:
        self._run = run
        self._config = config
        self._broadcast = broadcast
        self._loop = loop
        self._metrics = metrics
        self._inspector: Inspector | None = None
        self._making = threading.Lock()
        self._history = History()
        self._lock = threading.Lock()
        self._latest: Status | None = None
        self._made = 0.0
        self._asked: queue.Queue[Subscriber | None] = queue.Queue(_WAITING)
        self._thread = threading.Thread(target=self._serve, name="status", daemon=True)

    def start(self) -> None:
        self._loop.on_status = self._ask
        self._thread.start()

    def stop(self) -> None:
        self._ask(None)

    def use(self, config: Config) -> None:
        """The configuration was reloaded."""
        with self._making:
            self._config = config
            if self._inspector is not None:
                self._inspector.use(config.policy())

    @property
    def inspector(self) -> Inspector:
        """Made when it is first used."""
        with self._making:
            if self._inspector is None:
                from grpcdns.serve.feed.inspector import Inspector

                self._inspector = Inspector(self._config.policy(), self._broadcast)
            return self._inspector

    def status(self) -> Status:
        """How everything is; from any thread but the loop's."""
        with self._lock:
            if self._latest is None or time.monotonic() - self._made > FRESH:
                self._latest = self._make()
                self._made = time.monotonic()
            return self._latest

    def _ask(self, subscriber: Subscriber | None) -> None:
        try:
            self._asked.put_nowait(subscriber)
        except queue.Full:
            pass  # it will ask again

    def _serve(self) -> None:
        due = time.monotonic()
        while True:
            try:
                subscriber = self._asked.get(timeout=max(0.0, due - time.monotonic()))
                if subscriber is None:
                    return
                report = link.StatusReport(status.to_json(self.status()))
                self._broadcast.push(subscriber, link.to_frame(report))
            except queue.Empty:
                due = max(due + EVERY, time.monotonic())
                if self._inspector is not None:
                    self._inspector.tick()
                reports = self._loop.reports(PATIENCE)
                samples = {name: report.samples for name, report in reports.items()}
                with self._lock:
                    self._history.note(time.time(), samples)
            except Exception:
                _log.exception("the status cannot be made")

    # -- the parts

    def _make(self) -> Status:
        from grpcdns.serve.feed.asked_names import names_of
        from grpcdns.serve.feed.changed_objects import changes_of

        supervision = self._run.supervision()
        reports = self._loop.reports(PATIENCE, NAMES)
        now = time.time()
        workers = tuple(
            _worker(f"{link.WORKER}{number}", address, reports)
            for number, address in enumerate(self._config.listen)
        )
        return Status(
            at=now,
            version=__version__,
            revision=REVISION,
            ready=any(worker.serving for worker in workers),
            problems=tuple(self._problems(reports, supervision)),
            processes=tuple(_processes(supervision, reports, workers)),
            workers=workers,
            kinds=tuple(self._kinds(now)),
            api=self._api(now),
            history=tuple(self._history.points),
            changes=changes_of(self._broadcast, [worker.name for worker in workers], reports),
            names=names_of(reports, self.inspector.whys),
        )

    def _problems(self, reports: Reports, supervision: Supervision) -> Iterator[str]:
        broadcast = self._broadcast
        yield from self._metrics.missing(reports)
        with broadcast.lock:
            problems = list(dict.fromkeys(broadcast.problems.values()))
        yield from problems
        if broadcast.restored:
            yield "answers are from a snapshot: the API has not answered yet"
        if guard := broadcast.guarded[1]:
            yield f"the guard holds the old answers: {guard}"
        if not supervision.reload_successful:
            yield "the latest reload did not take the configuration: the log says why"

    def _kinds(self, now: float) -> Iterator[KindState]:
        broadcast = self._broadcast
        for kind in sorted(broadcast.needed):
            heard = broadcast.heard_at.get(kind)
            yield KindState(
                name=WATCHED[kind].name,
                objects=len(broadcast.store.bodies[kind]),
                listed=kind in broadcast.store.listed,
                heard=None if heard is None else max(0.0, now - heard),
                lost_since=broadcast.lost.get(kind, broadcast.lost.get(None, 0.0)),
                problem=broadcast.problems.get(kind) or broadcast.problems.get(None, ""),
            )

    def _api(self, now: float) -> Api:
        broadcast = self._broadcast
        heard = [broadcast.heard_at.get(kind) for kind in broadcast.needed]
        with broadcast.lock:
            lost = min(broadcast.lost.values(), default=0.0)
        state = "up" if broadcast.is_live else "starting"
        state = "restored" if broadcast.restored else "lost" if lost else state
        known = [at for at in heard if at is not None]
        return Api(
            source=", ".join(self._config.manifests) or "the Kubernetes API",
            state=state,
            heard=max(0.0, now - min(known)) if known and len(known) == len(heard) else None,
            lost_since=lost,
            restored=broadcast.restored,
            guard=broadcast.guarded[1],
            held_services=sum(broadcast.held_services.values()),
        )


def _processes(
    supervision: Supervision, reports: Reports, workers: Iterable[Worker]
) -> Iterator[Process]:
    serving = {worker.name for worker in workers if worker.serving}
    for name, process in supervision.processes.items():
        state = "running"
        if not process.pid:
            state = "down"
        elif name.startswith(link.WORKER):
            answered = "serving" if name in serving else "not serving"
            state = answered if name in reports else "silent"
        yield Process(
            name=name,
            state=state,
            pid=process.pid,
            restarts=process.restarts,
            since=process.since,
            cpu=procfs.cpu_used(process.pid) if process.pid else 0.0,
            memory=procfs.resident_memory(process.pid) if process.pid else 0,
        )


def _worker(name: str, address: str, reports: Reports) -> Worker:
    report = reports.get(name)
    values = {} if report is None else _values(report)
    samples = () if report is None else report.samples
    rcodes = {
        label_of(labels): int(value)
        for family, labels, value in samples
        if family == "dns_responses_total"
    }
    return Worker(
        name=name,
        address=address,
        serving="ready" in values,
        synced="synced" in values,
        restored="restored" in values,
        queries=sum(rcodes.values()),
        rcodes=rcodes,
        memo_hits=int(values.get("memo_hits_total", 0)),
        memo_misses=int(values.get("memo_misses_total", 0)),
        memo_entries=int(values.get("memo_entries", 0)),
        shed=int(values.get("grpc_shed_total", 0)),
        unavailable=int(values.get("grpc_unavailable_total", 0)),
        serial=int(values.get("zone_serial", 0)),
        probe=values.get("probe_seconds", 0.0),
    )


def _values(report: link.Report) -> dict[str, float]:
    """The samples without a label that are not 0."""
    return {family: value for family, labels, value in report.samples if not labels and value}
