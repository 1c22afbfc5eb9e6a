"""A real CoreDNS runs every Corefile in the documents and answers for the cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest

from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT
from harness.ports import free_address

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{document.name}-{number}")
    for document in DOCUMENTS
    for number, block in enumerate(
        re.findall(r"^```corefile\n(.*?)^```", document.read_text(), re.M | re.S), 1
    )
]


@pytest.fixture(scope="module")
def backend() -> Iterator[Grpcdns]:
    manifests = EXAMPLES
    with Grpcdns("--manifests", manifests, "--upstream", "none") as running:
        yield running


@pytest.mark.parametrize("block", BLOCKS)
def test_corefile_of_a_document(
    block: str, backend: Grpcdns, coredns: Callable[..., CoreDNS]
) -> None:
    text = block.replace("unix:///run/grpcdns/", f"unix://{backend.folder}/")
    text = text.replace("/etc/resolv.conf", str(free_address()))
    answer = ask(coredns(text).address, "xecho.default.svc.cluster.local")
    assert section(answer) == ["xecho.default.svc.cluster.local. 5 IN A 10.96.49.52"]
