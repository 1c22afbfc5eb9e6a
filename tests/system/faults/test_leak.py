"""No leak: after any number of queries, a process has the size that it had with full memos.

`make soak` runs it with ``SOAK_QUERIES=10000000``, and with more names than the memo holds. The
memo of names that do not exist overflows in the short run as well: a share of the queries is for
names that do not exist and were never asked before.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from bench import load, usage
from bench.cluster import ENDPOINTS, Name, Question, service_of, slice_of, write_questions
from grpcdns.core.memo import CHEAP_BYTES, MEMO_BYTES
from harness.fixtures import built
from harness.grpcdns import Grpcdns
from harness.metrics import samples
from harness.objects import write_list
from harness.ports import free_address
from tests.system.faults.test_workers import HOOK

pytestmark = [pytest.mark.servers, pytest.mark.slow, pytest.mark.timeout(7200)]

QUERIES = int(os.environ.get("SOAK_QUERIES", "200000"))
SIZE, FULL = (10_000, MEMO_BYTES + CHEAP_BYTES) if QUERIES >= 1_000_000 else (600, CHEAP_BYTES)
"""The number of Services, and the least that the memos hold after all their names were asked."""
STEPS = 20
STRANGERS = 15_000
"""How many names that do not exist fill their memo."""
SHED = 0.02
"""The share of calls that may end with UNAVAILABLE, on a machine that is short of processors."""
GROWTH = 1.05

LEAK = """
from grpcdns.core import handler
handle = handler.Handler.handle
kept = []
def leak(self, message):
    kept.append(bytes(1000))
    return handle(self, message)
handler.Handler.handle = leak
"""
"""A fault that the test must notice: a worker that keeps a little of each query."""


@pytest.fixture(scope="module", autouse=True)
def generator() -> Path:
    return built(load.binary)


@pytest.fixture(scope="module")
def manifests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cluster of `SIZE` Services."""
    items = [make(Name(number)) for number in range(SIZE) for make in (service_of, slice_of)]
    return write_list(tmp_path_factory.mktemp("manifests") / "cluster.json", items)


def _known(name: Name) -> Iterator[Question]:
    """Every question about a Service."""
    yield Question(name.qname, "A", answers=ENDPOINTS if name.headless else 1)
    for qname in (name.qname, f"_http._tcp.{name.qname}", f"_https._tcp.{name.qname}"):
        yield Question(qname, "SRV", answers=1)
    for qtype in ("AAAA", "TXT", "MX"):
        yield Question(name.qname, qtype)
    if not name.headless:
        yield Question(_reverse(name.cluster_ip), "PTR", answers=1)
        return
    for number in range(ENDPOINTS):
        endpoint = f"{name.name}-{number}.{name.qname}"
        yield Question(endpoint, "A", answers=1)
        yield Question(endpoint, "AAAA")
        yield Question(_reverse(name.endpoint_ip(number)), "PTR", answers=1)


def _stranger(chance: random.Random) -> Question:
    """A question never asked before: its name has 64 random bits, or 24."""
    label = f"{chance.getrandbits(64):x}"
    space = f"team-{chance.randrange(SIZE // 100)}.svc.cluster.local."
    match chance.randrange(5):
        case 0:
            return Question(f"www.{label}.example.{space}", "AAAA", "NXDOMAIN")
        case 1:
            address = IPv4Address(chance.getrandbits(24) | 11 << 24)
            return Question(_reverse(str(address)), "PTR", "NXDOMAIN")
        case 2:
            return Question(f"{label}.example.org.", "A", "REFUSED")
        case _:
            return Question(f"{label}.{space}", "A", "NXDOMAIN")


def _reverse(address: str) -> str:
    return f"{IPv4Address(address).reverse_pointer}."


class Asker:
    """Queries a grpcdns, and measures its processes."""

    def __init__(self, grpcdns: Grpcdns, folder: Path) -> None:
        self.processes = {**grpcdns.children(), "supervisor": grpcdns.process.pid}
        self._grpcdns = grpcdns
        self._folder = folder
        self._chance = random.Random(11)
        self._names = [one for number in range(SIZE) for one in _known(Name(number))]
        self._chance.shuffle(self._names)

    def fill(self) -> None:
        """Asks every worker each name once, and strangers until their memo is full."""
        asked = [*self._names, *(_stranger(self._chance) for _ in range(STRANGERS))]
        with ThreadPoolExecutor() as both:
            list(both.map(lambda target: self._run([target], asked), self._grpcdns.listen))

    def ask(self, count: int) -> None:
        """Mostly a tenth of the names; fewer strangers, and fewest of any name."""
        popular = self._names[: len(self._names) // 10]
        kinds = self._chance.choices(range(3), (75, 15, 10), k=count)
        asked = [
            _stranger(self._chance)
            if kind == 1
            else self._chance.choice(self._names if kind else popular)
            for kind in kinds
        ]
        self._run(self._grpcdns.listen, asked)

    def rss(self) -> dict[str, float]:
        """MB, by process."""
        assert self._grpcdns.children().items() <= self.processes.items(), "one was restarted"
        return {name: usage.memory([pid]).rss for name, pid in self.processes.items()}

    def _run(self, targets: Sequence[str], asked: list[Question]) -> None:
        names = self._folder / f"names-{len(targets)}-{Path(targets[0]).stem}"
        write_questions(names, asked)
        found = load.run(targets, names, callers=32, seconds=600, count=len(asked), tolerate=SHED)
        assert found.errors.keys() <= {"grpc Unavailable"}
        assert found.answers + found.failed == len(asked), "it took too long"


def _soak(grpcdns: Grpcdns, count: int, folder: Path) -> dict[str, list[float]]:
    """RSS by process: with full memos, and after each of STEPS parts of ``count`` queries."""
    asker = Asker(grpcdns, folder)
    asker.fill()
    asker.ask(count // 10)
    sizes = [asker.rss()]
    for _ in range(STEPS):
        asker.ask(count // STEPS)
        sizes.append(asker.rss())
    return {name: [size[name] for size in sizes] for name in asker.processes}


def _growth(series: Sequence[float]) -> float:
    return series[-1] / series[0]


@pytest.mark.timed
@pytest.mark.parametrize(("transport", "share"), [("lane", 1), ("threads", 10)])
def test_queries_leave_nothing_behind(
    transport: str, share: int, manifests: Path, tmp_path: Path
) -> None:
    count = QUERIES // share
    metrics = free_address()
    options = ("--manifests", manifests, "--upstream", "none", "--transport", transport)
    with Grpcdns(*options, "--metrics", str(metrics)) as grpcdns:
        found = _soak(grpcdns, count, tmp_path)
        counted = samples(metrics)
    print(f"\n{transport}: {count:,} queries")
    for name, series in found.items():
        later = ", ".join(f"{size:.1f}" for size in series[STEPS // 4 :: STEPS // 4])
        print(f"{name}: {series[0]:.1f} MB warm, then {later} MB, {_growth(series):.3f} times")
    for worker in ("worker-0", "worker-1"):
        hits, misses, evictions, octets = (
            counted[f'grpcdns_memo_{one}{{worker="{worker}"}}']
            for one in ("hits_total", "misses_total", "evictions_total", "bytes")
        )
        print(f"{worker}: {hits:,.0f} hits, {misses:,.0f} misses, {evictions:,.0f} evictions")
        print(f"{worker}: {octets / 1e6:.1f} MB in its memos")
        assert octets > 0.95 * FULL
        assert hits > 0.3 * count, "both workers are asked"
        assert misses > evictions > 0
    for name, series in found.items():
        assert _growth(series) <= GROWTH, name


def test_a_leak_is_noticed(manifests: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HOOK)
    (tmp_path / "grpcdns_fault.py").write_text(LEAK)
    options = ("--manifests", manifests, "--upstream", "none")
    with Grpcdns(*options, env={"PYTHONPATH": str(tmp_path)}) as grpcdns:
        found = _soak(grpcdns, 20_000, tmp_path)
    for worker in ("worker 0", "worker 1"):
        assert _growth(found[worker]) > GROWTH
    assert _growth(found["feed"]) <= GROWTH
