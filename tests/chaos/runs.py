"""One run: a world, its writers, readers and nemesis, and the checker's verdict."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.waiting import wait_until
from tests.chaos import checker, nemesis, oracle
from tests.chaos.checker import Verdict
from tests.chaos.history import History, now, read
from tests.chaos.nemesis import Planned
from tests.chaos.readers import Reader, Socket, Udp
from tests.chaos.world import World
from tests.chaos.writers import Writer, questions, spaces

SETTLED: Final = 1.5
"""Seconds that readers go on after the last fault and the last change: all must be right then."""
AFTER: Final = 10.0
"""Seconds that a part of a schedule goes on after its last fault."""
_ADDED: Final = ("seconds", "answers", "unchecked", "writes", "errors_promised")
LOADERS: Final = 4
"""Readers without a pause, for ten times the load."""


class Options(NamedTuple):
    """What a run is; the schedule depends on ``seed`` and ``seconds`` alone."""

    seed: int = 1
    seconds: float = 60.0
    only: Collection[int] | None = None
    """Numbers of faults: these alone, and the run ends a few seconds after the last of them. None:
    all, while the seconds last."""
    burst: int = 5000
    rate: float = 3.0
    """Changes a second of each writer, at most."""
    batches: float = 14.0
    """Batches a second of each reader."""
    plant: str = ""
    """One of `planted.PLANTS`."""
    compare: bool = True
    """At the end, with CoreDNS's plugin."""


class Run:
    """The threads of a run in a world that is up."""

    def __init__(self, world: World, options: Options) -> None:
        self._world, self._options = world, options
        seed = options.seed
        self._writers = [
            Writer(world.new_api(), world.history, space, seed=seed, rate=options.rate)
            for space in range(len(spaces()))
        ]
        self.questions = list(questions())
        self.readers = [
            *(self._reader(f"worker {number}", options.batches) for number in (0, 1)),
            self._reader("coredns", options.batches / 2),
        ]
        self._loaders: list[Reader] = []
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def prepare(self) -> None:
        """The cluster as it is at the start; the writers are the same each time."""
        for writer in self._writers:
            writer.prepare()

    def start(self) -> None:
        for reader in self.readers:
            reader.start()
        for reader in self.readers:  # before the first fault, which may be that none can connect
            wait_until(reader.answered.is_set, "the first answers")
        for writer in self._writers:
            thread = threading.Thread(target=writer.run, args=(self._ended,), daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """Writers first; readers see the last of it."""
        self._ended.set()
        for thread in self._threads:
            thread.join(60)
        time.sleep(checker.BOUND + SETTLED)
        self.load(False)
        for reader in self.readers:
            reader.stop()
        for error in (
            *(writer.failed for writer in self._writers),
            *(reader.failed for reader in self.readers),
        ):
            if error is not None:
                raise error

    def load(self, on: bool) -> None:
        """Ten times the load, and back."""
        if on:
            more = [self._reader(f"worker {at % 2}", 0.0, f"load {at}") for at in range(LOADERS)]
            for reader in more:
                reader.start()
            self._loaders += more
        else:
            for reader in self._loaders:
                reader.stop()
            self._loaders = []

    def _reader(self, to: str, rate: float, name: str = "") -> Reader:
        world = self._world

        def connect() -> Socket | Udp:
            if to == "coredns":
                return Udp(world.front)
            return Socket(world.socket(int(to[-1])))

        return Reader(
            world.history, to, connect, self.questions, name=name or to,
            seed=self._options.seed, rate=rate,
        )  # fmt: skip


def run(
    options: Options,
    path: Path,
    *,
    world: Callable[[History], World] = World,
    planned: Iterator[Planned] | None = None,
) -> Verdict:
    """Runs, and checks what came of it; the history stays in the file."""
    with History(path) as history:
        history.add("start", t=now(), options=options._asdict())
        with ExitStack() as stack:
            here = stack.enter_context(world(history))
            made = Run(here, options)
            made.prepare()
            here.open()
            made.start()
            until = now() + options.seconds
            try:
                nemesis.run(
                    here,
                    planned or nemesis.schedule(options.seed, seconds=options.seconds),
                    made.load,
                    until,
                    only=options.only,
                    burst=options.burst,
                )
                if options.only:
                    until = min(until, now() + AFTER)
                time.sleep(max(0.0, until - now()))
            finally:
                here.set_clock(0.0)
                made.stop()
            if options.compare:
                oracle.compare(here, made.questions)
    return checker.check(read(path))


def summary(options: Options, verdict: Verdict) -> str:
    """A line of JSON."""
    found: dict[str, Any] = {"seed": options.seed, "seconds": options.seconds}
    if options.only is not None:
        found["only"] = sorted(options.only)
    if options.plant:
        found["plant"] = options.plant
    return json.dumps({**found, **checker.as_dict(verdict)})


def total(lines: Iterable[str]) -> str:
    """The sum of such lines, as another."""
    found: Counter[str] = Counter()
    by: dict[str, Counter[str]] = {"faults": Counter(), "violations": Counter()}
    seeds, stall = [], 0.0
    for line in lines:
        one = json.loads(line)
        seeds.append(one["seed"])
        stall = max(stall, one["slowest_stall"])
        found.update({name: one[name] for name in _ADDED})
        for name, counts in by.items():
            counts.update(one[name])
    return json.dumps(
        {
            "runs": len(seeds),
            "seeds": sorted(set(seeds)),
            **found,
            **{name: dict(sorted(counts.items())) for name, counts in by.items()},
            "slowest_stall": stall,
        }
    )
