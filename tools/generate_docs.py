"""Writes the option table of README.md from grpcdns.config.options: ``make docs``."""

from __future__ import annotations

import re
from typing import Final

from grpcdns.config.options import OPTIONS
from harness.paths import ROOT

README: Final = ROOT / "README.md"
BEGIN: Final = "<!-- options: written by `make docs` -->"
END: Final = "<!-- end of options -->"


def table() -> str:
    """The options as Markdown, a table for each group."""
    lines: list[str] = []
    group = ""
    for option in OPTIONS:
        if option.group != group:
            group = option.group
            lines += ["", f"**{group}**", "", "| option | default | meaning |", "|---|---|---|"]
        metavar = f" {option.metavar}" if option.metavar else ""
        flag = f"--{option.name}{metavar}".replace("|", "\\|")
        default = option.show(option.default).replace(",", ", ")
        mark = " ⟳" if option.reload else ""
        lines.append(f"| `{flag}` | {default and f'`{default}`'} | {option.help}{mark} |")
    return "\n".join(lines).strip()


def with_table(text: str) -> str:
    """The README with the current table."""
    parts = re.fullmatch(f"(.*{re.escape(BEGIN)}\n).*(\n{re.escape(END)}.*)", text, re.DOTALL)
    if parts is None:
        raise SystemExit(f"README.md has no markers for the options ({BEGIN} ... {END})")
    return f"{parts[1]}\n{table()}\n{parts[2]}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text()))
