"""Limits on requests: rate, burst, how many at once."""

from __future__ import annotations

import threading

from grpcdns.source.api.throttle import Bucket, Throttle
from tests.unit.source.fake_clock import FakeClock


def test_a_bucket_lets_a_burst_through_and_then_the_rate() -> None:
    bucket = Bucket(qps=2.0, burst=3)
    assert [bucket.take(10.0) for _ in range(5)] == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_a_bucket_fills_up_to_its_burst() -> None:
    bucket = Bucket(qps=2.0, burst=3)
    for _ in range(3):
        bucket.take(10.0)
    assert [bucket.take(1000.0) for _ in range(4)] == [0.0, 0.0, 0.0, 0.5]


def test_a_burst_of_zero_is_the_rate() -> None:
    clock = FakeClock()
    throttle = Throttle(clock, qps=2.0)
    for _ in range(4):
        with throttle.request():
            pass
    assert clock.sleeps == [0.5, 0.5]


def test_no_limit() -> None:
    clock = FakeClock()
    throttle = Throttle(clock)
    for _ in range(1000):
        with throttle.request():
            pass
    assert clock.sleeps == []


def test_in_flight() -> None:
    throttle = Throttle(FakeClock(), inflight=2)
    inside, go, most = threading.Semaphore(0), threading.Event(), []

    def request() -> None:
        with throttle.request():
            most.append(1)
            inside.release()
            assert go.wait(5)
            most.pop()

    threads = [threading.Thread(target=request) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert inside.acquire(timeout=5)
    assert inside.acquire(timeout=5)
    assert not inside.acquire(blocking=False)
    assert len(most) == 2
    go.set()
    for thread in threads:
        thread.join(5)
