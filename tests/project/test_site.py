"""The site of the documentation, built as `make docs` does, without a network: every link and
anchor leads somewhere, and no page loads anything from elsewhere. And the man page."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import pytest

from grpcdns.cli import COMMANDS, parser_of
from grpcdns.config.options import OPTIONS
from harness.fixtures import NOT_RUN
from harness.paths import ROOT
from tools import man_page, site

LOADED: Final = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src")}


class Page(HTMLParser):
    """The links of a page, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: set[str] = set()
        self.loads: set[str] = set()
        self.anchors: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.anchors.add(value or "")
            elif (tag, name) in LOADED:
                self.loads.add(value or "")
            elif tag == "a" and name == "href":
                self.links.add(value or "")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, Page]:
    folder = tmp_path_factory.mktemp("site") / "html"
    offline = ["unshare", "--net"] if os.geteuid() == 0 and shutil.which("unshare") else []
    command = [*offline, sys.executable, "-m", "tools.site", str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr
    return {path: Page(path.read_text()) for path in folder.rglob("*.html")}


@pytest.mark.slow
def test_every_page_is_there(pages: dict[Path, Page]) -> None:
    names = {path.name for path in pages}
    assert {"index.html", "commands.html", "CHANGELOG.html"} <= names
    assert {path.with_suffix(".html").name for path in ROOT.glob("docs/*.md")} <= names


@pytest.mark.slow
def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    dead = []
    for path, page in pages.items():
        for link in page.links | page.loads:
            where = urlsplit(link)
            if where.scheme or where.netloc:
                continue
            there = path.parent / unquote(where.path) if where.path else path
            target = Path(os.path.normpath(there))
            if not target.is_file():
                dead.append(f"{path.name}: {link}")
            elif target in pages and unquote(where.fragment) not in pages[target].anchors:
                dead.append(f"{path.name}: no anchor {link}")
    assert dead == []


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(pages: dict[Path, Page]) -> None:
    elsewhere = {load for page in pages.values() for load in page.loads if "//" in load}
    assert elsewhere == set()


def test_a_page_that_is_in_no_menu_comes_last() -> None:
    assert ":caption: More\n\ndocs/new\n" in site.menu(["README", "docs/migration", "docs/new"])


def test_the_man_page_is_up_to_date() -> None:
    assert man_page.PAGE.read_text() == man_page.page(), "run `make docs` and commit the result"


def test_the_man_page_has_every_command_and_option() -> None:
    text = man_page.page().replace("\\-", "-")
    for name in COMMANDS:
        assert f".SH GRPCDNS {name.upper()}\n" in text
        for flag in re.findall(r"^  (--[a-z-]+)", parser_of(name).format_help(), re.M):
            assert f"\\fB{flag}\\fR" in text
    assert all(f"\\fB--{option.name}\\fR" in text for option in OPTIONS)


def test_roff_accepts_the_man_page() -> None:
    if not shutil.which("groff"):
        pytest.skip(f"{NOT_RUN}: no groff")
    command = ["groff", "-man", "-Tutf8", "-ww", "-z", str(man_page.PAGE)]
    run = subprocess.run(command, capture_output=True, text=True)
    complaints = [line for line in run.stderr.splitlines() if "adjust line" not in line]
    assert (run.returncode, complaints) == (0, [])
