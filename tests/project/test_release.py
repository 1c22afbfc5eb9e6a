"""The changelog has its form, the version is in one place, a release that lacks something fails."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from grpcdns import __version__
from harness.paths import ROOT
from tools import release

HEAD = "# Changelog\n\n"
GOOD = f"""{HEAD}## [Unreleased]

## [0.2.0] - 2026-11-20

### Added

- `--option`.

## [0.1.0] - 2026-10-01

### Added

- All of it.
"""
PINNED = f"python:3.11-slim@sha256:{'0' * 64}"


def test_the_changelog_has_its_form() -> None:
    assert list(release.changelog_faults(release.CHANGELOG.read_text())) == []
    assert list(release.changelog_faults(GOOD)) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("## [Unreleased]\n", "", "not [Unreleased]"),
        ("0.2.0", "0.0.9", "newest first"),
        ("0.2.0", "next", "Invalid version"),
        ("2026-11-20", "2026-13-20", "month must be in"),
        ("### Added", "### New", "['New']"),
        ("- All of it.", "- all of it.", "capital"),
        ("- All of it.", "### Added\n", "heading twice"),
        (
            "## [0.1.0] - 2026-10-01\n\n### Added\n",
            "## [0.1.0] - 2026-10-01\n",
            "without a heading",
        ),
    ],
)
def test_a_changelog_in_another_form(old: str, new: str, said: str) -> None:
    assert any(said in fault for fault in release.changelog_faults(GOOD.replace(old, new)))


def test_a_release_that_lacks_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "__version__", "0.2.0")
    upgrading = "# Upgrading\n\n## 0.2.0\n"

    def faults(tag: str, text: str, upgrading: str = upgrading, base: str = PINNED) -> list[str]:
        return list(release.release_faults(tag, text, upgrading, f"FROM {base} AS build\n"))

    assert faults("v0.2.0", GOOD) == []
    assert len(faults("v0.3.0", GOOD)) == 3
    assert len(faults("0.2.0", GOOD)) == 1
    added = GOOD.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Fixed\n\n- A thing.\n")
    assert len(faults("v0.2.0", added)) == 1
    assert len(faults("v0.2.0", GOOD, upgrading="")) == 1
    (fault,) = faults("v0.2.0", GOOD, base="python:3.11-slim")
    assert fault == "Dockerfile: python:3.11-slim has no digest: make digests"


def test_the_version_is_written_once() -> None:
    """Elsewhere it is read from there, or is the image's and the chart's and equals it."""
    files = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if files.returncode != 0:
        pytest.skip("no checkout")
    for name in files.stdout.split():
        if name.startswith(("deploy/", "pyproject", "docker-compose", "Dockerfile")):
            text = (ROOT / name).read_text(errors="replace")
            tags = re.findall(r"grpcdns/grpcdns:v?(\d+\.\d+\.\d+)", text)
            assert set(tags) <= {__version__}, name
    about = yaml.safe_load((ROOT / "deploy/helm/grpcdns/Chart.yaml").read_text())
    assert str(about["appVersion"]) == __version__
    assert str(about["version"]) == __version__, "released with the same tag"


def test_the_page_of_a_release_has_the_newest_section() -> None:
    texts = [one.text for one in release.sections(GOOD)]
    assert texts == ["", "### Added\n\n- `--option`.", "### Added\n\n- All of it."]
