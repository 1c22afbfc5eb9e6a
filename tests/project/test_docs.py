"""The documents are true: the option table, commands, links, reasons of the dependencies."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from grpcdns import __version__
from grpcdns.cli import COMMANDS, documents, parser_of
from harness.paths import ROOT
from tools import generate_docs
from tools.audit import required

PAGES = ("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
DOCUMENTS = sorted(
    [*(ROOT / page for page in PAGES), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/install/*.md")]
)


def test_readme_names_every_command() -> None:
    rows = re.findall(r"^\| `grpcdns (\w+)", generate_docs.README.read_text(), re.M)
    assert sorted(rows) == sorted(COMMANDS)


def test_option_table_is_up_to_date() -> None:
    text = generate_docs.README.read_text()
    assert text == generate_docs.with_table(text), "run `make docs` and commit the result"


def test_schemas_are_up_to_date() -> None:
    there = {path.stem: path.read_text() for path in generate_docs.SCHEMAS.iterdir()}
    made = {name: generate_docs.schema(name) for name in documents.DOCUMENTS}
    assert there == made, "run `make docs` and commit the result"


@pytest.mark.parametrize(
    "document", [*DOCUMENTS, ROOT / "deploy/helm/grpcdns/README.md"], ids=lambda path: path.name
)
def test_links_lead_somewhere(document: Path) -> None:
    """To files that are there, and to sections that they have."""
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", document.read_text())
    for link, section in links:
        target = document.parent / link if link else document
        assert target.exists(), link
        assert not section or section in sections(target), f"{link}#{section}"


def sections(page: Path) -> set[str]:
    """As they are addressed on GitHub."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_targets_exist(document: Path) -> None:
    targets = set(re.findall(r"`make ([a-z-]+)[^`]*`|^make ([a-z-]+)", document.read_text(), re.M))
    named = {first or second for first, second in targets}
    there = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert named <= there


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_exist(document: Path) -> None:
    named = set(re.findall(r"`grpcdns ([a-z]+)|^grpcdns ([a-z]+)", document.read_text(), re.M))
    assert {first or second for first, second in named} <= COMMANDS.keys()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_command_lines_are_accepted(document: Path) -> None:
    for block in re.findall(r"^```sh\n(.*?)^```", document.read_text(), re.M | re.S):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] == ["grpcdns"] and words[1] in COMMANDS:
                parser_of(words[1]).read(words[2:])


@pytest.mark.parametrize(
    "picture", sorted(ROOT.glob("docs/pictures/*.svg")), ids=lambda one: one.name
)
def test_pictures_load_nothing_from_elsewhere(picture: Path) -> None:
    text = picture.read_text()
    assert ElementTree.fromstring(text).tag.endswith("svg")  # noqa: S314 - it is ours
    assert not re.search(r"@font-face|@import|url\(\W?http|href=|<script", text)


def test_every_dependency_has_its_reason() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| \S", (ROOT / "docs/architecture.md").read_text(), re.M)
    assert {r.name for r in required()} <= set(rows)


def test_version_is_in_the_changelog_or_unreleased() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert __version__ in headings or "Unreleased" in headings
