"""From a source's Sink to a worker's index, over real sockets: lists, Changes, resyncs."""

from __future__ import annotations

import random
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Change, Kind, Namespace, Object, Service, key_of, pack
from grpcdns.core.cluster.store import Store
from grpcdns.serve import link
from grpcdns.serve.feed import subscriber
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.loop import FeedLoop
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.serve.worker.receiver import Receiver
from harness.waiting import wait_until

POLICY = Policy(no_endpoints=True)
Bodies = Mapping[str, bytes]


def service(name: str, address: str = "10.0.0.1") -> Service:
    return Service("default", name, cluster_ips=(address,))


def packed(*objects: Object) -> list[tuple[str, bytes, float]]:
    return [(key_of(one), pack(one), 0.0) for one in objects]


class House:
    """A feed's Broadcast and FeedLoop in a thread, and workers that come and go."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.clock = 1000.0
        self.receivers: list[Receiver] = []
        self.open()

    def open(self) -> None:
        self.loop = FeedLoop(self.path, lambda: None)
        self.broadcast = Broadcast(POLICY, self.loop.wake, lambda: self.clock)
        self.thread = threading.Thread(target=self.loop.serve, args=(self.broadcast, {}))
        self.thread.start()

    def close(self) -> None:
        self.loop.stop()
        self.thread.join(10.0)

    def worker(self, name: str = "worker-0") -> Answerer:
        answerer = Answerer(POLICY, "")
        receiver = Receiver(self.path, name, answerer, lambda: [("ready", "", 1.0)], lambda: None)
        receiver.start()
        self.receivers.append(receiver)
        return answerer

    def list_all(self, *services: Service) -> None:
        self.broadcast.replace(Kind.NAMESPACE, packed(Namespace("", "default")))
        self.broadcast.replace(Kind.SERVICE, packed(*services))

    @property
    def services(self) -> Bodies:
        return self.broadcast.store.bodies[Kind.SERVICE]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    # The loop runs in a thread here, where signals cannot be handled.
    monkeypatch.setattr(signal, "set_wakeup_fd", lambda *_args, **_more: -1)
    running = House(tmp_path / "feed.sock")
    yield running
    for receiver in running.receivers:
        receiver.stop()
    running.close()


def known(answerer: Answerer) -> Bodies:
    with answerer._lock:
        return dict(answerer._handler.index.store.bodies[Kind.SERVICE])


def same(house: House, *answerers: Answerer) -> Callable[[], bool]:
    return lambda: all(one.synced and known(one) == house.services for one in answerers)


def test_a_worker_that_connects_before_the_list(house: House) -> None:
    answerer = house.worker()
    assert not answerer.synced
    house.list_all(service("a"), service("b"))
    wait_until(same(house, answerer), "it knows all")


def test_a_worker_that_connects_after_the_list(house: House) -> None:
    house.list_all(service("a"), service("b"))
    answerer = house.worker()
    wait_until(same(house, answerer), "it knows all")
    assert answerer.live


def test_a_change_between_the_frames_of_a_list_is_newer(tmp_path: Path) -> None:
    """The feed sends it at once; the rest of the list is about other objects."""
    old, new = service("a"), service("a", "10.0.0.2")
    frames: list[link.Message] = [
        link.Listing(Kind.SERVICE, 1),
        link.Objects(Kind.SERVICE, (("default/a", pack(old)), ("default/gone", pack(old)))),
        link.Changes((
            Change(Kind.SERVICE, "default/a", pack(new), 2),
            Change(Kind.SERVICE, "default/gone", None, 2),
        )),
        link.Objects(Kind.SERVICE, (("default/b", pack(service("b"))),)),
        link.Listed(Kind.SERVICE),
    ]  # fmt: skip
    answerer = Answerer(POLICY, "")
    path = str(tmp_path / "feed.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        receiver = Receiver(path, "worker-0", answerer, list, lambda: None)
        receiver.start()
        feed, _ = listener.accept()
        with feed:
            feed.sendall(b"".join(map(link.to_frame, frames)))
            wait_until(lambda: "default/b" in known(answerer), "the list is taken")
            receiver.stop()
    assert known(answerer) == {"default/a": pack(new), "default/b": pack(service("b"))}


def test_changes_reach_every_worker(house: House) -> None:
    house.list_all(service("a"))
    both = house.worker("worker-0"), house.worker("worker-1")
    wait_until(same(house, *both), "they know all")
    house.broadcast.upsert(Kind.SERVICE, "default/b", pack(service("b")))
    house.broadcast.upsert(Kind.SERVICE, "default/a", pack(service("a", "10.0.0.2")))
    wait_until(same(house, *both), "they have the changes")
    house.broadcast.delete(Kind.SERVICE, "default/a")
    wait_until(same(house, *both), "it is gone")
    assert list(known(both[1])) == ["default/b"]


def test_an_equal_object_is_no_change(house: House) -> None:
    house.list_all(service("a"), service("b"))
    answerer = house.worker()
    wait_until(same(house, answerer), "it knows all")
    before = answerer.changes, house.broadcast.changes
    assert house.broadcast.replace(Kind.SERVICE, packed(service("a"), service("b"))) == 0
    house.broadcast.upsert(Kind.SERVICE, "default/a", pack(service("a")))
    house.broadcast.delete(Kind.SERVICE, "default/none")
    assert (answerer.changes, house.broadcast.changes) == before


def test_a_relist_is_a_diff(house: House) -> None:
    house.list_all(service("a"), service("b"), service("c"))
    answerer = house.worker()
    wait_until(same(house, answerer), "it knows all")
    before = answerer.changes
    new = packed(service("a"), service("b", "10.0.0.9"), service("d"))
    assert house.broadcast.replace(Kind.SERVICE, new) == 3
    wait_until(same(house, answerer), "it knows all")
    assert answerer.changes == before + 3


def test_a_new_feed_resyncs_a_worker_by_diff(house: House) -> None:
    house.list_all(*(service(f"s{n}") for n in range(500)))
    answerer = house.worker()
    wait_until(same(house, answerer), "it knows all")
    before = answerer.changes
    house.close()
    assert answerer.synced
    house.open()
    wait_until(lambda: house.broadcast.subscribers, "it has dialled again")
    assert answerer.synced
    house.list_all(*(service(f"s{n}") for n in range(1, 500)), service("new"))
    wait_until(same(house, answerer), "it knows all")
    assert answerer.changes == before + 2


def test_serials_never_go_back(house: House) -> None:
    house.list_all(service("a"))
    house.clock = 500.0
    house.broadcast.upsert(Kind.SERVICE, "default/b", pack(service("b")))
    assert house.broadcast.serial == 1000
    house.clock = 2000.0
    house.broadcast.upsert(Kind.SERVICE, "default/c", pack(service("c")))
    assert house.broadcast.serial == 2000


def test_a_restored_state_goes_only_to_workers_without_live_data(house: House) -> None:
    """A feed that restarts must not take a worker back to an older state."""
    house.list_all(service("a"), service("new"))
    old = house.worker("worker-0")
    wait_until(same(house, old), "it knows all")
    house.close()
    house.open()
    saved = [
        (Kind.NAMESPACE, "/default", pack(Namespace("", "default"))),
        (Kind.SERVICE, "default/a", pack(service("a"))),
        (Kind.SERVICE, "default/gone", pack(service("gone"))),
    ]
    assert house.broadcast.restore(iter(saved), 900.0, 900) == 3
    fresh = house.worker("worker-1")
    wait_until(lambda: fresh.synced, "it answers from the snapshot")
    wait_until(lambda: len(house.broadcast.subscribers) == 2, "both are there")
    assert fresh.restored == 900.0
    assert sorted(known(fresh)) == ["default/a", "default/gone"]
    assert old.live
    assert sorted(known(old)) == ["default/a", "default/new"]
    house.list_all(service("a"), service("newer"))
    wait_until(same(house, old, fresh), "both know what is now")
    wait_until(lambda: old.live and fresh.live, "nothing is from a snapshot")


def test_a_slow_worker_is_resynced_and_delays_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that does not read: the queue stays bounded, the others get each change at once."""
    monkeypatch.setattr(subscriber, "QUEUE", 64 << 10)
    house.list_all(service("a"))
    quick = house.worker("quick")
    wait_until(same(house, quick), "it knows all")
    with socket.socket(socket.AF_UNIX) as slow:
        slow.connect(house.path)
        slow.sendall(link.to_frame(link.Hello("slow", live=False)))
        wait_until(lambda: len(house.broadcast.subscribers) == 2, "it is there")
        (stuck,) = (one for one in house.broadcast.subscribers if one.name == "slow")
        for n in range(5000):
            body = pack(service(f"s{n % 50}", f"10.0.{n >> 8}.{n & 255}"))
            house.broadcast.upsert(Kind.SERVICE, f"default/s{n % 50}", body)
        assert stuck.resyncs > 0
        wait_until(same(house, quick), "the quick one knows all")
        late = _Reading(slow)
        late.start()
        wait_until(lambda: late.services == house.services, "the slow one knows all, once it reads")


def test_the_queue_of_a_worker_that_does_not_read_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subscriber, "QUEUE", 64 << 10)
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        ours.setblocking(False)
        theirs.setblocking(False)
        slow = subscriber.Subscriber(ours, Store())
        for _ in range(5000):
            slow.push(b"x" * 200)
        assert slow.resyncs > 0
        assert _drain(theirs) > 0  # what the kernel held
        queued = 0
        while slow.pending:
            slow.flush()
            queued += _drain(theirs)
        assert 0 < queued <= subscriber.QUEUE


def _drain(sock: socket.socket) -> int:
    size = 0
    try:
        while data := sock.recv(1 << 16):
            size += len(data)
    except BlockingIOError:
        pass
    return size


class _Reading(threading.Thread):
    """Applies frames as a worker does, but more simply."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(daemon=True)
        self.services: dict[str, bytes] = {}
        self._sock = sock

    def run(self) -> None:
        seen: set[str] = set()
        try:
            for message in link.receive(self._sock, link.Reader()):
                if isinstance(message, link.Listing) and message.kind is Kind.SERVICE:
                    seen = set()
                elif isinstance(message, link.Objects) and message.kind is Kind.SERVICE:
                    self.services.update(message.entries)
                    seen.update(key for key, _ in message.entries)
                elif isinstance(message, link.Listed) and message.kind is Kind.SERVICE:
                    self.services = {k: v for k, v in self.services.items() if k in seen}
                elif isinstance(message, link.Changes):
                    for change in message.changes:
                        if change.kind is Kind.SERVICE and change.body is not None:
                            self.services[change.key] = change.body
                            seen.add(change.key)
        except link.LinkError:
            pass


@pytest.mark.parametrize("seed", range(4))
def test_concurrent_changes_and_lists_end_in_the_same_state(house: House, seed: int) -> None:
    """Two threads of a source, workers that come in the middle, and random Changes."""
    chance = random.Random(seed)
    house.list_all(*(service(f"s{n}") for n in range(300)))
    workers = [house.worker("worker-0")]
    stop = threading.Event()

    def relist() -> None:
        while not stop.is_set():
            house.broadcast.replace(Kind.NAMESPACE, packed(Namespace("", f"n{chance.random()}")))

    other = threading.Thread(target=relist)
    other.start()
    for step in range(2000):
        name = f"s{chance.randrange(400)}"
        if chance.random() < 0.3:
            house.broadcast.delete(Kind.SERVICE, f"default/{name}")
        else:
            body = pack(service(name, f"10.0.0.{chance.randrange(250)}"))
            house.broadcast.upsert(Kind.SERVICE, f"default/{name}", body)
        if step % 700 == 0:
            workers.append(house.worker(f"worker-{len(workers)}"))
        if step == 1000:
            house.broadcast.replace(Kind.SERVICE, packed(*(service(f"s{n}") for n in range(200))))
    stop.set()
    other.join(10.0)
    wait_until(same(house, *workers), "all know the same")


@pytest.mark.timed
def test_a_change_reaches_the_worker_at_once(house: House) -> None:
    house.list_all(service("a"))
    answerer = house.worker()
    wait_until(same(house, answerer), "it knows all")
    took = []
    for n in range(50):
        began = time.perf_counter()
        house.broadcast.upsert(Kind.SERVICE, "default/a", pack(service("a", f"10.0.0.{n}")))
        wait_until(same(house, answerer), "it has it", interval=0.0001)
        took.append(time.perf_counter() - began)
    assert sorted(took)[25] < 0.05


def test_reports(house: House) -> None:
    house.list_all(service("a"))
    house.worker("worker-0")
    house.worker("worker-1")
    wait_until(lambda: len(house.broadcast.subscribers) == 2, "both are there")
    reports = house.loop.reports(5.0)
    assert sorted(reports) == ["worker-0", "worker-1"]
    assert reports["worker-0"].samples == (("ready", "", 1.0),)


def test_a_worker_that_does_not_answer_is_not_waited_for(house: House) -> None:
    house.list_all(service("a"))
    with socket.socket(socket.AF_UNIX) as mute:
        mute.connect(house.path)
        mute.sendall(link.to_frame(link.Hello("mute", live=False)))
        wait_until(lambda: house.broadcast.subscribers, "it is there")
        house.worker("worker-0")
        wait_until(lambda: len(house.broadcast.subscribers) == 2, "both are there")
        assert list(house.loop.reports(0.2)) == ["worker-0"]


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", id="rubbish"),
        pytest.param(link.to_frame(link.Hello("x", live=False, version=99)), id="another version"),
        pytest.param(link.to_frame(link.Ask(1)), id="what no worker says"),
    ],
)
def test_a_connection_that_is_no_worker_is_closed(house: House, raw: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as stranger:
        stranger.settimeout(10.0)
        stranger.connect(house.path)
        stranger.sendall(raw)
        assert stranger.recv(100) == b""
    house.list_all(service("a"))
    wait_until(same(house, house.worker()), "honest workers are served")
