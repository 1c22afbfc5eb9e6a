"""``--metrics``: what Prometheus and probes read. The feed answers for all processes.

Each worker is asked for its samples over the link; they get a label ``worker``. Nothing is kept of
a worker that has died. Label values come from fixed sets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs

from grpcdns import __version__
from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Kind
from grpcdns.histogram import Sample
from grpcdns.revision import code, revision
from grpcdns.serve import link, procfs
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.http import Response, Route
from grpcdns.serve.feed.loop import FeedLoop
from grpcdns.serve.feed.networks import ServiceNetworks
from grpcdns.serve.feed.snapshots import Snapshots
from grpcdns.serve.rundir import RunDir, Supervision

PREFIX: Final = "grpcdns_"
_CONTENT: Final = "text/plain; version=0.0.4; charset=utf-8"
PATIENCE: Final = 0.5
"""Seconds that workers have for their Reports."""

REVISION: Final = revision()
_BUILD: Final = f'version="{__version__}",revision="{REVISION}",code="{code()}"'

FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    # of each worker
    "dns_requests_total": ("counter", "Queries answered, by type."),
    "dns_responses_total": ("counter", "Replies given, by rcode."),
    "dns_request_duration_seconds": ("histogram", "Time from a call's arrival to its reply."),
    "dns_ttl_total": ("counter", "Answers by the class of their TTL, with --ttl-mode adaptive."),
    "dns_oversized_total": ("counter", "Answers that were too long for one message."),
    "dns_deferred_total": ("counter", "Answers that needed the upstream."),
    "dns_unavailable_total": ("counter", "Queries not answered because the worker is not synced."),
    "dns_panics_total": (
        "counter",
        "Queries answered with SERVFAIL because of a fault in grpcdns.",
    ),
    "grpc_unavailable_total": ("counter", "Calls that were read and ended with UNAVAILABLE."),
    "grpc_shed_total": ("counter", "Calls ended with UNAVAILABLE unread, because of overload."),
    "grpc_broken_calls_total": ("counter", "Calls that ended before their message arrived."),
    "grpc_deferred_calls": ("gauge", "Calls that wait for the upstream."),
    "upstream_lookups_total": ("counter", "Look-ups at the upstream, by result."),
    "upstream_lookups_in_flight": ("gauge", "Look-ups in flight."),
    "memo_hits_total": ("counter", "Queries answered from the memo."),
    "memo_misses_total": ("counter", "Queries whose answer had to be made."),
    "memo_evictions_total": ("counter", "Answers evicted to make room."),
    "memo_invalidations_total": ("counter", "Answers dropped because of a change."),
    "memo_entries": ("gauge", "Answers in the memo."),
    "memo_bytes": ("gauge", "Estimated size of the memo."),
    "index_objects": ("gauge", "Objects that a worker answers from, by kind."),
    "changes_total": ("counter", "Changes that a worker has applied."),
    "zone_serial": ("gauge", "The SOA serial of the cluster's zones."),
    "synced": ("gauge", "Whether a worker has a complete state."),
    "restored": ("gauge", "Whether a worker answers from a snapshot."),
    "ready": ("gauge", "Whether a worker's health is SERVING."),
    "transport_info": ("gauge", "The transport a worker uses."),
    "probe_seconds": ("gauge", "What the latest query to ourselves took."),
    "kubernetes_dns_programming_duration_seconds": (
        "histogram",
        "Time from a slice's last change trigger to the first answer with it, by service_kind.",
    ),
    # of the feed and the supervisor
    "workers": ("gauge", "Workers there should be: one for each --listen address."),
    "workers_serving": ("gauge", "Workers whose health is SERVING."),
    "worker_up": ("gauge", "Whether a worker reports its metrics."),
    "process_restarts_total": ("counter", "Restarts of a process."),
    "process_start_time_seconds": ("gauge", "Start time of a process, in unix seconds."),
    "process_cpu_seconds_total": ("counter", "CPU time of a process."),
    "process_resident_memory_bytes": ("gauge", "Memory of a process that is in RAM."),
    "process_open_fds": ("gauge", "Open file descriptors of a process."),
    "config_last_reload_successful": ("gauge", "Whether the last reload took the configuration."),
    "config_last_reload_success_timestamp_seconds": (
        "gauge",
        "When the configuration in use was taken, in unix seconds.",
    ),
    "feed_objects": ("gauge", "Objects that the feed holds, by kind."),
    "feed_listed": ("gauge", "Whether a kind has been listed or restored, by kind."),
    "feed_changes_total": ("counter", "Changes sent to the workers."),
    "feed_resyncs_total": ("counter", "Times that a worker was too slow and was resynced."),
    "kubernetes_events_total": ("counter", "Events of the source, by event and kind."),
    "kubernetes_repaired_total": (
        "counter",
        "Differences from the API that were found and repaired, by kind.",
    ),
    "kubernetes_last_event_seconds": ("gauge", "Seconds since the API was last heard, by kind."),
    "kubernetes_api_up": ("gauge", "Whether the API answers."),
    "kubernetes_rest_client_requests_total": (
        "counter",
        "Requests to the API, by verb and code.",
    ),
    "kubernetes_rest_client_request_duration_seconds": (
        "histogram",
        "Time until the API begins to answer, by verb.",
    ),
    "kubernetes_rest_client_rate_limiter_duration_seconds": (
        "histogram",
        "Time that requests to the API wait for our own limits, by verb.",
    ),
    "service_networks_outside_zones": (
        "gauge",
        "Networks of ServiceCIDRs whose reverse zones are not all in --zones.",
    ),
    "guard_active": ("gauge", "Whether the guard holds the old answers (--guard)."),
    "held_services": (
        "gauge",
        "Services answered although they are gone or have no ready endpoint, by what holds them.",
    ),
    "snapshot_age_seconds": ("gauge", "Age of the snapshot on disk."),
    "snapshot_failures_total": ("counter", "Snapshots that could not be written."),
    "restored_age_seconds": (
        "gauge",
        "Age of the snapshot that answers are made from, 0 when live.",
    ),
    "build_info": ("gauge", "Version, commit, and whether the core is compiled."),
}
_SUFFIXES: Final = ("_bucket", "_sum", "_count")


class Metrics:
    """The routes of ``--metrics``."""

    def __init__(
        self,
        run: RunDir,
        config: Config,
        broadcast: Broadcast,
        loop: FeedLoop,
        snapshots: Snapshots,
        of_source: Callable[[], Iterable[Sample]] = tuple,
        networks: ServiceNetworks | None = None,
    ) -> None:
        self._run = run
        self._workers = [f"worker-{number}" for number in range(len(config.listen))]
        self._broadcast = broadcast
        self._loop = loop
        self._snapshots = snapshots
        self._of_source = of_source
        self._networks = networks

    def routes(self) -> dict[str, Route]:
        return {"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz}

    def _metrics(self, _query: str) -> Response:
        return Response(200, self.text(self._loop.reports(PATIENCE)), _CONTENT)

    def text(self, reports: Mapping[str, link.Report]) -> str:
        """Every sample: the feed's own, and those of the workers that reported theirs."""
        return to_text([*self._own(reports), *_of_workers(reports)])

    def _healthz(self, _query: str) -> Response:
        """Whether the feed's main loop turns. The supervisor watches the rest."""
        quiet = time.monotonic() - self._loop.turned
        if quiet > 5.0:
            return Response(503, f"the feed's loop has not turned for {quiet:.1f} s\n")
        return Response(200, "ok\n")

    def _readyz(self, query: str) -> Response:
        return self.readiness(self._loop.reports(PATIENCE), every="all" in parse_qs(query, True))

    def readiness(self, reports: Mapping[str, link.Report], *, every: bool) -> Response:
        """Ready is 200: one worker serves, with ``every`` nothing is missing. CoreDNS needs no more
        than one, and a fault that downs one in each Pod must not take all Pods out of service."""
        missing = self.missing(reports)
        ready = not missing if every else any(map(_is_serving, reports.values()))
        lines = ["ok", *missing] if ready else missing
        return Response(200 if ready else 503, "".join(f"{line}\n" for line in lines))

    def missing(self, reports: Mapping[str, link.Report]) -> list[str]:
        """What is missing until all is ready, one line each."""
        lines = [f"no list of {kind} yet" for kind in self._broadcast.missing]
        for name in self._workers:
            report = reports.get(name)
            if report is None:
                lines.append(f"{name} does not answer")
            elif not _is_serving(report):
                lines.append(f"{name} is not serving")
        return lines

    def _own(self, reports: Mapping[str, link.Report]) -> Iterator[Sample]:
        broadcast, now = self._broadcast, time.time()
        yield "build_info", _BUILD, 1
        yield "workers", "", len(self._workers)
        yield "workers_serving", "", sum(map(_is_serving, reports.values()))
        for name in self._workers:
            yield "worker_up", f'worker="{name}"', name in reports
        yield from _of_processes(self._run.supervision())
        for kind in Kind:
            label = _kind(kind)
            yield "feed_objects", label, len(broadcast.store.bodies[kind])
            if kind in broadcast.needed:
                yield "feed_listed", label, kind in broadcast.store.listed
        for kind, heard in sorted(broadcast.heard_at.items()):
            label = _kind(kind)
            yield "kubernetes_last_event_seconds", label, max(0.0, now - heard)
        with broadcast.lock:
            notes, repairs = dict(broadcast.notes), dict(broadcast.repairs)
            resyncs = [(worker.name, worker.resyncs) for worker in broadcast.workers()]
        for (what, of), count in notes.items():
            yield "kubernetes_events_total", f'event="{what}",{_kind(of)}', count
        for of, count in repairs.items():
            yield "kubernetes_repaired_total", _kind(of), count
        for name, count in resyncs:
            yield "feed_resyncs_total", f'worker="{name}"', count
        yield from self._of_source()
        if self._networks is not None and self._networks.outside is not None:
            yield "service_networks_outside_zones", "", self._networks.outside
        yield "feed_changes_total", "", broadcast.changes
        yield "kubernetes_api_up", "", not broadcast.lost
        yield "guard_active", "", bool(broadcast.guarded[0])
        for by, count in broadcast.held_services.items():
            yield "held_services", f'by="{by}"', count
        if self._snapshots.saved:
            yield "snapshot_age_seconds", "", max(0.0, now - self._snapshots.saved)
        yield "snapshot_failures_total", "", self._snapshots.failures
        yield (
            "restored_age_seconds",
            "",
            max(0.0, now - broadcast.restored) if broadcast.restored else 0,
        )


def _kind(kind: Kind | None) -> str:
    return f'kind="{kind.name.lower() if kind else ""}"'


def _is_serving(report: link.Report) -> bool:
    return any(family == "ready" and value for family, _, value in report.samples)


def _of_processes(supervision: Supervision) -> Iterator[Sample]:
    """The supervisor's view of each process, and the kernel's."""
    yield "config_last_reload_successful", "", supervision.reload_successful
    yield "config_last_reload_success_timestamp_seconds", "", supervision.configured
    for name, process in supervision.processes.items():
        label = f'process="{name}"'
        yield "process_restarts_total", label, process.restarts
        yield "process_start_time_seconds", label, process.since
        if process.pid:
            yield "process_cpu_seconds_total", label, procfs.cpu_used(process.pid)
            yield "process_resident_memory_bytes", label, procfs.resident_memory(process.pid)
            yield "process_open_fds", label, procfs.open_files(process.pid)


def _of_workers(reports: Mapping[str, link.Report]) -> Iterator[Sample]:
    for name, report in sorted(reports.items()):
        for family, labels, value in report.samples:
            worker = f'worker="{name}"'
            yield family, f"{worker},{labels}" if labels else worker, value


def to_text(samples: Iterable[Sample]) -> str:
    """Prometheus's text format, a family's samples together."""
    by_family: dict[str, list[Sample]] = {}
    for sample in samples:
        by_family.setdefault(_family(sample[0]), []).append(sample)
    lines = []
    for family, (kind, text) in FAMILIES.items():
        found = by_family.get(family)
        if not found:
            continue
        lines.append(f"# HELP {PREFIX}{family} {text}")
        lines.append(f"# TYPE {PREFIX}{family} {kind}")
        for name, labels, value in found:
            braces = f"{{{labels}}}" if labels else ""
            lines.append(f"{PREFIX}{name}{braces} {_number(value)}")
    return "\n".join(lines) + "\n"


def _family(name: str) -> str:
    if name in FAMILIES:
        return name
    for suffix in _SUFFIXES:
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
