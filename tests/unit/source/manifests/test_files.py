"""Folders: links, trees of other files, what cannot be read, bounds."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from grpcdns.config.options import UserError
from grpcdns.source.manifests import files
from tests.unit.source.manifests.followed import Followed, service


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text(service("a"))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.yaml").write_text(service("b"))
    return tmp_path


LINKS = {
    "two to itself": {"x": ".", "y": "."},
    "two to its parent": {"sub/x": "..", "sub/y": ".."},
    "to itself and to its parent": {"sub/x": ".", "sub/y": ".."},
    "to another folder twice": {"x": "sub", "y": "sub"},
    "in a ring": {"x": "y", "y": "x"},
    "to a file": {"x.yaml": "sub/b.yaml"},
    "to nothing": {"x.yaml": "nothing.yaml", "y": "nothing"},
    "through a hidden folder": {".x": "sub", "y": ".x"},
}


@pytest.mark.parametrize("links", LINKS.values(), ids=LINKS.keys())
@pytest.mark.parametrize("when", ["at the start", "later"])
def test_links(folder: Path, links: dict[str, str], when: str) -> None:
    def link() -> None:
        for name, target in links.items():
            (folder / name).symlink_to(target)

    if when == "at the start":
        link()
    found = Followed(folder).start()
    if when == "later":
        link()
        found.poll()
    assert found.names() == "a b"
    (folder / "sub" / "c.yaml").write_text(service("c"))
    assert found.poll(), "it is followed all the same"
    assert found.names() == "a b c"


def test_a_link_out_of_the_folder_is_followed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path.parent / f"{tmp_path.name}-other"
    other.mkdir()
    (other / "c.yaml").write_text(service("c"))
    (folder / "x").symlink_to(other)
    assert Followed(folder).start().names() == "a b c"


TREE = {
    "kustomization.yaml": "resources: [a.yaml]\n",
    "values.yaml": "replicas: 1\nimage: {tag: 1.10}\n",
    "Chart.yaml": "apiVersion: v2\nname: c\nversion: 0.1.0\n",
    "templates/service.yaml": "kind: Service\n{{- if .Values.x }}\nspec: {}\n{{ end }}\n",
    "templates/other.yaml": "{{- range .Values.list }}\n---\nkind: Service\n{{- end }}\n",
    "renovate.json": '{"extends": ["config:base"]}',
    "list.yaml": "- a\n- b\n",
    "broken.json": '{"kind": "Service"',
    "crd.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
                "metadata: {name: things.example.com}\nspec: {names: {kind: Thing}}\n",
}  # fmt: skip
NO_OBJECTS = TREE.keys() - {"crd.yaml"}


def test_a_git_tree_is_complained_of_and_the_rest_served(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, text in TREE.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    found = Followed(folder).start()
    assert found.names() == "a b"
    named = [one for one in caplog.messages for name in TREE if f"{folder / name}: line" in one]
    assert len(named) == len(caplog.messages) == len(NO_OBJECTS)
    with pytest.raises(UserError, match=r"--strict: .*: line 1: .* \(and 7 more\)"):
        Followed(folder, strict=True).start()


@pytest.mark.parametrize("name", sorted(NO_OBJECTS))
def test_such_a_file_by_name_is_an_error(tmp_path: Path, name: str) -> None:
    path = tmp_path / Path(name).name
    path.write_text(TREE[name])
    with pytest.raises(UserError, match=r"line [123]: ") as error:
        Followed(path).start()
    if "not YAML" in str(error.value):
        advice = "render it first" if "{{" in TREE[name] else "correct the file or leave it out"
        assert advice in str(error.value)


def test_what_is_no_file_is_not_waited_for(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(folder / "pipe.yaml")
    assert Followed(folder).start().names() == "a b"
    (told,) = caplog.messages
    assert f"{folder / 'pipe.yaml'}: not a regular file; skipped" in told


def test_a_folder_that_cannot_be_listed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its files stay, and the log says so once."""
    found = Followed(folder).start()
    real, forbidden = os.listdir, folder / "sub"

    def listdir(path: Path) -> list[str]:
        if path == forbidden:
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    found.poll(3)
    assert found.names() == "a b"
    assert caplog.messages == [
        f"manifests: {forbidden}: Permission denied; its files keep their last good state"
    ]
    monkeypatch.undo()
    (forbidden / "b.yaml").unlink()
    assert found.poll()
    assert found.names() == "a"


@pytest.mark.parametrize(
    ("bound", "text"),
    [("MAX_FILES", "more than 1 files"), ("MAX_FOLDERS", "more than 1 folders"),
     ("MAX_DEPTH", "more than 0 levels")],
)  # fmt: skip
def test_bounds(folder: Path, monkeypatch: pytest.MonkeyPatch, bound: str, text: str) -> None:
    monkeypatch.setattr(files, bound, 0 if bound == "MAX_DEPTH" else 1)
    with pytest.raises(UserError, match=f"--manifests: {folder}: {text}.*; name the folders"):
        Followed(folder).start()
