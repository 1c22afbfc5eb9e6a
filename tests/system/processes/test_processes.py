"""The processes together: started, killed, frozen, drained and reloaded."""

from __future__ import annotations

import os
import signal
import socket
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import grpc
import pytest

from grpcdns.serve import link
from grpcdns.serve.rundir import RunDir
from harness.grpcdns import SERVING, Grpcdns
from harness.metrics import get, sample
from harness.ports import free_address
from harness.waiting import wait_until
from tests.system.processes.processes import (
    NAME,
    answers,
    counters,
    is_replaced,
    wait_answers,
    write_manifests,
)

OTHER = "other.default.svc.cluster.local."
TYPE_A = 'grpcdns_dns_requests_total{worker="worker-0",type="A"}'
PROBE = 'grpcdns_probe_seconds{worker="worker-0"}'


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    return write_manifests(tmp_path / "cluster.yaml")


@pytest.fixture
def ours(manifests: Path, tmp_path: Path) -> Iterator[Grpcdns]:
    with Grpcdns("--manifests", manifests, "--upstream", "none", folder=tmp_path) as running:
        yield running


@pytest.mark.parametrize("choice", ["lane", "threads", "auto"])
def test_it_answers_and_drains(manifests: Path, tmp_path: Path, choice: str) -> None:
    ours = Grpcdns("--manifests", manifests, "--transport", choice, folder=tmp_path)
    with ours:
        assert answers(ours, worker=0)
        assert answers(ours, worker=1)
        assert ours.stop() == 0
    assert "drained" in ours.process.log_text
    assert "killed" not in ours.process.log_text
    assert not list(tmp_path.glob("*.sock"))


def test_a_killed_worker_is_replaced(ours: Grpcdns) -> None:
    for worker in (0, 1):
        pid = ours.children()[f"worker {worker}"]
        os.kill(pid, signal.SIGKILL)
        wait_until(is_replaced(ours, f"worker {worker}", pid), "it is replaced")
        assert answers(ours, worker=1 - worker)
    assert "died of SIGKILL" in ours.process.log_text


@pytest.mark.timed
def test_a_frozen_worker_is_noticed_killed_and_replaced(ours: Grpcdns) -> None:
    pid = ours.children()["worker 0"]
    began = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    wait_until(is_replaced(ours, "worker 0", pid), "it is replaced", interval=0.005)
    took = time.monotonic() - began
    assert "was stopped: killed" in ours.process.log_text
    # Under a second on a machine that has a moment for it.
    assert took < (1.0 if os.getloadavg()[0] < 1.0 else 5.0), took


def test_workers_go_on_without_the_feed_and_a_new_one_sends_only_changes(
    ours: Grpcdns, manifests: Path
) -> None:
    pid = ours.children()["feed"]
    workers = {name: pid for name, pid in ours.children().items() if name != "feed"}
    os.kill(pid, signal.SIGSTOP)
    write_manifests(manifests, {"xecho": "10.96.49.53", "other": "10.96.0.2"})
    for _ in range(20):
        assert answers(ours, worker=0)
        assert answers(ours, worker=1)
    os.kill(pid, signal.SIGKILL)
    assert ours.health(0) == SERVING
    wait_answers(ours, NAME, "10.96.49.53", "the change is taken")
    wait_answers(ours, OTHER, "10.96.0.2", "the new Service is there")
    os.kill(ours.children()["feed"], signal.SIGKILL)
    write_manifests(manifests, {"xecho": "10.96.49.53"})
    wait_answers(ours, OTHER, None, "what went while the feed was away is gone")
    assert {name: pid for name, pid in ours.children().items() if name != "feed"} == workers


def test_no_process_is_left_when_the_supervisor_is_killed(ours: Grpcdns) -> None:
    children = list(ours.children().values())
    assert len(children) == 3
    ours.process.kill()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children), "all are gone")


def test_no_process_is_left_when_the_supervisor_is_killed_while_they_start(
    manifests: Path, tmp_path: Path
) -> None:
    ours = Grpcdns("--manifests", manifests, "--upstream", "none", folder=tmp_path)
    with ours.process:
        pid = ours.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children")  # also those that have no name yet
        wait_until(found.read_text, "a child", interval=0.001)
        ours.process.freeze()
        children = found.read_text().split()
        ours.process.kill()
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in children),
            "all are gone",
            timeout=60,
        )


def test_changes_on_disk_reach_every_worker(ours: Grpcdns, manifests: Path) -> None:
    write_manifests(manifests, {"other": "10.96.0.2"})
    wait_answers(ours, OTHER, "10.96.0.2", "it came")
    wait_answers(ours, NAME, None, "it went")


def test_sigterm_under_load_drops_nothing(ours: Grpcdns) -> None:
    """Calls end with a reply, or with a code that makes CoreDNS query the other worker."""
    codes: set[grpc.StatusCode] = set()
    stopped = threading.Event()

    def ask() -> None:
        while not stopped.is_set():
            try:
                assert answers(ours)
            except grpc.RpcError as error:
                codes.add(error.code())
                return

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    wait_until(lambda: answers(ours), "it answers")
    assert ours.stop() == 0
    for caller in callers:
        caller.join(20.0)
        assert not caller.is_alive()
    stopped.set()
    assert codes <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


@pytest.mark.parametrize("fault", ["", "too long", "not there"])
def test_the_run_folder_is_private_and_removed(manifests: Path, tmp_path: Path, fault: str) -> None:
    """In the first of the usual folders that works."""
    with tempfile.TemporaryDirectory() as made:
        run = Path(made)
        first = {"": made, "too long": str(tmp_path / ("x" * 90)), "not there": "/no/such"}[fault]
        if fault == "too long":
            Path(first).mkdir()
        env = {"XDG_RUNTIME_DIR": first, "TMPDIR": made}
        with Grpcdns("--manifests", manifests, folder=tmp_path, env=env):
            (folder,) = run.iterdir()
            assert stat.S_IMODE(folder.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "config.json").stat().st_mode) == 0o600
        assert not list(run.iterdir())


def test_what_reads_the_lists_is_no_worker(manifests: Path, tmp_path: Path) -> None:
    """As `grpcdns explain` does; metrics and readiness wait for workers only."""
    at = free_address()
    options = ("--manifests", manifests, "--metrics", str(at))
    with (
        tempfile.TemporaryDirectory() as run,  # short enough for a socket's path
        Grpcdns(*options, folder=tmp_path, env={"XDG_RUNTIME_DIR": run}) as ours,
        socket.socket(socket.AF_UNIX) as reader,
    ):
        (folder,) = Path(run).iterdir()
        reader.connect(RunDir(folder).link)
        reader.sendall(link.to_frame(link.Hello("explain", live=False)))
        assert reader.recv(1), "the lists come"
        text = get(at, "/metrics")[1]
        assert 'grpcdns_feed_resyncs_total{worker="worker-0"}' in text
        assert "explain" not in text
        assert answers(ours)


def ended(*options: str | Path, folder: Path) -> tuple[int, str]:
    """Exit code and log of a start that must fail."""
    ours = Grpcdns(*options, folder=folder)
    ours.start(ready=False)
    code = ours.process.wait(timeout=20.0)
    return code, ours.process.log_text


def lines(log: str) -> list[str]:
    return [line for line in log.splitlines() if line.startswith("grpcdns: ")]


def test_an_address_in_use_ends_it_with_one_line(
    ours: Grpcdns, manifests: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Grpcdns("--manifests", manifests, listen=ours.listen[:1], folder=other)
    second.start(ready=False)
    assert second.process.wait(timeout=20.0) == 2
    (line,) = lines(second.process.log_text)
    assert line.endswith("in use by another process; stop it or choose another path")
    assert answers(ours)


@pytest.fixture
def taken(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """`taken("tcp")`, `taken("unix")`: an address that somebody else listens on."""
    with ExitStack() as stack:

        def take(kind: str) -> str:
            if kind == "tcp":
                address = free_address()
                stack.enter_context(socket.create_server(address))
                return str(address)
            path = tmp_path / f"taken-{len(os.listdir(tmp_path))}.sock"
            sock = stack.enter_context(socket.socket(socket.AF_UNIX))
            sock.bind(str(path))
            sock.listen()
            return f"unix://{path}"

        yield take


@pytest.mark.parametrize("kinds", [["tcp"], ["unix"], ["unix", "tcp"]], ids="-".join)
def test_no_address_is_free_at_the_start(
    manifests: Path, tmp_path: Path, taken: Callable[[str], str], kinds: list[str]
) -> None:
    """It ends with a line for each."""
    listen = tuple(map(taken, kinds))
    ours = Grpcdns("--manifests", manifests, listen=listen, folder=tmp_path)
    ours.start(ready=False)
    assert ours.process.wait(timeout=20.0) == 2
    found = lines(ours.process.log_text)
    assert len(found) == len(listen)
    for line, address in zip(found, listen, strict=True):
        assert line.startswith(f"grpcdns: --listen {address}: ")
        assert "in use" in line


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_one_address_of_two_is_free_at_the_start(
    manifests: Path, tmp_path: Path, kind: str
) -> None:
    """It serves there, says what is wrong, and takes the other once that is free."""
    at, tcp, path = free_address(), free_address(), tmp_path / "0.sock"
    listen = (str(tcp) if kind == "tcp" else f"unix://{path}", f"unix://{tmp_path}/1.sock")
    options = ("--manifests", manifests, "--metrics", str(at), "--upstream", "none")
    ours = Grpcdns(*options, listen=listen, folder=tmp_path)
    with ExitStack() as stack:
        thief = socket.create_server(tcp) if kind == "tcp" else socket.socket(socket.AF_UNIX)
        with thief:
            if kind == "unix":
                thief.bind(str(path))
                thief.listen()
            ours.start(ready=False)
            stack.callback(ours.stop)
            wait_until(lambda: answers(ours, worker=1), "the other one answers")
            wait_until(lambda: ours.process.log_text.count("in use") >= 3, "three tries")
            assert answers(ours, worker=1)
            assert f"warning supervisor: worker-0 --listen {listen[0]}: " in ours.process.log_text
            assert get(at, "/readyz") == (200, "ok\nworker-0 does not answer\n")
            assert sample(at, 'grpcdns_worker_up{worker="worker-0"}') == 0
        wait_until(lambda: answers(ours, worker=0), "both answer", timeout=20.0)
        wait_until(lambda: get(at, "/readyz?all") == (200, "ok\n"), "all are ready")


def test_a_bad_metrics_address_ends_it(manifests: Path, tmp_path: Path) -> None:
    code, log = ended("--manifests", manifests, "--metrics", "192.0.2.1:9", folder=tmp_path)
    assert code == 2
    assert lines(log) == ["grpcdns: --metrics 192.0.2.1:9: cannot assign requested address"]


def test_a_bad_manifest_ends_it(tmp_path: Path) -> None:
    bad = tmp_path / "bad.yaml"
    bad.write_text("kind: [\n")
    code, log = ended("--manifests", bad, folder=tmp_path)
    assert code == 2
    (line,) = lines(log)
    assert "bad.yaml" in line


def test_metrics_health_and_readiness(manifests: Path, tmp_path: Path) -> None:
    at = free_address()
    options = ("--manifests", manifests, "--metrics", str(at), "--upstream", "none")
    with Grpcdns(*options, folder=tmp_path) as ours:
        for _ in range(3):
            assert answers(ours, worker=1)
        assert get(at, "/healthz") == (200, "ok\n")
        assert get(at, "/readyz") == get(at, "/readyz?all") == (200, "ok\n")
        assert get(at, "/nothing").status == 404
        label = 'worker="worker-1",type="A"'
        assert sample(at, f"grpcdns_dns_requests_total{{{label}}}") >= 3
        assert sample(at, 'grpcdns_index_objects{worker="worker-0",kind="service"}') == 1
        assert sample(at, 'grpcdns_worker_up{worker="worker-0"}') == 1
        pid = ours.children()["worker 0"]
        os.kill(pid, signal.SIGKILL)
        wait_until(is_replaced(ours, "worker 0", pid), "it is replaced")
        restarts = 'grpcdns_process_restarts_total{process="worker-0"}'
        wait_until(lambda: sample(at, restarts) == 1, "it is counted")


@pytest.mark.slow
@pytest.mark.parametrize("transport", ["lane", "threads"])
def test_without_clients_no_counter_moves(manifests: Path, tmp_path: Path, transport: str) -> None:
    """The probe of each worker by itself is no client."""
    at = free_address()
    options = ("--manifests", manifests, "--metrics", str(at), "--transport", transport)
    with Grpcdns(*options, folder=tmp_path) as ours:
        assert answers(ours)
        wait_until(lambda: sample(at, TYPE_A) == 1, "the client's query is counted")
        before = counters(at)
        probes: set[float] = set()

        def probed_often() -> bool:
            probes.add(sample(at, PROBE))
            return len(probes) > 15

        wait_until(probed_often, "15 probes, over seconds")
        assert counters(at) == before
        assert answers(ours)
        wait_until(lambda: sample(at, TYPE_A) == 2, "a client still is")


def test_readiness_names_what_is_missing(manifests: Path, tmp_path: Path) -> None:
    at = free_address()
    options = ("--manifests", manifests, "--metrics", str(at))
    with Grpcdns(*options, folder=tmp_path) as ours:
        pid = ours.children()["worker 1"]
        os.kill(ours.process.pid, signal.SIGSTOP)  # so that nobody replaces it
        try:
            os.kill(pid, signal.SIGKILL)
            wait_until(lambda: get(at, "/readyz?all").status == 503, "one is not ready")
            assert get(at, "/readyz?all") == (503, "worker-1 does not answer\n")
            assert get(at, "/readyz") == (200, "ok\nworker-1 does not answer\n")
            os.kill(ours.children()["worker 0"], signal.SIGKILL)
            wait_until(lambda: get(at, "/readyz").status == 503, "none is ready")
            both = "worker-0 does not answer\nworker-1 does not answer\n"
            assert get(at, "/readyz") == (503, both)
        finally:
            os.kill(ours.process.pid, signal.SIGCONT)
        wait_until(lambda: get(at, "/readyz?all") == (200, "ok\n"), "they are ready again")


def test_reload_changes_answers_and_closes_nothing(manifests: Path, tmp_path: Path) -> None:
    """A new TTL by SIGHUP; the sockets and the processes stay."""
    file = tmp_path / "grpcdns.toml"
    file.write_text("ttl = 7\n")
    options = ("--manifests", manifests, "--config", file)
    with Grpcdns(*options, folder=tmp_path) as ours:
        before = ours.children()
        assert ours.ask(NAME).answer[0].ttl == 7
        file.write_text("ttl = 9\n")
        ours.process.send(signal.SIGHUP)
        wait_until(lambda: ours.ask(NAME, worker=1).answer[0].ttl == 9, "the TTL is new")
        wait_until(lambda: ours.ask(NAME, worker=0).answer[0].ttl == 9, "the TTL is new")
        assert ours.health(0) == ours.health(1) == SERVING
        file.write_text("ttl = 70000\n")
        ours.process.send(signal.SIGHUP)
        wait_until(lambda: "not reloaded" in ours.process.log_text, "the bad one is refused")
        assert ours.ask(NAME).answer[0].ttl == 9
        assert ours.children() == before
