"""Every Corefile printed in a document loads in a real CoreDNS and answers for the cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.harness.coredns import CoreDNS
from tests.harness.dns import ask, section
from tests.harness.grpcdns import Grpcdns
from tests.harness.ports import free_address

ROOT = Path(__file__).resolve().parents[2]
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
    manifests = ROOT / "examples" / "cluster"
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
