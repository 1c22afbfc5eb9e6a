"""Seeds on disk: ``corpus/TARGET.txt``, a line for each seed: its name, then its octets in hex.

``python -m tests.fuzz.seeds`` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from harness.paths import ROOT

FOLDER: Final = ROOT / "tests" / "fuzz" / "corpus"


def read(target: str) -> dict[str, bytes]:
    """The seeds of a target, by name."""
    rows = (FOLDER / f"{target}.txt").read_text().splitlines()
    return {name: bytes.fromhex(octets) for name, _, octets in (row.partition(" ") for row in rows)}


def write(target: str, seeds: Mapping[str, bytes]) -> None:
    FOLDER.mkdir(exist_ok=True)
    rows = [f"{name} {octets.hex()}".rstrip() + "\n" for name, octets in seeds.items()]
    (FOLDER / f"{target}.txt").write_text("".join(rows))
