"""Each way in which `grpcdns serve` is told to end: it drains once, and drops nothing in flight."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.message
import grpc
import pytest

from harness.dns import section
from harness.dns_server import DnsServer, Query, response
from harness.grpcdns import Grpcdns
from harness.waiting import wait_until
from tests.system.processes.processes import answers, write_manifests

ALIAS = "alias.default.svc.cluster.local."
TARGET = "outside.example."
MANIFEST = f"""\
---
apiVersion: v1
kind: Service
metadata: {{name: alias, namespace: default}}
spec: {{type: ExternalName, externalName: {TARGET}}}
"""


class Running(NamedTuple):
    """A running `grpcdns serve`, and the upstream that its queries wait for."""

    ours: Grpcdns
    upstream: DnsServer
    answer: threading.Event
    ending: list[Callable[[], None]]

    @property
    def log(self) -> str:
        return self.ours.process.log_text

    def send(self, number: signal.Signals) -> None:
        self.ours.process.send(number)

    def send_group(self, number: signal.Signals) -> None:
        os.killpg(self.ours.process.pid, number)

    def send_each(self, pids: list[int], number: signal.Signals) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass  # it has ended already

    def wait_draining(self) -> None:
        wait_until(lambda: "supervisor: SIG" in self.log, "the supervisor drains")


@contextmanager
def serving(folder: Path, dns_server: Callable[..., DnsServer], *prefix: str) -> Iterator[Running]:
    go_on = threading.Event()

    def reply(query: Query) -> list[bytes]:
        go_on.wait(20.0)
        return [response(query, f"{TARGET} 30 IN A 192.0.2.1")]

    upstream = dns_server(reply)
    manifests = write_manifests(folder / "cluster.yaml")
    manifests.write_text(manifests.read_text() + MANIFEST)
    options = ("--manifests", manifests, "--upstream", upstream.address)
    with Grpcdns(*options, folder=folder, prefix=prefix) as ours:
        running = Running(ours, upstream, go_on, [])
        try:
            yield running
        finally:
            for end in running.ending:
                end()


def twice(running: Running) -> None:
    running.send(signal.SIGTERM)
    running.send(signal.SIGTERM)


def all_the_time(running: Running) -> None:
    """To the supervisor, from now to its end."""

    def send() -> None:
        while not ended.wait(0.001):
            running.send(signal.SIGTERM)

    ended = threading.Event()
    sender = threading.Thread(target=send)
    sender.start()
    running.ending.append(ended.set)
    running.ending.append(sender.join)


def each_again(running: Running) -> None:
    """To every process, and to every worker again while it drains."""
    control_group(running)
    running.wait_draining()
    for _ in range(3):
        control_group(running)


def interrupted_twice(running: Running) -> None:
    """As where a terminal signals the group and an init relays it to the group once more."""
    running.send(signal.SIGINT)
    running.send(signal.SIGINT)


def interrupted_and_terminated(running: Running) -> None:
    running.send(signal.SIGINT)
    running.wait_draining()
    running.send(signal.SIGTERM)


def control_group(running: Running) -> None:
    """As systemd's KillMode=control-group does."""
    running.send_each([running.ours.process.pid, *running.ours.children().values()], signal.SIGTERM)


def control_group_backwards(running: Running) -> None:
    running.send_each([*running.ours.children().values(), running.ours.process.pid], signal.SIGTERM)


class Way(NamedTuple):
    """``prefix``: what the command is started under."""

    name: str
    end: Callable[[Running], None]
    prefix: tuple[str, ...] = ()


WAYS = [
    Way("SIGTERM", lambda running: running.send(signal.SIGTERM)),
    Way("SIGTERM twice at once", twice),
    Way("SIGTERM all the time", all_the_time),
    Way("timeout", lambda running: running.send(signal.SIGTERM), ("timeout", "300")),
    Way("SIGTERM to the group", lambda running: running.send_group(signal.SIGTERM), ("setsid",)),
    Way("control group", control_group),
    Way("control group, children first", control_group_backwards),
    Way("control group, again and again", each_again),
    Way("Ctrl-C", lambda running: running.send_group(signal.SIGINT), ("setsid",)),
    Way("Ctrl-C relayed", interrupted_twice),
    Way("SIGINT and SIGTERM", interrupted_and_terminated),
]


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS, ids=[way.name for way in WAYS])
def test_it_drains_once_and_drops_nothing(
    tmp_path: Path, dns_server: Callable[..., DnsServer], way: Way
) -> None:
    """Calls that wait for the upstream get its records, the others a reply, or a code that makes
    CoreDNS query the other worker."""
    codes: set[grpc.StatusCode] = set()
    with (
        ThreadPoolExecutor(8) as pool,
        serving(tmp_path, dns_server, *way.prefix) as running,
    ):
        waiting = [pool.submit(running.ours.ask, ALIAS, worker=n, timeout=20.0) for n in (0, 1)]
        load = [pool.submit(ask_until_refused, running.ours, n % 2, codes) for n in range(4)]
        wait_until(lambda: len(running.upstream.queries) == 2, "both wait for the upstream")
        way.end(running)
        wait_until(lambda: running.log.count(": draining\n") >= 3, "all drain")
        running.answer.set()
        for call in waiting:
            assert "outside.example. 30 IN A 192.0.2.1" in records(call)
        for caller in load:
            caller.result(20.0)
        assert running.ours.process.wait(timeout=20.0) == 0
        assert "killed" not in running.log
        assert "died" not in running.log
        for process in ("supervisor: SIG", "worker-0: draining", "worker-1: draining"):
            assert running.log.count(process) == 1
        assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def ask_until_refused(ours: Grpcdns, worker: int, codes: set[grpc.StatusCode]) -> None:
    while True:
        try:
            assert answers(ours, worker=worker)
        except grpc.RpcError as error:
            codes.add(error.code())
            return


def records(call: Future[dns.message.Message]) -> list[str]:
    return section(call.result(20.0))


def test_a_second_interrupt_ends_it_at_once(
    tmp_path: Path, dns_server: Callable[..., DnsServer]
) -> None:
    with ThreadPoolExecutor(1) as pool, serving(tmp_path, dns_server) as running:
        waiting = pool.submit(running.ours.ask, ALIAS, timeout=20.0)
        wait_until(lambda: running.upstream.queries, "it waits for the upstream")
        running.send(signal.SIGINT)
        running.wait_draining()
        pressed = time.monotonic()
        wait_until(lambda: time.monotonic() - pressed > 0.2, "the second key press")
        running.send(signal.SIGINT)
        assert running.ours.process.wait() == 0
        assert "did not end: killed" in running.log
        with pytest.raises(grpc.RpcError):
            waiting.result(20.0)
