"""`make chaos`: faults for a while, then the verdict. A failing seed can be replayed and shrunk.

    python -m tests.chaos --seconds 600 --seed 7             a run; exit code 1 if anything is wrong
    python -m tests.chaos --seconds 600 --seed 7 --only 3,7  the same with these faults alone
    python -m tests.chaos shrink --seconds 600 --seed 7      leaves out faults while it still fails
    python -m tests.chaos check FILE                         the verdict on a history again
    python -m tests.chaos total FILE                         what --summary wrote there, added up

The last line is a summary in JSON. The history of a run that failed is kept, and named.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from pathlib import Path

from tests.chaos import checker, nemesis
from tests.chaos.checker import Verdict
from tests.chaos.history import read
from tests.chaos.planted import PLANTS
from tests.chaos.runs import Options, run, summary, total
from tests.chaos.world import World


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    commands = ("run", "shrink", "check", "total")
    parser.add_argument("command", nargs="?", choices=commands, default="run")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=_numbers, help="numbers of faults, separated by commas")
    parser.add_argument("--burst", type=int, default=5000, help="changes in a burst")
    parser.add_argument("--batches", type=float, default=14.0, help="of a reader in a second")
    parser.add_argument("--plant", choices=PLANTS, default="", help="a fault in grpcdns itself")
    parser.add_argument("--summary", type=Path, help="append the last line to this file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    if args.command in ("check", "total") and args.file is None:
        parser.error(f"{args.command} needs a FILE")
    if args.command == "total":
        print(total(args.file.read_text().splitlines()))
        return 0
    if args.command == "check":
        verdict = checker.check(read(args.file))
        _print(verdict)
        return bool(verdict.counts)
    options = Options(
        args.seed, args.seconds, args.only, args.burst, batches=args.batches, plant=args.plant
    )
    path = args.folder / f"chaos-{options.seed}-{options.seconds:.0f}.jsonl"
    if args.command == "shrink":
        return _shrink(options, path)
    verdict = _run(options, path)
    _print(verdict)
    if verdict.counts:
        print(f"the history: {path}, and .log")
    line = summary(options, verdict)
    if args.summary:
        with args.summary.open("a") as file:
            file.write(line + "\n")
    print(line)
    return bool(verdict.counts)


def _run(options: Options, path: Path) -> Verdict:
    """A run, whose history is kept if it failed."""
    made = path.with_stem(f"{path.stem}-now")
    code = PLANTS[options.plant].code if options.plant else ""
    verdict = run(options, made, world=lambda history: World(history, plant=code))
    for one in (made, made.with_suffix(".log")):
        if verdict.counts:
            one.replace(path.with_suffix(one.suffix))
        else:
            one.unlink()
    return verdict


def _print(verdict: Verdict) -> None:
    for violation in verdict.violations:
        print(violation)
    for kind, number in sorted(verdict.counts.items()):
        print(f"{number} {kind}")
    sys.stdout.flush()


def _shrink(options: Options, path: Path) -> int:
    """Leaves out faults while it still fails; the history is that of the smallest that did."""

    def fails(part: list[int] | None) -> bool:
        verdict = _run(options._replace(only=part), path)
        tried = "all" if part is None else f"only {','.join(map(str, part)) or 'none'}"
        print(f"{tried}: {dict(verdict.counts) or 'nothing'}", flush=True)
        return bool(verdict.counts)

    if not fails(None if options.only is None else sorted(options.only)):
        print("it does not fail")
        return 1
    numbers = sorted({one["n"] for one in read(path) if one["r"] == "fault"})
    only = nemesis.shrunk(numbers, fails)
    print(f"the history: {path}, and .log; again:\n{_command(options._replace(only=only))}")
    return 0


def _command(options: Options) -> str:
    """A command line with these options."""
    words = ["python", "-m", "tests.chaos"]
    for name, default in Options._field_defaults.items():
        value = getattr(options, name)
        if value == default and name not in ("seconds", "seed"):
            continue
        if name == "only":
            value = ",".join(map(str, value))
        words.append(f"--{name}={value:g}" if isinstance(value, float) else f"--{name}={value}")
    return shlex.join(words)


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


if __name__ == "__main__":
    sys.exit(main())
