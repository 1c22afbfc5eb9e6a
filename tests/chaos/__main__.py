"""`make chaos`: faults for a while, then the verdict. A failing seed can be replayed and shrunk.

    python -m tests.chaos --seconds 600 --seed 7             a run; exit code 1 if anything is wrong
    python -m tests.chaos --seconds 600 --seed 7 --only 3,7  the same with these faults alone
    python -m tests.chaos shrink --seconds 600 --seed 7      halves the faults while it still fails
    python -m tests.chaos check FILE                         the verdict on a history again

The last line is a summary in JSON. The history of a run that failed is kept, and named.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from tests.chaos import checker, nemesis
from tests.chaos.checker import Verdict
from tests.chaos.history import read
from tests.chaos.runs import Options, run, summary


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("command", nargs="?", choices=("run", "shrink", "check"), default="run")
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=_numbers, help="numbers of faults, separated by commas")
    parser.add_argument("--burst", type=int, default=5000, help="changes in a burst")
    parser.add_argument("--batches", type=float, default=14.0, help="of a reader in a second")
    parser.add_argument("--summary", type=Path, help="append the last line to this file")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    args = parser.parse_args()
    if args.command == "check":
        verdict = checker.check(read(args.file))
        _print(verdict)
        return bool(verdict.counts)
    options = Options(args.seed, args.seconds, args.only, args.burst, batches=args.batches)
    if args.command == "shrink":
        return _shrink(options, args.folder)
    verdict = _run(options, args.folder)
    line = summary(options, verdict)
    if args.summary:
        with args.summary.open("a") as file:
            file.write(line + "\n")
    print(line)
    return bool(verdict.counts)


def _run(options: Options, folder: Path) -> Verdict:
    path = folder / f"chaos-{options.seed}-{options.seconds:.0f}.jsonl"
    verdict = run(options, path)
    _print(verdict)
    if verdict.counts:
        print(f"the history: {path}, and .log")
    else:
        path.unlink()
        path.with_suffix(".log").unlink()
    return verdict


def _print(verdict: Verdict) -> None:
    for violation in verdict.violations:
        print(violation)
    for kind, number in sorted(verdict.counts.items()):
        print(f"{number} {kind}")
    sys.stdout.flush()


def _shrink(options: Options, folder: Path) -> int:
    """Runs halves of the faults while one of them still fails."""
    path = folder / f"chaos-{options.seed}-{options.seconds:.0f}.jsonl"
    if not run(options, path).counts:
        print("it does not fail")
        return 1
    numbers = sorted({one["n"] for one in read(path) if one["r"] == "fault"})

    def fails(part: list[int]) -> bool:
        verdict = run(options._replace(only=part), path)
        print(f"--only {','.join(map(str, part))}: {dict(verdict.counts) or 'nothing'}")
        return bool(verdict.counts)

    only = ",".join(map(str, nemesis.shrunk(numbers, fails)))
    print(f"--seconds {options.seconds:.0f} --seed {options.seed} --only {only}")
    return 0


def _numbers(text: str) -> list[int]:
    return [int(one) for one in text.split(",") if one]


if __name__ == "__main__":
    sys.exit(main())
