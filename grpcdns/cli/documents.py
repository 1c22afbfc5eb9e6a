"""What each command prints with ``--output json`` and ``yaml``: one type a document.

docs/schemas has their JSON Schemas, written by ``make docs`` from these types; docs/output.md says
how stable they are. Every field is always there. Within one ``schema`` number, fields are only
added.

May live here: the documents' types, and nothing that fills them.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from grpcdns.core.inspect.explanation import Explanation
from grpcdns.preflight.report import Report
from grpcdns.serve.status import Status

SCHEMA: Final = 1


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document of a command."""

    schema: int = SCHEMA


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """Instead of any other document when the command fails: the line that is on stderr."""

    error: str


# -- query


class AskedFor(msgspec.Struct, frozen=True, kw_only=True):
    """A question, its type as text."""

    name: str
    type: str


class ReplyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of a reply; ``ttl`` in seconds, ``data`` as in a zone file."""

    name: str
    ttl: int
    rclass: str = msgspec.field(name="class")
    type: str
    data: str


class Edns(msgspec.Struct, frozen=True, kw_only=True):
    """The OPT record of a reply; ``udp_size`` in octets."""

    version: int
    udp_size: int
    dnssec_ok: bool


class Query(Document, frozen=True, kw_only=True):
    """A reply. ``status``: the rcode as text. ``edns``: null without an OPT record. ``server``:
    which one replied. ``time_ms``: how long it took. ``size``: octets of the message."""

    id: int
    opcode: str
    status: str
    flags: list[str]
    question: list[AskedFor]
    answer: list[ReplyRecord]
    authority: list[ReplyRecord]
    additional: list[ReplyRecord]
    edns: Edns | None
    server: str
    time_ms: float
    size: int


# -- check


class ServerHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A server. ``status``: of grpc.health.v1 (SERVING, NOT_SERVING...), "" if it gave none;
    ``error``: why, "" otherwise."""

    server: str
    status: str
    error: str


class Check(Document, frozen=True, kw_only=True):
    """The health of servers. ``ok``: the exit code is 0."""

    ok: bool
    servers: list[ServerHealth]


class NameChecked(msgspec.Struct, frozen=True, kw_only=True):
    """A DNS server's answers to A and AAAA of a name. ``transport``: UDP or TCP. ``rcode``: as
    text, "" if there was no reply; ``error``: why, "" otherwise. ``records``: of these types."""

    server: str
    name: str
    transport: str
    rcode: str
    records: int
    error: str


class CheckDns(Document, frozen=True, kw_only=True):
    """Whether DNS servers have records at names. ``ok``: the exit code is 0."""

    ok: bool
    answers: list[NameChecked]


# -- explain


class DataAge(msgspec.Struct, frozen=True, kw_only=True):
    """Where the data is from, and how old it is, in unix seconds: ``heard``, when the source last
    confirmed it (0: unknown); ``restored``, when the snapshot was saved that it is from (0: from
    none); ``changed``, the zone's serial. ``guard``: what was lost when the guard began to hold."""

    source: str = msgspec.field(name="from")
    heard: float
    restored: float
    changed: int
    guard: str


class WorkersAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker itself answers. ``error``: why it gives no answer. ``agrees``: whether it is
    the explained one."""

    rcode: str
    answer: list[str]
    error: str
    agrees: bool


class Explain(Explanation, frozen=True, kw_only=True):
    """An answer and the reasons for it. Records are text as in zone files. ``asks``: what the name
    means. ``lookups``: the names that the upstream is asked for. ``serial``: when the zone's
    records last changed, in unix seconds, 0 if they never did. ``worker``: null without --server.
    """

    schema: int = SCHEMA
    data: DataAge
    worker: WorkersAnswer | None


# -- compare


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one question. ``only_*``: records of only one server, as zone-file lines.

    ``difference``: the id of a deliberate one in docs/differences.md. ``error``: why there is no
    reply, which some of them explain, too.
    """

    name: str
    qtype: str
    outcome: str
    difference: str = ""
    dns_rcode: str = ""
    grpcdns_rcode: str = ""
    only_dns: tuple[str, ...] = ()
    only_grpcdns: tuple[str, ...] = ()
    error: str = ""


class Compare(Document, frozen=True, kw_only=True):
    """How two servers' answers differ. ``dns`` and ``grpcdns``: their addresses. ``same``,
    ``deliberate``, ``different``, ``failed``: how many ``questions`` had that outcome.
    ``differences``: those that were not the same."""

    dns: str
    grpcdns: str
    questions: int
    seconds: float
    same: int
    deliberate: int
    different: int
    failed: int
    differences: list[Compared]


class LiveChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a switch would change. ``kind``: the id of a deliberate difference, or in words.
    ``queries``: how often clients asked the ``questions``, which are in ``names``, with types."""

    kind: str
    deliberate: bool
    questions: int
    queries: int
    names: list[str]


class CompareLive(Document, frozen=True, kw_only=True):
    """How the answers to what clients ask differ. ``lines``: read from stdin. ``rubbish``: those
    without a question; ``outside``: those of other zones; ``own``: those of this command's
    queries; ``left_out``: those that there was no room for; ``queries``: all others.
    ``questions``: different ones among them that were asked; ``not_asked``: those that were not,
    before the end. The rest as in `Compare`, by the last outcome."""

    dns: str
    grpcdns: str
    seconds: float
    lines: int
    rubbish: int
    outside: int
    own: int
    left_out: int
    queries: int
    questions: int
    not_asked: int
    same: int
    deliberate: int
    different: int
    failed: int
    changes: list[LiveChange]
    differences: list[Compared]


# -- zone


class ZoneRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record of class IN; ``ttl`` in seconds, ``data`` as in a zone file."""

    name: str
    ttl: int
    type: str
    data: str


class Zone(Document, frozen=True, kw_only=True):
    """The records of a zone. ``from``: where the cluster was read. ``remarks``: why something is
    missing in it."""

    zone: str
    source: str = msgspec.field(name="from")
    remarks: list[str]
    records: list[ZoneRecord]


# -- corefile


class WrittenCorefile(Document, frozen=True, kw_only=True):
    """A Corefile. ``missing``: what could not be found. ``names``: how many the cluster has, null
    if they were not counted."""

    corefile: str
    zones: list[str]
    missing: list[str]
    names: int | None


class TranslatedLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the old Corefile, and what became of it."""

    line: int
    text: str
    fate: str
    detail: str


class TranslatedCorefile(Document, frozen=True, kw_only=True):
    """A translated Corefile. ``flags``: those that grpcdns serve needs with it. ``missing``: what
    could not be found. ``names``: how many the cluster has, null if they were not counted."""

    corefile: str
    flags: list[str]
    lines: list[TranslatedLine]
    missing: list[str]
    names: int | None


class CorefileFinding(msgspec.Struct, frozen=True, kw_only=True):
    """What does not work behind grpc. ``level``: error, warning or note. ``trap``: stable id.
    ``mend``: what to do."""

    line: int
    level: str
    trap: str
    what: str
    why: str
    mend: str


class CheckedCorefile(Document, frozen=True, kw_only=True):
    """What does not work in the Corefile ``file``."""

    file: str
    findings: list[CorefileFinding]


# -- guard


class Guard(Document, frozen=True, kw_only=True):
    """What --guard holds, as it was when asked. ``percent``: of --guard. ``since``: unix seconds
    since which it holds, 0 if it does not; ``until``: when it ends by itself, at the latest.
    ``services``: how many are gone or without ready endpoints. ``withheld``: losses by the name of
    their kind. ``released``: whether the request has ended it."""

    percent: float
    since: int
    until: int
    why: str
    services: int
    withheld: dict[str, int]
    released: bool


# -- serve --print-config


class OptionValue(msgspec.Struct, frozen=True, kw_only=True):
    """``value``: as in a TOML file, so durations are text. ``origin``: a flag, a variable, a file
    and key, or "default"."""

    value: bool | int | float | str | list[str]
    origin: str


class PrintedConfig(Document, frozen=True, kw_only=True):
    """The value of every option. ``file``: the configuration file that was read, "" for none."""

    file: str
    options: dict[str, OptionValue]


DOCUMENTS: Final[dict[str, Any]] = {
    "query": Query,
    "check": Check,
    "check-dns": CheckDns,
    "top": Status,
    "explain": Explain,
    "compare": Compare,
    "compare-live": CompareLive,
    "zone": Zone,
    "corefile": WrittenCorefile,
    "corefile-from": TranslatedCorefile,
    "corefile-check": CheckedCorefile,
    "guard": Guard,
    "preflight": Report,
    "serve-print-config": PrintedConfig,
    "error": Failure,
}
"""The name of each file in docs/schemas -> its type."""
