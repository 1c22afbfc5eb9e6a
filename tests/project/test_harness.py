"""harness/ stands below tests, bench and examples; its docstring names its modules; one module
computes the repository's paths."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import harness
from harness.paths import ROOT

FOLDER = ROOT / "harness"


def imported(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_imports_of_this_repository() -> None:
    ours = {path.name for path in ROOT.iterdir() if path.is_dir()} - {"harness"}
    found = {name for path in FOLDER.glob("*.py") for name in imported(path.read_text())}
    assert {name for name in found if name.split(".")[0] in ours} == {"grpcdns.pb.dns_pb2"}


def test_docstring_names_every_module() -> None:
    named = re.findall(r"^    (\w+) {2,}\S", harness.__doc__ or "", re.M)
    modules = {path.stem for path in FOLDER.glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)


def test_paths_are_computed_in_one_module() -> None:
    """Of ours, harness.paths; a Program's own folder and installed packages aside."""
    folders = ("harness", "bench", "examples", "tests", "tools")
    texts = {path: path.read_text() for one in folders for path in (ROOT / one).rglob("*.py")}
    computing = {
        str(path.relative_to(ROOT))
        for path, text in texts.items()
        if re.search(r"\b__file__\b", text) and path.name != "test_harness.py"
    }
    installed = {"tests/conftest.py", "tests/project/test_packaging.py"}
    assert computing == {"harness/paths.py", *installed}
