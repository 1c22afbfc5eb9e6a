"""Measures grpcdns and CoreDNS side by side.

Without --write the tables are only printed. With it the results are written to docs/benchmarks/,
and the tables and plots of docs/benchmarks.md are updated. --report only updates them, from the
results in docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import os
import sys

from bench import report
from bench import setup as setups
from bench.samples import Results


def main() -> int:
    parser = _parser()
    args = parser.parse_args()
    names = args.measurement or list(report.MEASUREMENTS)
    if unknown := set(names) - set(report.MEASUREMENTS):
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    if not args.report:
        _measure(args, names)
    if args.write or args.report:
        report.write()
    return 0


def _measure(args: argparse.Namespace, names: list[str]) -> None:
    load = os.getloadavg()[0]
    with setups.make(args.size, args.rounds, args.seconds) as setup:
        for name in names:
            module = report.module_of(name)
            results: Results = module.measure(setup)
            print(f"## {name}\n\n{module.table(results)}\n", flush=True)
            if args.write:
                results.notes += report.notes(args.size, args.rounds, args.seconds, load)
                report.save(results)
                report.note_machine()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "measurement", nargs="*", help=f"default: all of {', '.join(report.MEASUREMENTS)}"
    )
    parser.add_argument(
        "--size", type=int, default=int(os.environ.get("SIZE", "10000")), help="Services"
    )
    parser.add_argument(
        "--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "7")),
        help="how many times each is measured",
    )  # fmt: skip
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one run")
    parser.add_argument("--write", action="store_true", help="update docs/benchmarks.md")
    parser.add_argument("--report", action="store_true", help="only update docs/benchmarks.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
