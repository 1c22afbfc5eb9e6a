"""The documentation as a site of HTML, by Sphinx, MyST and Furo: ``make docs``.

    python -m tools.site [FOLDER]       default: build/site

The pages are the Markdown files of the repository, at their paths; README.md is the first one. A
link to another file of the repository is a download, one to a folder is only its text. A page of
`--help` of every command is added. Every warning of Sphinx is an error: a page that is in no menu,
a link or an anchor that leads nowhere. Needs no network, and what it writes loads nothing from one.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from sphinx.application import Sphinx

from grpcdns import __version__
from grpcdns.cli import COMMANDS, parser_of
from harness.paths import ROOT

MENU: Final = {
    "Use it": ("docs/migration", "docs/operations", "docs/commands", "docs/preflight",
               "docs/corefile", "docs/topology", "docs/output", "docs/status"),
    "Depend on it": ("docs/differences", "docs/benchmarks", "docs/support", "docs/upgrading",
                     "CHANGELOG", "SECURITY"),
    "Work on it": ("docs/architecture", "CONTRIBUTING", "CODE_OF_CONDUCT"),
}  # fmt: skip
"""Caption -> pages. A page of docs/ that is not here comes last, under "More"."""
PAGES: Final = ("README.md", "CHANGELOG.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md", "SECURITY.md")
_LINK: Final = re.compile(r"(!?)\[([^\]]*)\]\(([^)#:\s]+)(#[^)\s]*)?\)")


def sources() -> list[Path]:
    """The Markdown files of the site, relative to the root of the repository."""
    found = [*ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/helm/*/README.md")]
    return [*map(Path, PAGES), *sorted(path.relative_to(ROOT) for path in found)]


def gather(folder: Path) -> None:
    """Writes the pages into ``folder``, with the files that they link to."""
    pages = sources()
    for page in pages:
        text = (ROOT / page).read_text()

        def link(match: re.Match[str], page: Path = page) -> str:
            target = Path(os.path.normpath(page.parent / match[3]))
            if target in pages:
                first = target == Path("README.md")
                return match[0].replace("README.md", "index.md") if first else match[0]
            if not (ROOT / target).is_file():
                return match[2]
            copy = folder / target
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / target, copy)
            return match[0]

        written = folder / ("index.md" if page == Path("README.md") else page)
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_text(_outside_code(text, link))
    (folder / "docs/commands.md").write_text(commands())
    with (folder / "index.md").open("a") as index:
        index.write(menu([str(page.with_suffix("")) for page in pages]))


def _outside_code(text: str, link: Any) -> str:
    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(p if p.startswith("```") else _LINK.sub(link, p) for p in parts)


def menu(pages: list[str]) -> str:
    named = {page for group in MENU.values() for page in group}
    more = tuple(page for page in pages if page not in named and page != "README")
    groups = {**MENU, **({"More": more} if more else {})}
    return "".join(
        "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *group, "```", ""])
        for caption, group in groups.items()
    )


def commands() -> str:
    """`--help` of every command, as a page."""
    os.environ["COLUMNS"] = "100"  # read by argparse
    said = "What `grpcdns COMMAND --help` prints; `man docs/grpcdns.1` has the same."
    parts = ["# Commands", said]
    for name in COMMANDS:
        parts += [f"## grpcdns {name}", f"```text\n{parser_of(name).format_help()}```"]
    return "\n\n".join(parts) + "\n"


def build(folder: Path) -> None:
    """Writes the site into ``folder``. Exits with Sphinx's messages when a page is wrong."""
    settings = {
        "project": "grpcdns",
        "release": __version__,
        "extensions": ["myst_parser"],
        "html_theme": "furo",
        "html_title": f"grpcdns {__version__}",
        "html_show_sourcelink": False,
        "html_copy_source": False,
        "myst_heading_anchors": 4,
        "suppress_warnings": ["misc.highlighting_failure"],  # JSON with ... in it
    }
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="grpcdns-site-") as name:
        pages, trees = Path(name, "pages"), Path(name, "trees")
        gather(pages)
        app = Sphinx(pages, None, folder, trees, "html", settings, status=None, warningiserror=True)
        app.build(force_all=True)
    if app.statuscode:
        sys.exit("tools.site: the warnings above are errors")


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "site")
