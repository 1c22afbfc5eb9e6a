"""docs/preflight.md names every check, every field of the JSON, and the formula as it is."""

from __future__ import annotations

import re

import msgspec

from grpcdns.config.options import Config
from grpcdns.preflight import size
from grpcdns.preflight.checks import rows_of
from grpcdns.preflight.report import Check, Report
from harness.paths import ROOT

TEXT = (ROOT / "docs" / "preflight.md").read_text()
EVERYTHING = Config(pods="verified", multicluster=("cluster.local.",), namespaces=("default",))


def rows(heading: str) -> list[str]:
    """The first cells of the table under a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \| ", section, re.M)


def test_every_check_has_its_row() -> None:
    ids = [re.sub(r"^(served|rights)\..*", r"\1.KIND", row.id) for row in rows_of(EVERYTHING)]
    assert rows("The checks") == list(dict.fromkeys(["api", *ids]))
    for row in rows_of(EVERYTHING):
        assert f"`{row.id.rpartition('.')[2]}`" in TEXT or row.id in TEXT, "each KIND is named"


def test_every_field_has_its_row() -> None:
    fields = [field.name for field in msgspec.structs.fields(Report)]
    fields += [f"checks[].{field.name}" for field in msgspec.structs.fields(Check)]
    assert rows("As JSON") == fields


def test_the_formula_is_the_one_in_use() -> None:
    formula = (
        f"supervisor {size.SUPERVISOR_MB:g}"
        f" + feed ({size.FEED_MB:g} + {size.FEED_BYTES / 1e6:.5f} E)"
        f" + W workers ({size.WORKER_MB:g} + {size.WORKER_BYTES / 1e6:.5f} E)"
    )
    assert f"    {formula}\n" in TEXT
