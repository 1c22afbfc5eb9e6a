"""The parts of the chaos that need no servers: the schedule, shrinking, and the checker over
histories of a few records."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import checker, nemesis
from tests.chaos.disk import Disk
from tests.chaos.history import Record
from tests.chaos.model import NXDOMAIN, text

NAME = "web.shop.svc.cluster.local."
ONE, TWO = (text("NOERROR", [f"A 10.96.0.{n}"], soa=False) for n in (1, 2))


def test_a_schedule_is_a_function_of_its_seed() -> None:
    def planned(seed: int) -> list[nemesis.Planned]:
        return list(islice(nemesis.schedule(seed, seconds=60), 60))

    assert planned(1) == planned(1) != planned(2)
    kinds = {kind for one in planned(1) for kind in one.kinds}
    assert kinds == {kind for kind in nemesis.FAULTS if kind not in nemesis.SLOW}
    assert any(len(one.kinds) == 2 for one in planned(1))


def test_every_kind_has_a_promise() -> None:
    assert {nemesis.kind_of(name) for name in nemesis.FAULTS} == checker.PROMISES.keys()


@pytest.mark.parametrize("guilty", [set(), {5}, {2, 3}, {0, 9}, {1, 4, 8}])
def test_a_failing_schedule_is_made_small(guilty: set[int]) -> None:
    assert set(nemesis.shrunk(list(range(10)), lambda part: guilty <= set(part))) == guilty


def test_a_small_disk_can_be_full(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "disk")
    disk.start()
    try:
        if not disk.may_be_full:
            pytest.skip("no user namespace may mount a tmpfs here")
        disk.fill()
        with pytest.raises(OSError, match="No space left"):
            (disk.folder / "snapshot").write_bytes(b"1")
        disk.free()
        (disk.folder / "snapshot").write_bytes(b"1")
    finally:
        disk.stop()


def service(ip: str) -> dict[str, Any]:
    return {"type": "ClusterIP", "ips": [ip], "external": ".", "ports": [["", "TCP", 80]]}


def truth(at: float, *ips: str) -> Record:
    obj = service(ips[0]) if ips else None
    return {"r": "truth", "t": at, "rev": int(at), "key": "service/shop/web", "obj": obj}


def asked(at: float, answer: str, to: str = "worker 0", c: int = 1) -> Record:
    return {"r": "asked", "at": [at, at + 0.01], "to": to, "c": c, "q": [0], "a": [answer]}


def fault(kind: str, begin: float, end: float, target: str = "") -> Record:
    return {"r": "fault", "at": [begin, end], "n": 0, "kind": kind, "target": target}


def found(*records: Record) -> dict[str, int]:
    """What the checker finds: the Service exists from 10 to 20 at one address, then at another."""
    began: list[Record] = [
        {"r": "question", "id": 0, "name": NAME, "type": "A"},
        {"r": "truth", "at": [0, 0], "rev": 1, "key": "namespace/shop", "obj": {}},
        truth(10, "10.96.0.1"),
        truth(20, "10.96.0.2"),
    ]
    answers = list(dict.fromkeys(one["a"][0] for one in records if one["r"] == "asked"))
    texts = [{"r": "answer", "id": at, "text": answer} for at, answer in enumerate(answers)]
    numbered = [
        {**one, "a": [answers.index(one["a"][0])]} if one["r"] == "asked" else one
        for one in records
    ]
    return dict(checker.check([*began, *texts, *numbered]).counts)


ROWS: dict[str, tuple[list[Record], dict[str, int]]] = {
    "before": ([asked(5, NXDOMAIN)], {}),
    "too early": ([asked(5, ONE)], {"wrong": 1}),
    "it may be known by then": ([asked(11, ONE)], {}),
    "it may be unknown yet": ([asked(11.9, NXDOMAIN)], {}),
    "it must be known by then": ([asked(12.1, NXDOMAIN)], {"nxdomain": 1}),
    "stale": ([asked(22.1, ONE)], {"wrong": 1}),
    "the machine stood still": (
        [asked(22.9, ONE), {"r": "stall", "at": [20.5, 21.5]}], {}),
    "never so": ([asked(30, text("NOERROR", ["A 10.96.0.3"], soa=False))], {"wrong": 1}),
    "back in time": ([asked(20.5, TWO), asked(20.6, ONE)], {"back": 1}),
    "of another connection": ([asked(20.5, TWO), asked(20.6, ONE, c=2)], {}),
    "from the other worker, through CoreDNS": (
        [asked(20.5, TWO, to="coredns"), asked(20.6, ONE, to="coredns")], {}),
    "back through CoreDNS": (
        [fault("api gone", 20.4, 40), asked(20.5, TWO, to="coredns"),
         asked(21.6, ONE, to="coredns")], {"back": 1}),
    "both are late, through CoreDNS": (
        [fault("api gone", 19, 40), asked(20.5, ONE, to="coredns"),
         asked(25, ONE, to="coredns"), asked(30, TWO, to="coredns")], {}),
    "back through CoreDNS, by a failover": (
        [fault("api gone", 20.4, 40), fault("kill feed", 21, 21.1, "feed"),
         asked(20.5, TWO, to="coredns"), asked(21.6, ONE, to="coredns")], {}),
    "stale while the API is away": ([fault("api gone", 19, 40), asked(41.9, ONE)], {}),
    "and too long after": ([fault("api gone", 19, 40), asked(42.1, ONE)], {"wrong": 1}),
    "wrong while the API is away": ([fault("api gone", 19, 40), asked(30, NXDOMAIN)],
                                    {"nxdomain": 1}),
    "an error": ([asked(15, "SERVFAIL")], {"error": 1}),
    "an error of a worker that was killed": (
        [fault("kill worker", 14, 16, "worker 0"), asked(15, "NO REPLY")], {}),
    "an error of the other one": (
        [fault("kill worker", 14, 16, "worker 1"), asked(15, "NO REPLY")], {"error": 1}),
    "one worker is no reason through CoreDNS": (
        [fault("kill worker", 14, 16, "worker 0"), asked(15, "SERVFAIL", to="coredns")],
        {"error": 1}),
    "a clock is no reason to be stale": ([fault("clock stepped", 19, 40), asked(30, ONE)],
                                         {"wrong": 1}),
    "calls had piled up": (
        [{"r": "stall", "at": [14.9, 15.005]}, asked(15, "UNAVAILABLE")], {}),
    "calls were refused": (
        [{"r": "stall", "at": [14.9, 14.95]}, asked(15, "UNAVAILABLE")], {"error": 1}),
    "calls had piled up while the worker waited for a CPU": (
        [{"r": "waited", "at": [14, 15], "what": "worker 0", "s": 0.3},
         asked(15, "UNAVAILABLE")], {}),
    "calls were refused while the other one waited": (
        [{"r": "waited", "at": [14, 15], "what": "worker 1", "s": 0.3},
         asked(15, "UNAVAILABLE")], {"error": 1}),
    "no reply while there was no CPU at all": (
        [{"r": "waited", "at": [14, 15], "what": "worker 0", "s": 1.1},
         asked(15, "NO REPLY")], {}),
    "no reply while there was some": (
        [{"r": "waited", "at": [14, 15], "what": "worker 0", "s": 0.6},
         asked(15, "NO REPLY")], {"error": 1}),
    "a lost event is no reason for another Service": (
        [fault("watch skips", 19, 40), asked(30, ONE)], {"wrong": 1}),
    "a leak": ([{"r": "leaked", "t": 50, "what": "feed 7"}], {"leaked": 1}),
    "another answer of the plugin": ([{"r": "unlike", "t": 50, "what": ""}], {"unlike": 1}),
    "memory": (
        [{"r": "rss", "t": at, "what": "feed", "pid": 7, "kb": 50_000 + at * 500}
         for at in range(0, 100, 10)], {"memory": 1}),
    "a gap": ([{"r": "write", "at": [25, 25.1], "key": "service/shop/web", "rev": "25",
                "error": ""}], {"gap": 1}),
}  # fmt: skip


@pytest.mark.parametrize(("records", "expected"), ROWS.values(), ids=ROWS)
def test_checker(records: list[Record], expected: dict[str, int]) -> None:
    assert found(*records) == expected
