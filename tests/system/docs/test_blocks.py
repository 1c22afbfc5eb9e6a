"""Each fenced block has a language that something checks: here, or in the test named in CHECKED."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml

from grpcdns.cli import COMMANDS, parser_of
from grpcdns.config.load import load
from harness.paths import ROOT
from tests.system.deploy.kustomize import DEPLOY, built

DOCUMENTS: Final = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs/install").glob("*.md")),
]
CHECKED: Final = {
    "corefile": "tests/system/corefile/test_documents.py: run by a real CoreDNS",
    "sh": "here, and tests/project/test_docs.py",
    "yaml": "here",
    "toml": "here",
    "json": "here",
    "text": "output and drawings",
    "python": "tests/project",
    "": "output and drawings",
}
_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.M | re.S)
# Programs of others that a reader has; how they are called is up to them.
OTHERS: Final = {"dig", "docker", "nslookup", "pip", "git", "cd", "curl", "export", "helm",
                 "aws", "az", "gcloud", "kind", "minikube", "oc"}  # fmt: skip


class Block(NamedTuple):
    document: str
    number: int
    language: str
    text: str


def blocks() -> Iterator[Block]:
    for document in DOCUMENTS:
        for number, found in enumerate(_FENCE.finditer(document.read_text()), 1):
            indent, language, text = found.groups()
            lines = (line.removeprefix(indent) for line in text.splitlines())
            yield Block(document.name, number, language, "\n".join(lines) + "\n")


def of(language: str) -> list[Block]:
    return [block for block in blocks() if block.language == language]


def name(block: Block) -> str:
    return f"{block.document}-{block.number}"


def test_every_language_is_checked() -> None:
    assert {block.language for block in blocks()} <= CHECKED.keys()


@pytest.mark.parametrize("block", of("sh"), ids=name)
def test_shell(block: Block) -> None:
    """Commands exist; ours take these arguments; files and folders of the repository are there."""
    for line in block.text.replace("\\\n", " ").splitlines():
        for words in commands(line):
            check_command(words)


def commands(line: str) -> Iterator[list[str]]:
    """The commands of a line: of a pipe, and behind kubectl exec's two dashes."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "|"]:
        if word in ("|", ";", "&&", "||", ">", "<"):
            if words:
                yield words
            words = []
        else:
            words.append(word)


def check_command(words: list[str]) -> None:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    if "exec" in words[:4] and "--" in words:
        check_command(words[words.index("--") + 1 :])
        return
    program, *args = words
    if program == "grpcdns":
        assert args[0] in COMMANDS or args[0].startswith("-"), words
        if args[0] in COMMANDS:
            parser_of(args[0]).read(args[1:])
    elif program == "kubectl":
        folders = [args[at + 1] for at, word in enumerate(args) if word == "-k"]
        assert all((ROOT / folder / "kustomization.yaml").exists() for folder in folders), words
    elif program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert {word for word in args if "=" not in word} <= set(targets), words
    elif program.startswith("deploy/"):
        assert (ROOT / program).exists(), words
    elif "/" not in program:
        assert program in OTHERS or shutil.which(program), words


@pytest.mark.servers
@pytest.mark.parametrize("block", of("yaml"), ids=name)
def test_yaml(block: Block, tmp_path: Path, kustomize: Path) -> None:
    """A kustomization builds, as one in a folder beside deploy/kubeadm; all else is YAML."""
    for document in yaml.safe_load_all(block.text):
        assert document is not None
        if document.get("kind") == "Kustomization":
            shutil.copytree(DEPLOY, tmp_path / "deploy")
            folder = tmp_path / "deploy" / "mine"
            folder.mkdir()
            (folder / "kustomization.yaml").write_text(block.text)
            assert built(folder)


def _is_lines(text: str) -> bool:
    """Whether it is a log: an object on each line."""
    return all(line.startswith("{") and line.endswith("}") for line in text.splitlines())


def test_toml_and_json(tmp_path: Path) -> None:
    """TOML is a configuration file of grpcdns."""
    for block in of("toml"):
        tomllib.loads(block.text)
        (tmp_path / "grpcdns.toml").write_text(block.text)
        assert load({}, {}, str(tmp_path / "grpcdns.toml")).file, name(block)
    for block in of("json"):
        for text in block.text.splitlines() if _is_lines(block.text) else [block.text]:
            json.loads(text)
