"""The command: see `python -m bench --help`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from types import ModuleType
from typing import Final

from bench import setup as setups
from bench.samples import Results

MEASUREMENTS: Final = (
    "grpc", "memo", "udp", "churn", "propagation", "start", "memory", "growth", "index",
)  # fmt: skip


def module_of(name: str) -> ModuleType:
    return importlib.import_module(f"bench.measure.{name}")


def main() -> int:
    args = _parser().parse_args()
    with setups.make(args.size, args.rounds, args.seconds) as setup:
        for name in args.measurement or MEASUREMENTS:
            module = module_of(name)
            results: Results = module.measure(setup)
            print(f"## {name}\n\n{module.table(results)}\n", flush=True)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "measurement", nargs="*", choices=[*MEASUREMENTS, []], metavar="MEASUREMENT"
    )
    parser.add_argument("--size", type=int, default=int(os.environ.get("SIZE", "10000")))
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("BENCH_ROUNDS", "3")))
    parser.add_argument("--seconds", type=float, default=3.0)
    return parser


if __name__ == "__main__":
    sys.exit(main())
