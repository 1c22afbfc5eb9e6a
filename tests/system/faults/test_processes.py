"""Processes die and freeze under a steady load through a real CoreDNS without a cache.

``SOAK_SECONDS`` is the length (`make soak`: 60).
"""

from __future__ import annotations

import collections
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import free_address
from harness.steady import Questions, Steady
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "12"))
SVC = ".default.svc.cluster.local."
QUESTIONS: Questions = {
    ("xecho" + SVC, "A"): frozenset({"10.96.49.52"}),
    ("myhost.headless" + SVC, "A"): frozenset(f"172.17.0.{n}" for n in (9, 10, 11, 12)),
    ("myhost.headless" + SVC, "SRV"): frozenset({"0 25 80 myhost.headless" + SVC}),
    ("web" + SVC, "AAAA"): frozenset({"fd00:10:96::7"}),
    ("52.49.96.10.in-addr.arpa.", "PTR"): frozenset({"xecho" + SVC}),
}


@pytest.fixture
def grpcdns() -> Iterator[Grpcdns]:
    with Grpcdns("--manifests", EXAMPLES) as running:
        yield running


@pytest.fixture
def front(grpcdns: Grpcdns, coredns: Callable[..., CoreDNS]) -> CoreDNS:
    return coredns(f". {{\nerrors\n{grpcdns.grpc_block}\n}}")


def _replaced(grpcdns: Grpcdns, name: str, old: int) -> float:
    """Seconds until a process is replaced and everything serves."""
    began = time.monotonic()
    wait_until(
        lambda: grpcdns.children().get(name, old) != old and grpcdns.serving(),
        f"{name} replaced",
        interval=0.01,
    )
    return time.monotonic() - began


def _connected(path: str) -> bool:
    """Whether a unix socket has a connection: state 03 in /proc/net/unix."""
    lines = (line.split() for line in Path("/proc/net/unix").read_text().splitlines())
    return any(len(words) == 8 and words[7] == path and words[5] == "03" for words in lines)


def _reconnected(grpcdns: Grpcdns, name: str) -> None:
    """Waits until CoreDNS uses a worker again. Its client has failed to connect and waits about a
    second before it retries; if the other worker died in that second, CoreDNS would have none."""
    if name.startswith("worker"):
        path = grpcdns.listen[int(name.split()[1])].removeprefix("unix://")
        looks: collections.deque[bool] = collections.deque(maxlen=10)

        def steadily() -> bool:
            """Ten times in a row: a call of the test itself is over by then."""
            looks.append(_connected(path))
            return len(looks) == 10 and all(looks)

        wait_until(steadily, f"CoreDNS connected to {name}")


def test_kill_9_of_each_in_turn_loses_no_query(grpcdns: Grpcdns, front: CoreDNS) -> None:
    """A dead worker costs nothing: CoreDNS asks the other one."""
    kills = 0
    end = time.monotonic() + SECONDS
    with Steady(front.address, QUESTIONS) as steady:
        while time.monotonic() < end:
            for name in ("worker 0", "feed", "worker 1"):
                pid = grpcdns.children()[name]
                os.kill(pid, signal.SIGKILL)
                _replaced(grpcdns, name, pid)
                _reconnected(grpcdns, name)
                kills += 1
    report = steady.report()
    print(f"\n{kills} kills: {report}")
    assert kills >= 3
    assert not report.failed
    assert report.right == report.asked > SECONDS * 150


def test_a_frozen_worker_is_replaced_within_a_second_and_loses_no_query(
    grpcdns: Grpcdns, front: CoreDNS
) -> None:
    """A frozen worker accepts queries and answers none, until it is killed."""
    took = []
    with Steady(front.address, QUESTIONS) as steady:
        for name in ("worker 0", "worker 1", "worker 0"):
            pid = grpcdns.children()[name]
            os.kill(pid, signal.SIGSTOP)
            took.append(_replaced(grpcdns, name, pid))
            _reconnected(grpcdns, name)
    report = steady.report()
    print(f"\nreplaced after {', '.join(f'{s:.2f} s' for s in took)}: {report}")
    assert not report.failed
    assert max(took) < 2.0, "noticed, killed and restarted"
    assert report.slowest < 2.0


def test_a_frozen_feed_is_replaced_and_answers_go_on(grpcdns: Grpcdns, front: CoreDNS) -> None:
    pid = grpcdns.children()["feed"]
    with Steady(front.address, QUESTIONS) as steady:
        os.kill(pid, signal.SIGSTOP)
        _replaced(grpcdns, "feed", pid)
    assert not steady.report().failed


def test_rolling_restarts_lose_no_query(coredns: Callable[..., CoreDNS]) -> None:
    """Pairs of CoreDNS and grpcdns, as Pods behind a Service. They are restarted one at a time:
    first CoreDNS, which answers what still comes while it is in lameduck, then its grpcdns."""
    block = "errors\nhealth 127.0.0.1:0 {{\nlameduck 1s\n}}\n{}"
    addresses = [free_address(), free_address()]
    with ExitStack() as stack:
        ours = [stack.enter_context(Grpcdns("--manifests", EXAMPLES)) for _ in addresses]
        fronts = [
            coredns(f". {{\n{block.format(one.grpc_block)}\n}}", address=address)
            for one, address in zip(ours, addresses, strict=True)
        ]
        for number, (mine, before) in enumerate(zip(ours, fronts, strict=True)):
            here, other = addresses[number], addresses[1 - number]
            with Steady(here, QUESTIONS) as leaving:
                before.process.send(signal.SIGTERM)  # lameduck: clients move to the other pair
                wait_until(lambda b=before: "lameduck" in b.log_text, "CoreDNS in lameduck")  # type: ignore[misc]
            with Steady(other, QUESTIONS) as steady:
                assert before.process.wait() == 0
                assert mine.stop() == 0
                mine.start()
                before.start()
            assert not leaving.report().failed
            assert not steady.report().failed
