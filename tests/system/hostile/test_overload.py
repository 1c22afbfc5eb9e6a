"""More load than a worker can take: it sheds early, keeps its size, and recovers at once.

``SOAK_SECONDS`` is how long the overload lasts.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

from grpcdns.serve.worker.transport.packet import to_wire
from harness.waiting import wait_until
from tests.conformance.reply import query, read_reply
from tests.fuzz.world import CHEAP_BYTES, POLICIES, answer, fill, make_handler
from tests.system.hostile.abuse import QUERY
from tests.system.hostile.worker import SPARE, Worker
from tests.transports import TRANSPORTS, method, serving, unix

SECONDS = float(os.environ.get("SOAK_SECONDS", "3"))
WORK = 0.002
"""Seconds of processor time that a query takes here: one worker can answer 500 a second."""


def busy(_: bytes) -> bytes:
    """Answers after `WORK` seconds of processor time."""
    end = time.thread_time() + WORK
    while time.thread_time() < end:
        pass
    return b"reply"


class Crowd:
    """Sends ``rate`` queries a second without waiting for the answers."""

    def __init__(self, channel: grpc.Channel, rate: float) -> None:
        self.codes: Counter[str] = Counter()
        self.slowest = 0.0
        self._call = method(channel)
        self._rate = rate
        self._lock = threading.Lock()

    def run(self, seconds: float) -> None:
        began = time.perf_counter()
        sent = 0
        pending = []
        tick = threading.Event()
        while (now := time.perf_counter() - began) < seconds:
            for _ in range(int(now * self._rate) - sent):
                sent += 1
                pending.append(self._ask())
            tick.wait(0.005)
        for future in pending:
            future.exception()

    def _ask(self) -> grpc.Future[bytes]:
        began = time.perf_counter()
        future = self._call.future(b"", timeout=5.0)

        def done(ended: grpc.Future[bytes]) -> None:
            error = ended.exception()
            code = "OK" if error is None else error.code().name  # type: ignore[attr-defined]
            with self._lock:
                self.codes[code] += 1
                if code == "OK":
                    self.slowest = max(self.slowest, time.perf_counter() - began)

        future.add_done_callback(done)
        return future


@pytest.mark.timed
@pytest.mark.slow
@pytest.mark.parametrize("transport", sorted(TRANSPORTS))
def test_twice_the_load_it_can_take(transport: str, tmp_path: Path) -> None:
    """Excess calls get UNAVAILABLE before the caller's timeout; the rest is answered. The test
    probes the transport as a worker's probe does, which is what measures the pressure."""
    with serving(transport, unix(tmp_path), busy) as served, served.channel() as channel:
        probing = threading.Event()

        def probe() -> None:
            with served.channel() as own:
                while not probing.wait(0.15):
                    served.pressure.sent = time.perf_counter()
                    try:
                        method(own)(b"", timeout=5.0)
                    except grpc.RpcError:
                        pass
                    served.pressure.sent = 0.0

        prober = threading.Thread(target=probe)
        prober.start()
        try:
            crowd = Crowd(channel, 2 / WORK)
            crowd.run(SECONDS)
            ended = time.perf_counter()
            wait_until(lambda: method(channel)(b"", timeout=5.0), "an answer after the overload")
            recovered = time.perf_counter() - ended
        finally:
            probing.set()
            prober.join()
    print(
        f"{transport}: {dict(crowd.codes)}, slowest {crowd.slowest:.2f} s, "
        f"recovered in {recovered:.2f} s"
    )
    # No DEADLINE_EXCEEDED: CoreDNS has 5 s for all its upstreams.
    assert set(crowd.codes) <= {"OK", "UNAVAILABLE", "RESOURCE_EXHAUSTED"}
    assert crowd.codes["OK"] > 0
    assert crowd.codes["UNAVAILABLE"] > 0
    assert recovered < (1.0 if SPARE else 5.0)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    with Worker.run(tmp_path, "lane") as running:
        yield running


@pytest.mark.timed
@pytest.mark.slow
def test_a_flood_of_random_names_at_a_real_worker(worker: Worker) -> None:
    """500 calls in flight: all are answered or shed, and memory is bounded."""
    with worker.caller() as caller:
        caller.p99(0.2)
    before = worker.rss
    codes: Counter[str] = Counter()
    target = worker.grpcdns.listen[0].replace("unix://", "unix:")
    with grpc.insecure_channel(target) as channel:
        call = method(channel)
        end = time.monotonic() + SECONDS
        number = 0
        while time.monotonic() < end:
            pending = []
            for _ in range(500):
                number += 1
                packet = to_wire(query(f"r-{number}.testns.svc.cluster.local", "A"))
                pending.append(call.future(packet, timeout=5.0))
            for future in pending:
                error = future.exception()
                codes["OK" if error is None else error.code().name] += 1  # type: ignore[attr-defined]
    print(f"{dict(codes)}, rss {before} -> {worker.rss} MiB")
    assert set(codes) <= {"OK", "UNAVAILABLE"}
    assert worker.same
    assert worker.rss < before + 64
    began = time.perf_counter()
    assert worker.grpcdns.send(query("svc1.testns.svc.cluster.local", "A"))
    assert time.perf_counter() - began < 1.0


FLOODS = {
    "names": lambda n: query(f"r-{n}.testns.svc.cluster.local", "A"),
    "namespaces": lambda n: query(f"a.r-{n}.svc.cluster.local", "A"),
    "endpoints": lambda n: query(f"r-{n}.hdls.testns.svc.cluster.local", "A"),
    "ports": lambda n: query(f"_r-{n}._tcp.hdls.testns.svc.cluster.local", "SRV"),
    "pods": lambda n: query(f"10-{n >> 16}-{n >> 8 & 255}-{n & 255}.testns.pod.cluster.local", "A"),
    "addresses": lambda n: query(f"{n & 255}.{n >> 8 & 255}.{n >> 16}.11.in-addr.arpa", "PTR"),
    "zones": lambda n: query(f"r-{n}.prefer._zone.hdls.testns.svc.cluster.local", "A"),
    "external-endpoints": lambda n: query(f"r-{n}.ext-ips.testns.outside.example", "A"),
    "types": lambda n: query("svc1.testns.svc.cluster.local", f"TYPE{1000 + n}"),
}
"""Endless names: some do not exist, some exist by a permissive rule."""


@pytest.mark.parametrize("kind", FLOODS)
def test_a_flood_does_not_push_useful_names_out_of_the_memo(kind: str) -> None:
    handler = make_handler(POLICIES[1])
    fill(handler)
    useful = [
        query(f"{name}.testns.svc.cluster.local", qtype)
        for name in ("svc1", "hdls", "web-0.hdls", "svc-dual")
        for qtype in ("A", "SRV")
    ]
    for message in useful:
        assert read_reply(answer(handler, message)).answer
    size = handler.memo_sizes()[1]
    for number in range(4000):
        answer(handler, FLOODS[kind](number))
    hits = handler.counted().hits
    for message in useful:
        answer(handler, message)
    assert handler.counted().hits == hits + len(useful), "useful names were forgotten"
    if kind != "types":  # of a name, all unknown types share one answer
        assert handler.counted().evictions > 0, "the flood fits into the memo"
    assert handler.memo_sizes()[1] <= size + CHEAP_BYTES


def test_the_query_of_the_abusers_gets_an_answer() -> None:
    from grpcdns.serve.worker.transport.packet import from_wire

    message = from_wire(QUERY)
    assert message is not None
    assert read_reply(answer(fill(make_handler(POLICIES[0])), message)).answer
