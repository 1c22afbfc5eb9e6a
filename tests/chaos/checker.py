"""Reads a history and says what in it was never true. Pure: records in, violations out.

What may be answered to a question at an instant follows from the objects it depends on. Each has a
sequence of states; a state may be seen from the instant it may have been accepted, until a *bound*
after the next one was. The bound is longer by the time that the machine stood still, and while a
fault lasts that cuts changes off (`WINDOWS`). Objects of different kinds are watched independently,
so each is taken at any of its states that are allowed at the time.

Found:

    wrong        the answer fits no allowed state
    nxdomain     the same, NXDOMAIN of a name that existed throughout the window
    back         each answer fits, but they cannot be in this order at one connection; through
                 CoreDNS, which asks one worker and then the other, `SKEW` later and outside
                 failovers
    error        SERVFAIL, UNAVAILABLE or no reply, where none is promised
    unhealed     what heals by itself did not in the time that is promised
    leaked       a process outlived its supervisor
    unlike       CoreDNS's own plugin answers otherwise when nothing changes any more
    memory       a process grew
    gap          the API accepted something that etcd's watch did not show: the checker is blind
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from tests.chaos.history import ERRORS, UNAVAILABLE, Interval, Record
from tests.chaos.model import Object, Question, depends_on, evaluate
from tests.chaos.order import Floor, Order
from tests.chaos.writers import LOST

BOUND: Final = 2.0
"""Seconds from the API to every answer, without a fault."""
RECOVERY: Final = 2.0
"""Seconds after a fault has healed."""
EARLY: Final = 2.0
"""Seconds that etcd's watch, as we see it, may be behind the API's."""
SNAPSHOT: Final = 12.0
"""Seconds that a snapshot may be older than the end of what it was taken from."""
SKEW: Final = 1.0
"""Seconds until both workers have what one has shown."""
MOST: Final = 20_000
"""States of one question at one instant that are tried; more are not checked, and counted."""

OVERLOAD: Final = 0.1
"""Seconds that the machine must have stood still, or a worker have waited for a CPU, for it to
refuse calls."""
_SHOWN: Final = 4
TARGETS: Final = ("worker 0", "worker 1", "coredns")


class Promise(NamedTuple):
    """What docs/operations.md promises of a kind of fault.

    ``waits``: changes arrive so many seconds after it has healed; None: as without it. ``cuts``: it
    keeps the API away. ``lost``: so it is for the Service `LOST` alone. ``restarts``: a process
    starts again. ``back``: seconds that answers may go back, to a snapshot. ``fails``: queries may
    fail.
    """

    waits: float | None = None
    cuts: bool = False
    lost: bool = False
    restarts: bool = False
    back: float = 0.0
    fails: bool = False


_API: Final = Promise(RECOVERY, cuts=True)
_FRESH: Final = Promise(RECOVERY, restarts=True, back=SNAPSHOT, fails=True)
PROMISES: Final[Mapping[str, Promise]] = {
    "kill feed": Promise(RECOVERY, restarts=True),
    "stop feed": Promise(RECOVERY, restarts=True),
    "kill worker": Promise(RECOVERY, restarts=True, fails=True),
    "stop worker": Promise(RECOVERY, restarts=True, fails=True),
    "kill supervisor": _FRESH,
    "stop supervisor": Promise(),
    "kill coredns": Promise(fails=True),
    "stop coredns": Promise(fails=True),
    "kill api": _API,
    "stop api": _API,
    "api gone": _API,
    "api slow": _API,
    "api errors": _API,
    "watch cut": _API,
    "watch silent": _API,
    "watch expired": _API,
    "watch skips": Promise(RECOVERY, lost=True),
    "token expired": _API,
    "etcd restored": _API,
    "clock stepped": Promise(),
    "snapshot torn": _FRESH,
    "disk full": Promise(),
    "descriptors": Promise(RECOVERY),
    "load": Promise(RECOVERY, fails=True),
    "rolling restart": _FRESH,
    "reload": Promise(RECOVERY),
    "burst": Promise(RECOVERY),
}


@dataclass
class Violation:
    kind: str
    what: str
    at: float
    detail: str = ""
    faults: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} at {self.at:.3f}{self.faults}\n{self.detail}"


@dataclass
class Verdict:
    """What was checked and found. ``violations`` has the first of each kind, question and target;
    ``counts`` counts all."""

    violations: list[Violation] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    unchecked: int = 0
    writes: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    errors_promised: int = 0
    slowest_stall: float = 0.0

    def add(self, found: Violation, number: int = 1) -> None:
        self.counts[found.kind] += number
        if len(self.violations) < 50:
            self.violations.append(found)


def check(records: Iterable[Record]) -> Verdict:
    """The verdict on a whole history."""
    return _Checker(records).run()


class _Windows:
    """When changes of the API may not have arrived yet, for one target."""

    def __init__(self, faults: list[Record], stalls: list[Interval], target: str) -> None:
        self._stalls = sorted(stalls)
        self._stall_ends = [end for _, end in self._stalls]
        every, lost = (
            sorted(
                (begin, self.after(end, patience))
                for begin, end, patience in _waits(faults, target, lost=lost)
            )
            for lost in (False, True)
        )
        self._waits = {False: every, True: lost}

    def deadline(self, accepted: float, *, lost: bool) -> float:
        """When a change accepted by then, of the Service `LOST` or another, must show."""
        end = self.after(accepted, BOUND)
        for begin, until in self._waits[lost]:  # sorted: each may reach into the next
            if begin > end:
                break
            end = max(end, until)
        return end

    def after(self, begin: float, seconds: float) -> float:
        """So much later; what the machine stood still does not count."""
        end = begin + seconds
        while (again := begin + seconds + self.stood_still(begin, end)) > end + 1e-6:
            end = again
        return end

    def stood_still(self, begin: float, end: float) -> float:
        first = bisect_left(self._stall_ends, begin)
        total = 0.0
        for start, stop in itertools.islice(self._stalls, first, None):
            if start >= end:
                break
            total += min(stop, end) - max(start, begin)
        return total


def _waits(
    faults: list[Record], target: str, *, lost: bool
) -> Iterator[tuple[float, float, float]]:
    """From when, until when, and how many seconds more."""
    cuts = [fault["at"] for fault in faults if PROMISES[fault["kind"]].cuts]
    for fault in faults:
        promise = PROMISES[fault["kind"]]
        if promise.waits is None or (promise.lost and not lost) or not _concerns(fault, target):
            continue
        begin, end = fault["at"]
        yield begin - promise.back, end, promise.waits
        for start, stop in cuts:
            # Both at once: what restarts has only the snapshot until the API is back.
            if promise.restarts and start <= end and stop + RECOVERY >= begin:
                yield begin - SNAPSHOT, max(stop, end), RECOVERY


def _concerns(fault: Record, target: str) -> bool:
    """A worker's fault shows at its own socket, and behind CoreDNS, which asks both."""
    where = fault.get("target", "")
    return not where.startswith("worker") or target in (where, "coredns")


class _Sequence(NamedTuple):
    """An object's states, and when each may be seen: from ``begins[i]`` to ``ends[i]``."""

    states: list[Object | None]
    begins: list[float]
    ends: list[float]


class _Scope:
    """A question at a target: which answers are allowed when, worked out once for each stretch of
    time in which nothing changes."""

    def __init__(self, question: Question, objects: dict[str, _Sequence]) -> None:
        self.question = question
        self._keys = list(objects)
        self._objects = list(objects.values())
        self._ends = sorted({end for one in self._objects for end in one.ends})
        self._begins = sorted({begin for one in self._objects for begin in one.begins})
        self._known: dict[tuple[int, int], dict[str, list[tuple[int, ...]]] | None] = {}
        self._texts: dict[tuple[int, ...], str] = {}

    def allowed(self, at: Interval) -> dict[str, list[tuple[int, ...]]] | None:
        """Texts, each with the states that give it; None if there are too many states."""
        stretch = bisect_left(self._ends, at[0]), bisect_right(self._begins, at[1])
        if stretch not in self._known:
            self._known[stretch] = self._work_out(at)
        return self._known[stretch]

    def _work_out(self, at: Interval) -> dict[str, list[tuple[int, ...]]] | None:
        ranges, total = [], 1
        for one in self._objects:
            first = bisect_left(one.ends, at[0])
            last = bisect_right(one.begins, at[1])
            ranges.append(range(first, max(last, first + 1)))
            total *= len(ranges[-1])
        if total > MOST:
            return None
        found: dict[str, list[tuple[int, ...]]] = defaultdict(list)
        for vector in itertools.product(*ranges):
            if vector not in self._texts:
                state = {
                    key: one.states[index]
                    for key, one, index in zip(self._keys, self._objects, vector, strict=True)
                }
                self._texts[vector] = evaluate(self.question, state)
            found[self._texts[vector]].append(vector)
        return dict(found)


class _Checker:
    def __init__(self, records: Iterable[Record]) -> None:
        by_kind: dict[str, list[Record]] = defaultdict(list)
        for record in records:
            by_kind[record["r"]].append(record)
        self._of = by_kind
        self._verdict = Verdict()
        self._questions = [Question(one["name"], one["type"]) for one in by_kind["question"]]
        self._answers = [one["text"] for one in by_kind["answer"]]
        self._is_error = [one.startswith(ERRORS) for one in self._answers]
        self._faults = by_kind["fault"]
        stalls = [tuple(one["at"]) for one in by_kind["stall"]]
        self._windows = {to: _Windows(self._faults, stalls, to) for to in TARGETS}
        self._stalls = stalls
        self._starved: dict[str, list[Interval]] = defaultdict(list)
        for one in by_kind["waited"]:
            if one["s"] >= OVERLOAD:
                self._starved[one["what"]].append((one["at"][0], one["at"][1]))
        # No CPU at all: heartbeats stay away, and a worker that is well seems to hang.
        self._overwhelmed: list[Interval] = [
            (one["at"][0] - RECOVERY, one["at"][1] + RECOVERY)
            for one in by_kind["waited"]
            if 0 < one["at"][1] - one["at"][0] <= one["s"]
        ]

    def run(self) -> Verdict:
        verdict = self._verdict
        verdict.writes = sum(not one["error"] for one in self._of["write"])
        verdict.faults.update(one["kind"] for one in self._faults)
        verdict.slowest_stall = max((end - begin for begin, end in self._stalls), default=0.0)
        self._check_truth()
        self._build()
        self._check_answers()
        self._check_processes()
        return verdict

    # -- what was true

    def _check_truth(self) -> None:
        """Whatever the API said it had accepted is in etcd's history, or in the list of one."""
        revs = {
            (one["key"], str(one["rev"])) for kind in ("truth", "seen") for one in self._of[kind]
        }
        restores = [one["at"] for one in self._faults if one["kind"] == "etcd restored"]
        since = max((one["t"] for one in self._of["since"]), default=0.0)
        for write in self._of["write"]:
            kind = write["key"].partition("/")[0]
            if write["error"] or not write["rev"] or kind not in ("service", "slice"):
                continue
            begin, end = write["at"]
            if begin < since or (write["key"], write["rev"]) in revs:
                continue
            if any(start - 5 <= end and begin <= stop for start, stop in restores):
                continue
            self._verdict.add(Violation("gap", f"{write['key']} {write['rev']}", end))

    def _build(self) -> None:
        # One version may be of several: of later ones that changed nothing, and of one before etcd
        # was restored. So it was accepted between the first and the last of that time.
        writes: dict[tuple[str, str], list[Interval]] = defaultdict(list)
        for one in self._of["write"]:
            writes[one["key"], one["rev"]].append(one["at"])
        cuts = [
            one["at"]
            for one in self._faults
            if one["kind"] in ("kill api", "stop api", "etcd restored")
        ]
        states: dict[str, list[Object | None]] = defaultdict(lambda: [None])
        times: dict[str, list[Interval]] = defaultdict(list)
        for one in self._of["truth"]:
            key = one["key"]
            if "at" in one:
                at: Interval = one["at"][0], one["at"][1]
            else:
                # The observer may be late: then product and writer saw it before.
                begin = (
                    one["t"]
                    - EARLY
                    - self._windows[TARGETS[0]].stood_still(one["t"] - EARLY, one["t"])
                )
                for start, stop in cuts:
                    if start <= one["t"] and stop + EARLY >= begin:
                        begin = min(begin, start - EARLY)
                at = begin, one["t"]
                known = [
                    each
                    for each in writes.get((key, str(one["rev"])), ())
                    if each[0] <= one["t"] and begin <= each[1]
                ]
                if known:
                    at = max(begin, known[0][0]), min(one["t"], known[-1][1])
            states[key].append(one["obj"])
            times[key].append(at)
        self._states = {key: states[key] for key in states}
        self._sequences: dict[str, dict[str, _Sequence]] = {}
        for to in TARGETS:
            made = {}
            for key, found in self._states.items():
                begins = [0.0, *(at[0] for at in times[key])]
                for index in range(len(begins) - 2, -1, -1):
                    begins[index] = min(begins[index], begins[index + 1])
                ends: list[float] = []
                for _, accepted in times[key]:
                    end = self._windows[to].deadline(accepted, lost=key == LOST)
                    ends.append(max(end, ends[-1]) if ends else end)
                made[key] = _Sequence(found, begins, [*ends, float("inf")])
            self._sequences[to] = made
        self._scopes: dict[tuple[str, int], _Scope] = {}

    def _scope(self, to: str, question: int) -> _Scope:
        scope = self._scopes.get((to, question))
        if scope is None:
            asked = self._questions[question]
            keys = depends_on(asked, self._states)
            found = self._sequences[to]
            objects = {key: found[key] for key in keys if key in found}
            scope = self._scopes[to, question] = _Scope(asked, objects)
        return scope

    # -- what was answered

    def _check_answers(self) -> None:
        failing = {to: self._failing(to) for to in TARGETS}
        seen: dict[tuple[str, str, int], Order | Floor] = {}
        failovers = self._failovers()
        reported: Counter[tuple[str, str, int]] = Counter()
        for batch in self._of["asked"]:
            to, at = batch["to"], tuple(batch["at"])
            for question, answer in zip(batch["q"], batch["a"], strict=True):
                self._verdict.answers += 1
                if self._is_error[answer]:
                    if (
                        _within(at, failing[to])
                        or self._is_shed(to, answer, at)
                        or _within(at, self._overwhelmed)
                    ):
                        self._verdict.errors_promised += 1
                    else:
                        self._found("error", to, question, answer, at, reported)
                    continue
                scope = self._scope(to, question)
                allowed = scope.allowed(at)
                if allowed is None:
                    self._verdict.unchecked += 1
                    continue
                vectors = allowed.get(self._answers[answer])
                if vectors is None:
                    denied = self._answers[answer].startswith("NXDOMAIN")
                    self._found(
                        "nxdomain" if denied else "wrong", to, question, answer, at, reported
                    )
                    continue
                order = seen.get((to, batch["c"], question))
                if order is None:
                    order = Floor(self._settled, failovers) if to == "coredns" else Order()
                    seen[to, batch["c"], question] = order
                if not order.follows(vectors, at):
                    self._found("back", to, question, answer, at, reported)

    def _found(
        self,
        kind: str,
        to: str,
        question: int,
        answer: int,
        at: Interval,
        reported: Counter[tuple[str, str, int]],
    ) -> None:
        reported[kind, to, question] += 1
        if reported[kind, to, question] > 1:
            self._verdict.counts[kind] += 1
            return
        asked = self._questions[question]
        detail = [f"  answered  {self._answers[answer]}"]
        if kind != "error":
            allowed = self._scope(to, question).allowed(at) or {}
            detail += [f"  allowed   {one}" for one in sorted(allowed)[:_SHOWN]]
            if len(allowed) > _SHOWN:
                detail.append(f"  and {len(allowed) - _SHOWN} more")
        what = f"{asked.name} {asked.qtype} of {to}, asked {at[0]:.3f}"
        self._verdict.add(Violation(kind, what, at[1], "\n".join(detail), self._near(at)))

    def _is_shed(self, to: str, answer: int, at: Interval) -> bool:
        """Whether a worker, or both behind CoreDNS, refused a call because calls had piled up while
        it could not run."""
        if self._answers[answer] != (UNAVAILABLE if to != "coredns" else "SERVFAIL"):
            return False
        if self._windows[TARGETS[0]].stood_still(at[0] - 0.5, at[1]) >= OVERLOAD:
            return True
        workers = TARGETS[:2] if to == "coredns" else (to,)
        return all(_within((at[0] - 0.5, at[1]), self._starved[one]) for one in workers)

    def _near(self, at: Interval) -> str:
        """The faults of that time."""
        near = [
            f"[{one['n']} {one['kind']} {one.get('target', '')} "
            f"{one['at'][0]:.1f}-{one['at'][1]:.1f}]"
            for one in self._faults
            if one["at"][0] - 1 <= at[1] and at[0] <= one["at"][1] + 10
        ]
        return ", after " + " ".join(near) if near else ""

    def _failing(self, to: str) -> list[Interval]:
        """When queries may fail: at a socket while its worker is replaced; through CoreDNS while it
        is down itself, or both workers are (its client then waits as long again)."""
        own: dict[str, list[Interval]] = defaultdict(list)
        for fault in self._faults:
            if not PROMISES[fault["kind"]].fails:
                continue
            where = fault.get("target", "")
            begin, end = fault["at"]
            for each in TARGETS[:2] if not where.startswith(("worker", "coredns")) else (where,):
                own[each].append((begin - 0.1, end + RECOVERY))
        if to != "coredns":
            return self._with_stalls(own[to])
        both = [
            (max(one[0], other[0]), 2 * min(one[1], other[1]) - max(one[0], other[0]) + 3)
            for one in own["worker 0"]
            for other in own["worker 1"]
            if one[0] - 1.5 <= other[1] and other[0] - 1.5 <= one[1]
        ]
        return self._with_stalls([*own["coredns"], *both])

    def _settled(self, shown: float) -> float:
        """From when on both workers have what one has shown."""
        return self._windows["coredns"].after(shown, SKEW)

    def _failovers(self) -> list[Interval]:
        """When CoreDNS may get older answers than before, one after the other: from whatever
        restarts until it has caught up, and from one worker while both are overloaded."""
        cuts = [one["at"] for one in self._faults if PROMISES[one["kind"]].cuts]
        found: list[Interval] = []
        for fault in self._faults:
            promise = PROMISES[fault["kind"]]
            if not (promise.restarts or promise.fails):
                continue
            begin, end = fault["at"]
            # What restarts while the API is away has only the snapshot.
            caught_up = [stop for start, stop in cuts if start <= end and begin <= stop + RECOVERY]
            found.append((begin - promise.back, max([end, *caught_up]) + RECOVERY))
        merged: list[Interval] = []
        for begin, end in self._with_stalls(found):
            if merged and begin <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(merged[-1][1], end)
            else:
                merged.append((begin, end))
        return merged

    def _with_stalls(self, found: list[Interval]) -> list[Interval]:
        return sorted(
            (begin, end + self._windows[TARGETS[0]].stood_still(begin, end + 2))
            for begin, end in found
        )

    # -- processes

    def _check_processes(self) -> None:
        for kind in ("leaked", "unhealed", "unlike"):
            for one in self._of[kind]:
                self._verdict.add(Violation(kind, one["what"], one["t"]))
        series: dict[tuple[str, int], list[tuple[float, int]]] = defaultdict(list)
        for one in self._of["rss"]:
            series[one["what"], one["pid"]].append((one["t"], one["kb"]))
        for (what, pid), sizes in series.items():
            if sizes[-1][0] - sizes[0][0] < 60:
                continue
            third = len(sizes) // 3
            early, late = (max(kb for _, kb in part) for part in (sizes[:third], sizes[-third:]))
            if late > early * 1.25 + 8_000:
                detail = f"  {early} kB in the first third, {late} kB in the last"
                self._verdict.add(Violation("memory", f"{what} {pid}", sizes[-1][0], detail))


def _within(at: Interval, intervals: list[Interval]) -> bool:
    return any(begin <= at[1] and at[0] <= end for begin, end in intervals)


def as_dict(verdict: Verdict) -> dict[str, Any]:
    """For a summary line."""
    return {
        "answers": verdict.answers,
        "unchecked": verdict.unchecked,
        "writes": verdict.writes,
        "faults": dict(sorted(verdict.faults.items())),
        "errors_promised": verdict.errors_promised,
        "slowest_stall": round(verdict.slowest_stall, 3),
        "violations": dict(verdict.counts),
    }
