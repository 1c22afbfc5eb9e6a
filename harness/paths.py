"""Where things are in this repository. Nothing else computes paths of it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
EXAMPLES: Final = ROOT / "examples" / "cluster"
"""The manifests that `make demo` and many tests serve."""
SERVERS: Final = ROOT / "tests" / "servers"
"""The Go modules of the servers that tests run, one folder each."""
