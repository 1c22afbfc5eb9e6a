"""What importing a module costs a process: CPU time and memory, each in a fresh interpreter.

    python -m bench.measure.imports MODULE...

Prints the least of seven runs: what else the machine does can only add. The modules that
docs/architecture.md compares with our own code are the default.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Final

MODULES: Final = (
    "argparse",
    "asyncio",
    "dns.message",
    "dnslib",
    "http.client",
    "http.server",
    "kubernetes.client",
    "msgspec",
    "pydantic",
    "selectors",
    "urllib3",
)
RUNS: Final = 7
_CODE: Final = """
import resource, time
before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
import {module}
took = time.process_time() - began
print(took, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def cost(module: str) -> tuple[float, float]:
    """Milliseconds and megabytes."""
    runs = [_run(module) for _ in range(RUNS)]
    return min(seconds for seconds, _ in runs) * 1e3, min(size for _, size in runs) / 1024


def _run(module: str) -> tuple[float, float]:
    command = [sys.executable, "-c", _CODE.format(module=module)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, kilobytes = done.stdout.split()
    return float(seconds), float(kilobytes)


def main(modules: Sequence[str]) -> None:
    """Print a line for each module."""
    for module in modules or MODULES:
        milliseconds, megabytes = cost(module)
        print(f"{module:<20} {milliseconds:6.1f} ms {megabytes:6.1f} MB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
