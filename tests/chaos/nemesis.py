"""The nemesis: faults, one after the other or two at once, by a seed.

`schedule` is a pure function of a seed: the faults of a run, numbered, each with a seed of its own.
So a part of it can be replayed (``only``), and a failing one be halved until it is small.

A fault is a generator: it begins the fault, yields, and heals it; when it ends, all is healed.
"""

from __future__ import annotations

import itertools
import os
import random
import re
import resource
import shutil
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Final, NamedTuple

from harness.objects import port
from harness.process import Process
from harness.waiting import WaitError, wait_until
from tests.chaos import writers
from tests.chaos.history import now
from tests.chaos.model import ZONE, Question
from tests.chaos.readers import Udp, as_text, query
from tests.chaos.world import World


class Planned(NamedTuple):
    """One entry of a schedule: its number, its kinds (two at once begin one after the other), and
    the seed of its details."""

    number: int
    kinds: tuple[str, ...]
    seed: str


class Context:
    """What a fault is given: the world, its own chance, how to raise the load, how long to last."""

    def __init__(
        self, world: World, seed: str, load: Callable[[bool], None], *, burst: int
    ) -> None:
        self.world = world
        self.chance = random.Random(seed)
        self.load = load
        self.burst = burst
        self.target = ""

    def pause(self, low: float, high: float) -> None:
        time.sleep(self.chance.uniform(low, high))


Fault = Callable[[Context], Iterator[None]]


def schedule(seed: int, *, seconds: float) -> Iterator[Planned]:
    """Without an end. Every kind comes before any comes again; every fourth entry has two kinds."""
    chance = random.Random(f"schedule {seed}")
    kinds = [kind for kind in FAULTS if seconds >= SLOW.get(kind, 0.0)]
    numbers = itertools.count()
    while True:
        order = [*kinds]
        chance.shuffle(order)
        while order:
            chosen = [order.pop()]
            if order and chance.random() < 0.25:
                other = next((one for one in order if _together(chosen[0], one)), None)
                if other is not None:
                    order.remove(other)
                    chosen.append(other)
            number = next(numbers)
            yield Planned(number, tuple(chosen), f"{seed}/{number}")


def _together(one: str, other: str) -> bool:
    """What holds on by itself, such as an API that is away, goes with what strikes at once."""
    return (one in LASTING) != (other in LASTING) and not {one, other} & ALONE


def run(
    world: World,
    planned: Iterator[Planned],
    load: Callable[[bool], None],
    until: float,
    *,
    only: Collection[int] | None = None,
    burst: int = 5000,
) -> int:
    """Injects what is planned until an instant; returns how many."""
    count = 0
    for entry in planned:
        if only is not None and entry.number > max(only, default=-1):
            break
        if now() >= until:
            break
        if only is not None and entry.number not in only:
            continue
        count += 1
        with ExitStack() as stack:
            for kind in entry.kinds:
                context = Context(world, f"{entry.seed}/{kind}", load, burst=burst)
                stack.enter_context(_injected(entry.number, kind, context))
        time.sleep(random.Random(entry.seed).uniform(0.5, 2.5))
    return count


def shrunk(numbers: list[int], fails: Callable[[list[int]], bool]) -> list[int]:
    """Those of a failing schedule that still fail, and none of them can be left out: none at all,
    a half of them, of that a half; where no half fails, all but a quarter, and so on (delta
    debugging)."""
    if fails([]):
        return []
    parts = 2
    while len(numbers) > 1:
        size = -(-len(numbers) // parts)
        cut = [numbers[at : at + size] for at in range(0, len(numbers), size)]
        rests = [[one for one in numbers if one not in part] for part in cut]
        if (found := next(filter(fails, cut), None)) is not None:
            numbers, parts = found, 2
        elif len(cut) > 2 and (found := next(filter(fails, rests), None)) is not None:
            numbers, parts = found, max(2, len(cut) - 1)
        elif size == 1:
            break
        else:
            parts = min(2 * parts, len(numbers))
    return numbers


@contextmanager
def _injected(number: int, kind: str, context: Context) -> Iterator[None]:
    world, began = context.world, now()
    world.history.add("begins", t=began, n=number, kind=kind)
    steps = FAULTS[kind](context)

    def step() -> None:
        try:
            next(steps, None)
        except WaitError as error:
            world.history.add("unhealed", t=now(), what=f"{kind}: {error}")

    step()
    try:
        yield
    finally:
        step()
        fault = {"n": number, "kind": kind_of(kind), "target": context.target}
        world.history.add("fault", at=[began, now()], **fault)


# -- processes of the pair


def _child(name: str, sig: signal.Signals) -> Fault:
    def fault(context: Context) -> Iterator[None]:
        context.target = name
        ours = context.world.pair.grpcdns
        pid = wait_until(lambda: ours.children().get(name), f"{name} runs", timeout=60)
        os.kill(pid, sig)
        yield
        wait_until(
            lambda: ours.children().get(name, pid) != pid and ours.serving(),
            f"{name} replaced",
            timeout=90,
        )

    return fault


def _kill_supervisor(context: Context) -> Iterator[None]:
    """As a container runtime sees it: everything ends, and is started again."""
    pair = context.world.pair
    pair.grpcdns.process.kill()
    yield
    pair.grpcdns.start(ready=False)
    context.world.wait_serving()


def _stop_supervisor(context: Context) -> Iterator[None]:
    yield from _frozen(context, context.world.pair.grpcdns.process, 1, 3)


def _frozen(context: Context, process: Process, low: float, high: float) -> Iterator[None]:
    process.freeze()
    yield
    context.pause(low, high)
    process.thaw()


def _kill_coredns(context: Context) -> Iterator[None]:
    context.target = "coredns"
    context.world.pair.coredns.kill()
    yield
    context.world.pair.coredns.start()


def _stop_coredns(context: Context) -> Iterator[None]:
    context.target = "coredns"
    yield from _frozen(context, context.world.pair.coredns.process, 0.5, 2)


def _rolling_restart(context: Context) -> Iterator[None]:
    """Another pair starts, clients move to it, the first one ends: CoreDNS, then grpcdns."""
    world = context.world
    old, new = world.pair, world.new_pair()
    shutil.copy(old.snapshot, new.snapshot) if old.snapshot.exists() else None
    new.start()
    world.pair = new
    yield
    context.pause(1.0, 1.5)  # as CoreDNS's lameduck: clients go on to ask it for a moment
    old.stop()


def _reload(context: Context) -> Iterator[None]:
    pair = context.world.pair
    ttl = context.chance.choice((3, 4, 5))
    pair.config.write_text(f'ttl = {ttl}\nlog-level = "info"\n')
    pair.grpcdns.process.send(signal.SIGHUP)
    yield
    context.pause(0.1, 0.5)


def _snapshot_torn(context: Context) -> Iterator[None]:
    """A half of it is left, and the API is away: nothing may be made of that half."""
    world = context.world
    world.pair.grpcdns.process.kill()
    snapshot = world.pair.snapshot
    if snapshot.exists():
        size = snapshot.stat().st_size
        os.truncate(snapshot, int(size * context.chance.uniform(0.2, 0.95)))
    world.gate.close()
    world.pair.grpcdns.start(ready=False)
    yield
    context.pause(1, 3)
    world.gate.heal()
    world.wait_serving()


def _disk_full(context: Context) -> Iterator[None]:
    """Snapshots fail with ENOSPC; where this machine permits no small disk, with EFBIG."""
    disk = context.world.disk
    if not disk.may_be_full:
        yield from _no_large_file(context)
        return
    context.target = "ENOSPC"
    disk.fill()
    yield
    context.pause(3, 12)
    disk.free()


def _no_large_file(context: Context) -> Iterator[None]:
    """The feed may write no file larger than this."""
    context.target = "EFBIG, there is no small disk here"
    pid = wait_until(
        lambda: context.world.pair.grpcdns.children().get("feed"), "a feed", timeout=60
    )
    hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, hard))
    yield
    context.pause(3, 12)
    _restore_limit(pid, resource.RLIMIT_FSIZE, (hard, hard))


def _descriptors(context: Context) -> Iterator[None]:
    """No process of grpcdns can open anything more. CoreDNS has its connections: a new one would
    not be accepted."""
    with closing(Udp(context.world.front)) as front:
        several = [query(Question(f"kubernetes.default{ZONE}", "A"))] * 8
        wait_until(lambda: None not in front.ask(several), "CoreDNS is connected", timeout=60)
    before = {}
    for pid in context.world.pair.grpcdns.children().values():
        try:
            used = len(os.listdir(f"/proc/{pid}/fd"))
            before[pid] = resource.prlimit(pid, resource.RLIMIT_NOFILE)
            resource.prlimit(pid, resource.RLIMIT_NOFILE, (used, before[pid][1]))
        except OSError:
            continue
    yield
    context.pause(1, 4)
    for pid, limits in before.items():
        _restore_limit(pid, resource.RLIMIT_NOFILE, limits)


def _restore_limit(pid: int, what: int, limits: tuple[int, int]) -> None:
    try:
        resource.prlimit(pid, what, limits)
    except ProcessLookupError:
        pass  # it was replaced meanwhile


def _clock_stepped(context: Context) -> Iterator[None]:
    context.world.set_clock(context.chance.choice((-86400.0, -3600.0, -5.0, 5.0, 3600.0, 172800.0)))
    yield
    context.pause(2, 6)
    if context.chance.random() < 0.5:
        context.world.set_clock(0.0)


def _load(context: Context) -> Iterator[None]:
    context.load(True)
    yield
    context.pause(2, 5)
    context.load(False)


# -- the API


def _part(name: str, *, frozen: bool = False) -> Fault:
    def fault(context: Context) -> Iterator[None]:
        context.target = name
        cluster = context.world.cluster
        process: Process = getattr(cluster, name)
        process.freeze() if frozen else process.kill()
        yield
        if frozen:
            context.pause(1, 4)
            process.thaw()
        else:
            getattr(cluster, f"start_{name}")()
        wait_until(lambda: _api_is_ready(context.world), "the API is ready", timeout=60)

    return fault


def _api_is_ready(world: World) -> bool:
    world.api.request("GET", "/readyz")
    return bool(world.api.list("Namespace"))


def _api_gone(context: Context) -> Iterator[None]:
    context.world.gate.close()
    yield
    context.pause(1, 6)
    context.world.gate.heal()


def _api_slow(context: Context) -> Iterator[None]:
    context.world.gate.delay = context.chance.uniform(0.2, 1.0)
    yield
    context.pause(2, 5)
    context.world.gate.heal()


def _api_errors(context: Context) -> Iterator[None]:
    gate = context.world.gate
    gate.refuse = context.chance.choice((429, 500, 503))
    gate.cut()
    yield
    context.pause(1, 4)
    gate.heal()


def _watch_cut(context: Context) -> Iterator[None]:
    for _ in range(context.chance.randrange(1, 4)):
        context.world.gate.cut(watches=True)
        context.pause(0.0, 0.3)
    yield


def _watch_expired(context: Context) -> Iterator[None]:
    """410, as an event of the stream or as the answer to the next watch."""
    gate = context.world.gate
    if context.chance.random() < 0.5:
        gate.expire()
    else:
        gate.refuse_watches = 410
        gate.cut(watches=True)
    yield
    context.pause(1.0, 2.0)
    gate.heal()


def _watch_silent(context: Context) -> Iterator[None]:
    """Half-open connections: nothing more comes, and nobody ends them. New ones work."""
    gate = context.world.gate
    wait_until(lambda: gate.watching() >= 3, "every kind is watched", timeout=60)
    before, watches = gate.watches, gate.silence()
    yield
    wait_until(lambda: gate.watches >= before + watches, "silence noticed", timeout=62)
    gate.heal()


def _watch_skips(change: bool) -> Fault:
    """One event is lost on the way, and nothing says so. A deletion is found by its count, within a
    minute; a change by comparing versions, within ten."""

    def fault(context: Context) -> Iterator[None]:
        world, lost = context.world, writers.lost_service()
        question = Question(f"lost.{lost['metadata']['namespace']}{ZONE}", "SRV")
        world.api.apply(lost)
        before = _asked(world, question, lambda text: "SRV" in text)
        event = rb"MODIFIED" if change else rb"DELETED"
        world.gate.skip = re.compile(rb'"type":"' + event + rb'".*"name":"lost"', re.DOTALL)
        if change:
            ports = [port(8081, "web")]
            world.api.patch(lost, {"spec": {"ports": ports}})
        else:
            world.api.delete(lost)
        yield
        wait_until(lambda: world.gate.skip is None, "the event is lost", timeout=30)
        _asked(world, question, lambda text: text != before, timeout=602 if change else 62)
        if change:
            world.api.delete(lost)

    return fault


def _asked(
    world: World, question: Question, fits: Callable[[str], bool], timeout: float = 60
) -> str:
    """What both workers answer, once it fits."""

    def texts() -> str:
        found = [
            as_text(world.pair.grpcdns.ask(*question, worker=worker).to_wire()) for worker in (0, 1)
        ]
        return found[0] if all(map(fits, found)) else ""

    return wait_until(texts, f"{question.name} as it should be", timeout=timeout, interval=0.2)


def _token_expired(context: Context) -> Iterator[None]:
    """The API refuses the token; another one is in the file a little later."""
    context.world.revoke_token()
    context.world.gate.cut()
    yield
    context.pause(0.5, 3)
    context.world.renew_token()


def _etcd_restored(context: Context) -> Iterator[None]:
    """A backup is taken, changes go on, then etcd has what it had: versions run backwards."""
    world, cluster = context.world, context.world.cluster
    data, backup = cluster.folder / "etcd", cluster.folder / "backup"
    cluster.etcd.kill()
    shutil.copytree(data, backup)
    cluster.start_etcd()
    context.pause(3, 6)
    for part in (cluster.controllers, cluster.apiserver):
        part.kill()
    gone = now()
    context.pause(0.5, 1.0)  # the truth has all that was accepted
    world.truth.pause()
    yield
    cluster.etcd.kill()
    shutil.rmtree(data)
    backup.rename(data)
    cluster.start_etcd()
    world.truth.resume(gone)
    cluster.start_apiserver()
    cluster.start_controllers()


def _burst(context: Context) -> Iterator[None]:
    """From a thread for each of four parts, as fast as the API takes them."""
    world = context.world
    parts = [
        threading.Thread(
            target=writers.burst, args=(world.new_api(), world.history, context.burst // 4)
        )
        for _ in range(4)
    ]
    for one in parts:
        one.start()
    yield
    for one in parts:
        one.join()


_CHILDREN: Final = ("feed", "worker 0", "worker 1")
_PARTS: Final = ("etcd", "apiserver", "controllers")
FAULTS: Final[dict[str, Fault]] = {
    **{f"kill {name}": _child(name, signal.SIGKILL) for name in _CHILDREN},
    **{f"stop {name}": _child(name, signal.SIGSTOP) for name in _CHILDREN},
    **{f"kill {name}": _part(name) for name in _PARTS},
    **{f"stop {name}": _part(name, frozen=True) for name in _PARTS},
    "kill supervisor": _kill_supervisor,
    "stop supervisor": _stop_supervisor,
    "kill coredns": _kill_coredns,
    "stop coredns": _stop_coredns,
    "rolling restart": _rolling_restart,
    "reload": _reload,
    "snapshot torn": _snapshot_torn,
    "disk full": _disk_full,
    "descriptors": _descriptors,
    "clock stepped": _clock_stepped,
    "load": _load,
    "burst": _burst,
    "api gone": _api_gone,
    "api slow": _api_slow,
    "api errors": _api_errors,
    "watch cut": _watch_cut,
    "watch expired": _watch_expired,
    "watch silent": _watch_silent,
    "watch skips": _watch_skips(change=False),
    "watch skips change": _watch_skips(change=True),
    "token expired": _token_expired,
    "etcd restored": _etcd_restored,
}
SLOW: Final = {"watch silent": 240.0, "watch skips": 240.0, "watch skips change": 1000.0}
"""What takes long to be noticed, and how many seconds a run must last to have it."""
LASTING: Final = frozenset({"api gone", "api slow", "api errors", "burst", "load", "clock stepped"})
ALONE: Final = frozenset({"etcd restored", "snapshot torn", "rolling restart", *SLOW})


def kind_of(name: str) -> str:
    """The kind, as `checker.PROMISES` has it, of a fault's name here."""
    verb, _, what = name.partition(" ")
    if what.startswith("worker"):
        return f"{verb} worker"
    if what in _PARTS:
        return f"{verb} api"
    return "watch skips" if what.startswith("skips") else name
