"""What a line of the log looks like, as docs/operations.md has it for whoever reads logs."""

from __future__ import annotations

import json
import re
from typing import Final, NamedTuple

LEVELS: Final = ("debug", "info", "warning", "error")
PROCESS: Final = r"supervisor|feed|worker-\d+"
TIME: Final = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
FIELDS: Final = {
    "time": TIME,
    "level": "|".join(LEVELS),
    "process": PROCESS,
    "message": r"(?s).+",
    "trace": r"(?s).+",
}
"""Of JSON, in this order; the last one only where there is a traceback."""
_TEXT: Final = re.compile(rf"({TIME}) ({'|'.join(LEVELS)}) ({PROCESS}): (.+)")
_FAILED: Final = "grpcdns: "
_INDENT: Final = " " * 4


class Line(NamedTuple):
    level: str
    process: str
    message: str
    trace: str = ""


def parse(log: str, form: str) -> list[Line]:
    """Every line of a log. Raises AssertionError for one that is not as documented."""
    assert log.endswith("\n")
    found: list[Line] = []
    for raw in log[:-1].split("\n"):
        if form == "json":
            found.append(_from_json(raw))
        elif raw.startswith(_INDENT):
            assert found, raw
            found[-1] = found[-1]._replace(trace=f"{found[-1].trace}\n{raw}".strip("\n"))
        else:
            found.append(_from_text(raw))
    return found


def _from_json(raw: str) -> Line:
    fields = json.loads(raw)
    names = list(FIELDS)
    assert list(fields) in (names, names[:-1]), raw
    for name, value in fields.items():
        assert re.fullmatch(FIELDS[name], value), raw
    del fields["time"]
    return Line(**fields)


def _from_text(raw: str) -> Line:
    if raw.startswith(_FAILED):
        return Line("error", "", raw.removeprefix(_FAILED))
    found = _TEXT.fullmatch(raw)
    assert found, raw
    return Line(*found.groups()[1:])
