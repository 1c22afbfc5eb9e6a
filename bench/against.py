"""This checkout and another one side by side: whether a change costs speed.

    python -m bench.against CHECKOUT [--size 10000] [--rounds 7] [--seconds 3]

CHECKOUT has been installed (`make install`). The two take turns, in one cluster: requests over gRPC
with 64 callers, every question once to a server that has just started (cold) and once more (warm),
and the time from the start to the first answer. Prints this one's figures over the other's: the
median of the rounds, with its 95 % interval.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from bench import bootstrap, load, usage
from bench import setup as setups
from bench.cluster import questions
from bench.setup import Setup, say
from harness.grpcdns import Grpcdns

Figures = dict[str, float]
HERE, OTHER = "here", "other"
LOWER_IS_BETTER: Final = frozenset({"start s", "grpc cpu us", "cold cpu us", "warm cpu us"})


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0)
    given = parser.parse_args(argv)
    pythons = {HERE: Path(sys.executable), OTHER: given.checkout / ".venv" / "bin" / "python"}
    ratios: dict[str, list[float]] = {}
    with setups.make(given.size, given.rounds, given.seconds) as setup:
        for number in range(given.rounds):
            order = sorted(pythons, reverse=bool(number % 2))
            found = {name: _measure(setup, pythons[name]) for name in order}
            for what, value in found[HERE].items():
                ratios.setdefault(what, []).append(value / found[OTHER][what])
            say(f"round {number + 1} of {given.rounds}")
    for what, each in ratios.items():
        better = "lower is better" if what in LOWER_IS_BETTER else "higher is better"
        print(f"{what:<14} {bootstrap.median(each).text(3)}  {better}")


def _measure(setup: Setup, python: Path) -> Figures:
    found: Figures = {}
    with _started(setup, python) as (ours, seconds):
        found["start s"] = seconds
        pids = usage.family(ours.process.pid)
        count = len(questions(setup.size))
        for name in ("cold", "warm"):
            run = load.run(
                ours.listen, setup.names, callers=16, count=count, seconds=120, pids=pids
            )
            found |= {f"{name} req/s": run.per_second, f"{name} cpu us": run.cpu_per_million}
        run = load.run(
            ours.listen, setup.names, callers=64, seconds=setup.seconds, warmup=0.5, pids=pids
        )
        found |= {"grpc req/s": run.per_second, "grpc cpu us": run.cpu_per_million}
    return found


@contextmanager
def _started(setup: Setup, python: Path) -> Iterator[tuple[Grpcdns, float]]:
    """A server with one worker, and the seconds to its first right answer."""
    place = setup.place
    flags: list[str | Path] = ["--kubeconfig", place.kubeconfig] if place.kubeconfig else []
    # The working directory is this checkout, and must not be where the other one imports from.
    env = {**place.env, "PYTHONSAFEPATH": "1"}
    ours = Grpcdns(
        "--upstream", "none", *flags, workers=1, env=env, prefix=place.prefix, python=python
    )
    waiting = load.wait(ours.listen[0], setup.names)
    began = time.time()
    with ours.start(ready=False):
        yield ours, load.waited(waiting) - began


if __name__ == "__main__":
    main()
