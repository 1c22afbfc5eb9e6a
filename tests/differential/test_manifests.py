"""kubectl's reader of manifests and ours are given the same files: a corpus, files at random, and
both with a few characters changed.

kubectl's is what it is made of: the splitter and the YAML reader of k8s.io/apimachinery
(tests/servers/manifests). Compared are the objects, Lists taken apart, as JSON and as what is kept
of them, and whether the file can be read to its end.
"""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any, Final

import pytest
import yaml

from grpcdns.source.kinds import WATCHED, Fields
from grpcdns.source.manifests.documents import plain, read_documents
from grpcdns.source.manifests.source import read_contents
from grpcdns.source.manifests.values import ManifestError
from harness.objects import service_cidr
from tests.conformance.cluster import ASKABLE
from tests.differential.yaml_texts import CORPUS, mutated, random_text
from tests.unit.core.test_orders import SEED

TEXTS: Final = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "50")) * 8
LENIENT: Final = re.compile(r"\\/|\?|\r|\u0085|\u2028|\"\s*\n\s*:|\}\s*-?\d")
"""What is read here and not by kubectl: by libyaml the escape ``\\/``, question marks in flow text;
by msgspec, in a document that is JSON, line breaks of YAML alone, and one before a colon; after an
object of JSON, a key that begins with a number, which kubectl takes for a value of JSON."""
ODD: Final = re.compile(
    r"\ufeff|![^ \n]*[,\[\]{}]|\":[,?\]}]|---#|[}\]].{1,3}\s*\Z"
    r"|[\[{,]\?|^[ -]*(\{ *\}|\[ *\])[^\n]*:",
    re.MULTILINE,
)
"""What kubectl takes for text and libyaml does not: a byte order mark in the middle of a document,
the signs of flow text in a tag, a text in flow that ends in a quote and a colon. What it takes for
no YAML: ``---#`` at the start, one to three characters after the last object of JSON. And what it
takes for a whole document, where libyaml sees a key: ``{}`` and ``[]``, ``{?``."""
STRICT: Final = "a key cannot be"
"""What is refused here and not by kubectl: a key of null, in a value that a later key replaces."""
AGAIN: Final = 30
"""How often kubectl is asked where the two differ: of two keys that become one, as ``y`` and
``'true'``, it takes either."""

Objects = list[tuple[str, str, Any]]
"""apiVersion, kind and the whole."""


class Kubectl:
    """kubectl's reader, running."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def read(self, data: bytes) -> tuple[Objects, str]:
        """The objects of a file, and what ended it, "" for its end."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps(base64.b64encode(data).decode()).encode() + b"\n")
        stdin.flush()
        found = json.loads(stdout.readline())
        return [one for each in found["documents"] for one in _flat(each)], found["error"]

    def stop(self) -> None:
        with self._process:
            self._process.kill()


@pytest.fixture(scope="module")
def kubectl(kubectl_reader: Path) -> Iterator[Kubectl]:
    print(f"DIFFERENTIAL_SEED={SEED}")
    running = Kubectl(kubectl_reader)
    yield running
    running.stop()


@pytest.mark.parametrize("text", CORPUS.values(), ids=CORPUS.keys())
def test_corpus(kubectl: Kubectl, text: str) -> None:
    compare(kubectl, text)


def test_random(kubectl: Kubectl) -> None:
    random = Random(SEED)
    texts = [text for _ in range(TEXTS) if not ODD.search(text := random_text(random))]
    whole = sum(compare(kubectl, text) for text in texts)
    assert whole > TEXTS / 2, "most of them can be read"


def test_mutated(kubectl: Kubectl) -> None:
    random = Random(SEED)
    corpus = [*CORPUS.values()]
    for _ in range(TEXTS):
        text = mutated(random.choice((random.choice(corpus), random_text(random))), random)
        if not ODD.search(text):
            compare(kubectl, text)


@pytest.mark.parametrize("style", ["YAML", "JSON", "kept"])
def test_a_clusters_objects(kubectl: Kubectl, style: str) -> None:
    """As `kubectl get -o yaml` and `-o json` print them, and as what DNS keeps of them."""
    items = [*ASKABLE, service_cidr("added", "10.208.0.0/16")]
    listed = {"apiVersion": "v1", "kind": "List", "items": items}
    text = json.dumps(listed, indent=4) if style == "JSON" else yaml.safe_dump(listed)
    if style != "kept":
        assert compare(kubectl, text)
        return
    objects, _ = kubectl.read(text.encode())
    ours = read_contents(text.encode(), Fields())
    theirs = read_contents(b"\n".join(json.dumps(one).encode() for *_, one in objects), Fields())
    assert ours.entries == theirs.entries
    assert {entry.kind for entry in ours.entries} == {row.name for row in WATCHED.values()}


def compare(kubectl: Kubectl, text: str) -> bool:
    """Whether both read the file to its end; fails where they differ."""
    data = text.encode()
    theirs, refusal = kubectl.read(data)
    ours, error = read(data)
    if (refusal and LENIENT.search(text)) or (error is not None and STRICT in error.problem):
        return False
    assert (error is None) == (not refusal), (text, refusal, error)
    if _settled(ours) != _settled(theirs):
        assert _settled(ours) in [_settled(kubectl.read(data)[0]) for _ in range(AGAIN)], text
    return not refusal


def read(data: bytes) -> tuple[Objects, ManifestError | None]:
    """As `Kubectl.read`, by us; of a document that is broken nothing is taken."""
    found: list[tuple[int, tuple[str, str, Any]]] = []
    error = None
    try:
        found.extend(
            (one.number, (one.api_version, one.kind, plain(one)))
            for one in read_documents(data, lambda *_: None)
        )
    except ManifestError as caught:
        error = caught
        found = [each for each in found if each[0] != error.number]
    return [each for _, each in found], error


def _flat(value: Any, kind: str = "", version: str = "") -> Iterator[tuple[str, str, Any]]:
    """An object, or those of a List, as kubectl's builder takes it apart."""
    if not isinstance(value, dict):
        return
    own, own_version, items = (value.get(key) for key in ("kind", "apiVersion", "items"))
    own_version = own_version if isinstance(own_version, str) else ""
    if isinstance(own, str) and own:
        kind, version = own, own_version
    else:
        version = own_version or version
    if kind and isinstance(items, list):
        for item in items:
            yield from _flat(item, kind.removesuffix("List"), version)
    elif kind and not ("items" in value and kind.endswith("List")):
        yield version, kind, value


def _settled(objects: Objects) -> list[str]:
    """Comparable: in one order (of a List, what says its own kind comes first with us), and numbers
    as they are, however JSON writes them."""
    return sorted(json.dumps(_number(list(one)), sort_keys=True) for one in objects)


def _number(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _number(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_number(each) for each in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= 1 << 53:
        return int(value)
    if isinstance(value, int) and abs(value) > 1 << 53:
        return float(value)
    return value
