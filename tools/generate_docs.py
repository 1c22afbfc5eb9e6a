"""Writes what the documentation has of the code: ``make docs``.

The option table of README.md from grpcdns.config.options, docs/schemas from grpcdns.cli.documents;
the chart's copies of deploy/monitoring, as a chart holds all its files; and the man page.
"""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from grpcdns.cli.documents import DOCUMENTS
from grpcdns.config.options import OPTIONS
from harness.paths import ROOT
from tools import man_page
from tools.marked import with_part

README: Final = ROOT / "README.md"
COPIED: Final = {
    ROOT / "deploy" / "monitoring" / name: ROOT / "deploy" / "helm" / "grpcdns" / "files" / name
    for name in ("alerts.yaml", "grafana.json")
}
SCHEMAS: Final = ROOT / "docs" / "schemas"
DRAFT: Final = "http://json-schema.org/draft-07/schema#"
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
    return with_part(text, BEGIN, END, f"\n{table()}\n")


def schema(name: str) -> str:
    """The JSON Schema of a document of `DOCUMENTS`: every field is there, more may come."""
    (top,), parts = msgspec.json.schema_components(
        [DOCUMENTS[name]], ref_template="#/definitions/{name}"
    )
    named = top["$ref"].rpartition("/")[2]
    parts = {part: _with_all_required(body) for part, body in parts.items()}
    whole = {"$schema": DRAFT, **parts.pop(named), "title": f"grpcdns {name}"}
    return json.dumps(whole | ({"definitions": parts} if parts else {}), indent=2) + "\n"


def _with_all_required(part: dict[str, Any]) -> dict[str, Any]:
    """A part without defaults: what is printed is complete."""
    fields = {
        name: {"const": field["default"]} if name == "schema" else _without_default(field)
        for name, field in part["properties"].items()
    }
    words = " ".join(part.get("description", "").split())
    about = {"description": words} if words else {}
    return {"type": "object", **about, "properties": fields, "required": list(fields)}


def _without_default(field: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in field.items() if key != "default"}


def write() -> None:
    README.write_text(with_table(README.read_text()))
    for original, copy in COPIED.items():
        copy.write_bytes(original.read_bytes())
    man_page.PAGE.write_text(man_page.page())
    SCHEMAS.mkdir(exist_ok=True)
    for path in SCHEMAS.glob("*.json"):
        path.unlink()
    for name in DOCUMENTS:
        (SCHEMAS / f"{name}.json").write_text(schema(name))


if __name__ == "__main__":
    write()
