"""A release: the version, which `grpcdns/__init__.py` has, the changelog, the image's base.

    python -m tools.release check [TAG]     what a release, or the tag vX.Y.Z, lacks; exit 1 if so
    python -m tools.release notes           the newest section of CHANGELOG.md, for a release's page

The changelog has the form of Keep a Changelog: `[Unreleased]` first, then a section for each
version, newest first, with its date.
"""

from __future__ import annotations

import datetime
import re
import sys
from collections.abc import Iterator
from typing import Final, NamedTuple

from packaging.version import Version

from grpcdns import __version__
from harness.paths import ROOT
from tools.digests import DOCKERFILE, bases

CHANGELOG: Final = ROOT / "CHANGELOG.md"
KINDS: Final = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")


class Section(NamedTuple):
    """``version`` is "Unreleased" or X.Y.Z; ``date`` is "" for the former."""

    version: str
    date: str
    text: str


def sections(text: str) -> list[Section]:
    """The sections of a changelog, in its order."""
    parts = re.split(r"^## \[(.+?)\](?: - (\S+))?\n", text, flags=re.MULTILINE)[1:]
    return [
        Section(version, date or "", body.strip())
        for version, date, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]


def changelog_faults(text: str) -> Iterator[str]:
    """Where a changelog has another form, a line each."""
    found = sections(text)
    if not found or found[0].version != "Unreleased":
        yield "CHANGELOG.md: the first section is not [Unreleased]"
    numbered = [one for one in found if one.version != "Unreleased"]
    for one in numbered:
        try:
            Version(one.version)
            datetime.date.fromisoformat(one.date)
        except ValueError as error:
            yield f"CHANGELOG.md: [{one.version}] - {one.date}: {error}"
            return
    order = [Version(one.version) for one in numbered]
    if order != sorted(set(order), reverse=True):
        yield "CHANGELOG.md: versions are not newest first, once each"
    for one in found:
        kinds = re.findall(r"^### (.*)$", one.text, re.MULTILINE)
        if unknown := [kind for kind in kinds if kind not in KINDS]:
            yield f"CHANGELOG.md: [{one.version}] has {unknown}, not one of {KINDS}"
        if len(set(kinds)) != len(kinds):
            yield f"CHANGELOG.md: [{one.version}] has a heading twice: {kinds}"
        if one.text and not one.text.startswith("### "):
            yield f"CHANGELOG.md: [{one.version}] begins without a heading such as ### Added"
    for line in text.splitlines():
        if re.match(r"[-*] [^A-Z`]", line):
            yield f"CHANGELOG.md: a line that does not begin with a capital or code: {line[:60]}"


def release_faults(tag: str, text: str, upgrading: str, dockerfile: str) -> Iterator[str]:
    """What is missing before ``tag`` can be released. ``text`` is CHANGELOG.md, ``upgrading``
    docs/upgrading.md."""
    version = tag.removeprefix("v")
    if tag != f"v{__version__}":
        yield f"the tag is {tag}, grpcdns.__version__ is {__version__}"
    newest = next((one for one in sections(text) if one.version != "Unreleased"), None)
    if newest is None or newest.version != version:
        yield f"CHANGELOG.md: the newest version is not [{version}]"
    if any(one.version == "Unreleased" and one.text for one in sections(text)):
        yield "CHANGELOG.md: [Unreleased] is not empty"
    if f"## {version}\n" not in upgrading:
        yield f"docs/upgrading.md has nothing about {version}"
    for image, digest in bases(dockerfile).items():
        if not digest:
            yield f"Dockerfile: {image} has no digest: make digests"


def main(argv: list[str]) -> int:
    text = CHANGELOG.read_text()
    if argv[:1] == ["notes"]:
        print(next(one.text for one in sections(text) if one.text))
        return 0
    if argv[:1] != ["check"]:
        sys.exit((__doc__ or "").split("\n\n")[1])
    faults = list(changelog_faults(text))
    if tags := argv[1:]:
        upgrading = (ROOT / "docs/upgrading.md").read_text()
        faults += release_faults(tags[0], text, upgrading, DOCKERFILE.read_text())
    print("\n".join(faults) or f"{__version__}: ok")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
