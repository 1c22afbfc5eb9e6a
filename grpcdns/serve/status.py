"""What is going on in one ``grpcdns serve``, as one value: for the page, ``/api/status`` and
``grpcdns top``. docs/status.md describes it.

The feed makes it (`serve.feed.status`). Times are unix seconds, durations seconds, 0.0 stands for
"never" or "not now"; counters begin with their process. Every list is bounded. Within one
``schema`` number, fields are only added.

May live here: the shape, and nothing that fills it.
"""

from __future__ import annotations

from typing import Final

import msgspec

SCHEMA: Final = 1


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A process: ``supervisor``, ``feed``, ``worker-0``, ... ``pid`` is 0 while it does not run;
    ``state``: "serving" or "not serving" (a worker), "running" (others), "silent" (a worker that
    gives no report), "down". ``cpu``: seconds of CPU time; ``memory``: resident bytes."""

    name: str
    state: str
    pid: int
    restarts: int
    since: float
    cpu: float
    memory: int


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's own figures. ``address``: its ``--listen``. ``restored``: it answers from a
    snapshot. ``queries`` and ``rcodes``: all replies, and by rcode. ``shed``, ``unavailable``:
    calls that got UNAVAILABLE, unread because of overload, or read. ``probe``: what the latest
    query to itself took."""

    name: str
    address: str
    serving: bool
    synced: bool
    restored: bool
    queries: int
    rcodes: dict[str, int]
    memo_hits: int
    memo_misses: int
    memo_entries: int
    shed: int
    unavailable: int
    serial: int
    probe: float


class KindState(msgspec.Struct, frozen=True, kw_only=True):
    """A kind that answers need: how many objects of it the feed holds, whether it is listed (from
    the API, or restored from a snapshot), seconds since the API was last heard about it (null:
    never), since when its API does not answer, and why it is not listed ("": nothing is wrong)."""

    name: str
    objects: int
    listed: bool
    heard: float | None
    lost_since: float
    problem: str


class Api(msgspec.Struct, frozen=True, kw_only=True):
    """Where the objects come from. ``state``: "up", "lost" (some kind's API does not answer),
    "starting" (not everything is listed yet), "restored" (answers are from a snapshot, of
    ``restored``). ``heard``: seconds since the API was last heard about the kind that has been
    silent longest (null: some kind never). ``guard``: what was lost when --guard began to hold."""

    source: str
    state: str
    heard: float | None
    lost_since: float
    restored: float
    guard: str
    held_services: int


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """Queries from ``at`` on, for ``seconds``, over all workers: replies, replies by rcode, and
    the latency (from a call's arrival to its reply) that half and 99 % of them did not exceed:
    upper bounds of the histogram's buckets; null without a query."""

    at: float
    seconds: float
    queries: int
    rcodes: dict[str, int]
    p50: float | None
    p99: float | None


class Reached(msgspec.Struct, frozen=True, kw_only=True):
    """When a worker answered from a change: seconds after the feed saw it, null if not yet or not
    known. ``how``: "change", "list" (it came with a list, after a resync or a restart), "not yet"
    or "unknown" (the worker gives no report)."""

    worker: str
    seconds: float | None
    how: str


class ObjectChange(msgspec.Struct, frozen=True, kw_only=True):
    """An object that changed. ``what``: "added", "changed" or "deleted"; ``before`` and ``after``:
    what it says to DNS, "" where there is none; ``detail``: addresses that came and went."""

    at: float
    kind: str
    key: str
    what: str
    before: str
    after: str
    detail: str
    workers: tuple[Reached, ...]


class AskedName(msgspec.Struct, frozen=True, kw_only=True):
    """A question that was asked often, and with which outcome: an rcode, or NODATA for NOERROR
    without records. ``count`` may be too high by ``Names.errors[outcome]``, never too low."""

    name: str
    type: str
    outcome: str
    count: int


class VainName(AskedName, frozen=True, kw_only=True):
    """A question asked in vain. ``reason``: why, as `grpcdns explain` finds it now ("" while it is
    not worked out yet). ``suggestion``: a name that has records and may have been meant, or ""."""

    reason: str
    suggestion: str


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """The names asked most since ``since``. Only what misses CoreDNS's cache comes here: a count is
    not how often clients ask. ``errors``: by outcome, by how much counts may be too high."""

    since: float
    asked: tuple[AskedName, ...]
    vain: tuple[VainName, ...]
    errors: dict[str, int]


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """All of it. ``ready``: a worker serves. ``problems``: what is wrong or missing, a line each;
    none: all is well."""

    schema: int = SCHEMA
    at: float
    version: str
    revision: str
    ready: bool
    problems: tuple[str, ...]
    processes: tuple[Process, ...]
    workers: tuple[Worker, ...]
    kinds: tuple[KindState, ...]
    api: Api
    history: tuple[Point, ...]
    changes: tuple[ObjectChange, ...]
    names: Names


def to_json(status: Status) -> bytes:
    return msgspec.json.encode(status)


def from_json(raw: bytes) -> Status:
    """Raises ``msgspec.DecodeError``."""
    return msgspec.json.decode(raw, type=Status)
