"""Writes the tables and plots of docs/benchmarks.md from the results. The text is written by hand.

A table is between ``<!-- bench:NAME -->`` and ``<!-- /bench -->``. The results are JSON files in
docs/benchmarks/, one for each measurement, with the plots next to them.
"""

from __future__ import annotations

import importlib
import json
import os
import platform
import re
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Final

from bench import summary, targets
from bench.samples import Results
from grpcdns.revision import code
from harness.paths import ROOT

PAGE: Final = ROOT / "docs" / "benchmarks.md"
BUSY: Final = 0.5
"""The load average above which the page says that the machine was busy."""
FOLDER: Final = ROOT / "docs" / "benchmarks"
MEASUREMENTS: Final = (
    "grpc", "memo", "udp", "cached", "freshness", "churn", "propagation", "stages", "start",
    "memory", "growth", "index", "others",
)  # fmt: skip
_SIZES_OF_THEIR_OWN: Final = ("growth", "index", "stages")
_BLOCK: Final = re.compile(r"(<!-- bench:(\w+) -->\n).*?(<!-- /bench -->)", re.DOTALL)


def module_of(name: str) -> ModuleType:
    """The measurement of that name: ``measure`` and ``table``."""
    return importlib.import_module(f"bench.measure.{name}")


def save(results: Results) -> None:
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{results.name}.json"
    path.write_text(json.dumps(results.to_json(), indent=1) + "\n")


def saved() -> dict[str, Results]:
    paths = ((name, FOLDER / f"{name}.json") for name in MEASUREMENTS)
    return {
        name: Results.from_json(json.loads(path.read_text()))
        for name, path in paths
        if path.exists()
    }


def write() -> None:
    """Writes the page's blocks, and the plots."""
    found = saved()
    PAGE.write_text(fill(PAGE.read_text(), blocks_of(found)))
    from bench import plots

    plots.draw(found, FOLDER)


def blocks_of(found: Mapping[str, Results]) -> dict[str, str]:
    """The content of the page's blocks: tables, and below each how it was measured."""
    blocks = {name: _block(name, results) for name, results in found.items()}
    blocks["summary"] = summary.table(found)
    blocks["targets"] = targets.table(found)
    machine = FOLDER / "machine.json"
    if machine.exists():
        blocks["machine"] = "; ".join(json.loads(machine.read_text())) + "."
    return blocks


def _block(name: str, results: Results) -> str:
    table: str = module_of(name).table(results)
    notes = results.notes[1:] if name in _SIZES_OF_THEIR_OWN else results.notes
    return f"{table}\n\n{'; '.join(notes)}." if notes else table


def fill(page: str, blocks: dict[str, str]) -> str:
    """The page with new content in its blocks; a block without new content stays."""

    def put(match: re.Match[str]) -> str:
        content = blocks.get(match[2])
        return match[0] if content is None else f"{match[1]}\n{content}\n\n{match[3]}"

    return _BLOCK.sub(put, page)


def notes(size: int, rounds: int, seconds: float, load: float) -> list[str]:
    """What was measured and how; ``load``: the load average before the servers started."""
    before = f"load average before the start {load:.1f}"
    if load > BUSY:
        before = f"**on a busy machine** ({before})"
    form = "grpcdns compiled" if code() == "compiled" else "grpcdns as Python"
    return [f"{size:,} Services", f"{rounds} rounds", f"{seconds:g} s a run", form, before]


def note_machine() -> None:
    """Saves which machine and versions the figures are from."""
    FOLDER.mkdir(exist_ok=True)
    facts = [
        f"{os.cpu_count()} x {_processor()}, {_memory()} GB",
        f"{platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, grpcio {metadata.version('grpcio')}",
        f"CoreDNS {_version('coredns', 'github.com/coredns/coredns')}",
        f"Kubernetes {_version('kubernetes', 'k8s.io/kubernetes')}",
    ]
    (FOLDER / "machine.json").write_text(json.dumps(facts, indent=1) + "\n")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> int:
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)


def _version(module: str, package: str) -> str:
    text = (ROOT / "tests" / "servers" / module / "go.mod").read_text()
    match = re.search(rf"{re.escape(package)} v(\S+)", text)
    return match[1] if match else "?"
