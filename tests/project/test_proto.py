"""The committed ``grpcdns/pb`` is generated from ``proto/dns.proto``, and is CoreDNS's contract."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from grpcdns.pb import dns_pb2
from harness.paths import ROOT

FILES = ("dns_pb2.py", "dns_pb2.pyi")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pb")
    subprocess.run([sys.executable, ROOT / "proto" / "generate.py", folder], check=True)
    return folder


@pytest.mark.parametrize("name", FILES)
def test_generated_code_is_up_to_date(generated: Path, name: str) -> None:
    committed = (ROOT / "grpcdns" / "pb" / name).read_text()
    assert committed == (generated / name).read_text(), "run `make proto` and commit the result"


def test_contract_is_coredns_own() -> None:
    service = dns_pb2.DESCRIPTOR.services_by_name["DnsService"]
    assert dns_pb2.DESCRIPTOR.name == "dns.proto"
    assert service.full_name == "coredns.dns.DnsService"
    query = service.methods_by_name["Query"]
    assert (query.input_type.full_name, query.output_type.full_name) == (
        "coredns.dns.DnsPacket",
        "coredns.dns.DnsPacket",
    )


def test_packet_on_the_wire_is_field_1_length_delimited() -> None:
    assert dns_pb2.DnsPacket(msg=b"\x00\x01").SerializeToString() == b"\x0a\x02\x00\x01"
