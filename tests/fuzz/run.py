"""A long run: ``python -m tests.fuzz.run [TARGET...] [--seconds 60] [--plain]``.

Guided by coverage with atheris (``make fuzz`` installs it), one process for each target. It begins
with the seeds and keeps new inputs in ``--corpus``. ``--plain`` mutates the seeds without atheris.
The last line of each target has the number of inputs. The first broken rule ends the run of a
target; its input is in ``--corpus`` as ``crash-...``. Minimised, it belongs into found.py.
"""

from __future__ import annotations

import argparse
import importlib
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz import corpus
from tests.fuzz.mutation import Mutator

MAX_LENGTH = 4096
_FIELDS = (
    "metadata", "name", "namespace", "labels", "spec", "clusterIP", "clusterIPs", "externalName",
    "endpoints", "addresses", "conditions", "ready", "ports", "items", "object", "type", "kind",
    "status", "loadBalancer", "ingress", "kubernetes.io/service-name", "null", "ExternalName",
)  # fmt: skip


def run_guided(target: str, seconds: int, folder: Path) -> None:
    """Runs in this process and ends it: atheris does not return."""
    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["grpcdns"]):
        targets = importlib.import_module("tests.fuzz.targets")
    chosen = targets.TARGETS[target]
    for name, seed in corpus.read(target).items():
        (folder / f"seed-{re.sub('[^A-Za-z0-9.-]', '_', name)}").write_bytes(seed)
    words = folder.parent / f"{target}.words"
    words.write_text("".join(f'"{word}"\n' for word in _FIELDS))
    options = [f"-max_total_time={seconds}", f"-max_len={MAX_LENGTH}", f"-dict={words}"]
    quiet = ["-print_final_stats=1", "-verbosity=0", "-rss_limit_mb=4096", "-timeout=20"]
    atheris.Setup(
        [target, *options, *quiet, f"-artifact_prefix={folder}/", str(folder)],
        lambda data: targets.run(chosen, data),
    )
    atheris.Fuzz()


def run_plain(target: str, seconds: float, seed: int | None = None) -> int:
    """Mutations of the seeds for so long; returns their number. Raises what the target raises."""
    from tests.fuzz.targets import TARGETS, run

    mutator = Mutator(list(corpus.read(target).values()), seed)
    chosen, count, end = TARGETS[target], 0, time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(50):
            data = mutator.next()
            try:
                run(chosen, data)
            except Exception as error:
                error.add_note(f"{target}: {data.hex()}")
                raise
            count += 1
    return count


def main() -> int:
    from tests.fuzz.seeds import SEEDS

    parser = argparse.ArgumentParser(description="fuzz the parts of grpcdns")
    parser.add_argument("targets", nargs="*", help=", ".join(SEEDS))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--plain", action="store_true", help="without atheris")
    parser.add_argument("--corpus", type=Path, default=Path(tempfile.gettempdir()) / "grpcdns-fuzz")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.here:
        run_guided(chosen.targets[0], chosen.seconds, chosen.corpus / chosen.targets[0])
    failed = [name for name in chosen.targets or SEEDS if not _run_one(name, chosen)]
    for name in failed:
        print(f"{name}: a rule was broken", file=sys.stderr)
    return bool(failed)


def _run_one(name: str, chosen: argparse.Namespace) -> bool:
    began = time.monotonic()
    if chosen.plain:
        count = run_plain(name, chosen.seconds)
    else:
        (chosen.corpus / name).mkdir(parents=True, exist_ok=True)
        argv = ["-m", "tests.fuzz.run", name, "--here", f"--seconds={chosen.seconds}"]
        done = subprocess.run(
            [sys.executable, *argv, f"--corpus={chosen.corpus}"], stderr=subprocess.PIPE, text=True
        )
        found = re.search(r"number_of_executed_units:\s*(\d+)", done.stderr)
        if done.returncode or found is None:
            print(done.stderr[-6000:], file=sys.stderr)
            return False
        count = int(found[1])
    took = time.monotonic() - began
    print(f"{name}: {count} inputs in {took:.0f} s, no rule broken", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
