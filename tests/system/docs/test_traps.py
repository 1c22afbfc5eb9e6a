"""docs/corefile.md has the table that ``grpcdns corefile --check`` uses."""

from __future__ import annotations

from grpcdns.corefile.checker import SYNTAX, TRAPS, WHOLE
from grpcdns.corefile.traps.trap import LEVELS
from harness.paths import ROOT

PAGE = ROOT / "docs" / "corefile.md"


def table() -> str:
    rows = [
        f"| `{trap.name}` | {level} | {trap.why} | {trap.mend} |\n"
        for level in LEVELS
        for trap in (SYNTAX, *TRAPS, *WHOLE)
        if trap.level == level
    ]
    return "".join(["| trap | | why | what to do |\n", "|---|---|---|---|\n", *rows])


def test_the_page_is_in_step() -> None:
    assert PAGE.read_text().endswith(f"\n\n{table()}"), f"the table should be\n{table()}"
