"""The base images get their digests from a registry: crane's own, on loopback."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from harness.paths import ROOT
from harness.ports import Address, free_address
from harness.process import Process
from tools import digests

INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKERFILE = """\
# FROM of a comment
FROM {address}/python:3.11-slim AS build
RUN true
FROM build AS tested
FROM scratch
FROM --platform=linux/amd64 {address}/python:3.11-slim
"""


class Registry:
    """Has one image of two architectures, whose content is a word."""

    def __init__(self, crane: Path, address: Address, folder: Path) -> None:
        self._crane, self._folder = crane, folder
        self.address = address
        self.image = f"{address}/python:3.11-slim"

    def push(self, word: str) -> str:
        """The digest of the index, which is the hash of what the registry then serves."""
        layer = self._folder / "layer.tar"
        (self._folder / "word").write_text(word)
        with tarfile.open(layer, "w") as archive:
            archive.add(self._folder / "word", "word")
        for machine in ("amd64", "arm64"):
            one = f"{self.image}-{machine}"
            self._run("append", "--new_layer", layer, "--new_tag", one)
            self._run("mutate", one, "--set-platform", f"linux/{machine}", "--tag", one)
        both = [f"--manifest={self.image}-{machine}" for machine in ("amd64", "arm64")]
        self._run("index", "append", *both, "--tag", self.image)
        url = f"http://{self.address}/v2/python/manifests/3.11-slim"
        served = urllib3.request("GET", url, headers={"Accept": INDEX})
        assert served.status == 200
        assert served.json()["manifests"], "an index"
        return f"sha256:{hashlib.sha256(served.data).hexdigest()}"

    def _run(self, *words: str | Path) -> None:
        subprocess.run([self._crane, *words], check=True, capture_output=True)


@pytest.fixture
def registry(crane: Path, tmp_path: Path) -> Iterator[Registry]:
    address = free_address()
    serve = [str(crane), "registry", "serve", "--address", str(address)]
    running = Process(serve, log=tmp_path / "registry.log")
    with running.start(lambda: urllib3.request("GET", f"http://{address}/v2/").status == 200):
        yield Registry(crane, address, tmp_path)


def test_each_base_gets_the_digest_of_its_index(registry: Registry, tmp_path: Path) -> None:
    text = DOCKERFILE.format(address=registry.address)
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    first = registry.push("first")
    assert digests.main([str(path)]) == 0
    assert path.read_text() == text.replace("3.11-slim", f"3.11-slim@{first}")
    assert digests.bases(path.read_text()) == {registry.image: first}
    second = registry.push("second")
    assert second != first
    assert digests.main([str(path)]) == 0
    assert first in path.read_text(), "what has a digest keeps it"
    assert digests.main(["--upgrade", str(path)]) == 0
    assert path.read_text() == text.replace("3.11-slim", f"3.11-slim@{second}")


def test_a_registry_that_does_not_have_it(
    registry: Registry, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = DOCKERFILE.format(address=registry.address)
    path = tmp_path / "Dockerfile"
    path.write_text(text)
    assert digests.main([str(path)]) == 1
    assert path.read_text() == text
    assert registry.image in capsys.readouterr().err


def test_the_dockerfile_has_one_base() -> None:
    """Both stages are of the same Python, so what is built in the first runs in the last."""
    text = digests.DOCKERFILE.read_text()
    (image,) = digests.bases(text)
    assert len(re.findall(rf"^FROM {re.escape(image)}\b", text, re.MULTILINE)) == 2
    assert f"`{image}`" in (ROOT / "docs" / "support.md").read_text()
