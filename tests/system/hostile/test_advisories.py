"""Security advisories of CoreDNS, Kubernetes and gRPC that concern a backend like this one.

Those about queries are rows of rows.py, those about HTTP/2 are in abuse.py; the rest is here.
"""

from __future__ import annotations

import time
from importlib.metadata import version

import dns.message
import msgspec
import pytest

from grpcdns.core.answers.policy import Policy
from grpcdns.serve.worker.transport.packet import MAX_PACKET
from grpcdns.serve.worker.transport.server import OPTIONS
from harness.paths import ROOT
from tests.conformance.reply import query
from tests.fuzz.world import answer, fill, make_handler, pairs
from tests.system.hostile.rows import ROWS


@pytest.mark.parametrize(
    "advisory",
    ["CVE-2026-82399", "CVE-2026-86003", "CVE-2026-33190", "CVE-2026-35579", "kubernetes#81137"],
)
def test_has_a_row(advisory: str) -> None:
    assert any(advisory in row.rfc for row in ROWS)


def test_cve_2025_68151_the_server_has_limits() -> None:
    options = dict(OPTIONS)
    assert options["grpc.max_receive_message_length"] == MAX_PACKET == 65_539
    assert 0 < options["grpc.max_concurrent_streams"] <= 4096
    assert 0 < options["grpc.max_allowed_incoming_connections"] <= 1024


@pytest.mark.timed
def test_cve_2026_82399_counts_cost_nothing() -> None:
    (row,) = (row for row in ROWS if row.id == "all-counts-65535")
    assert len(row.message) == 12
    began = time.thread_time()
    for _ in range(1000):
        answer(pairs()[0].forgetful, row.message)
    assert time.thread_time() - began < 0.5


@pytest.mark.parametrize("ttl", [0, 1, 5, 30, 3600])
def test_cve_2025_58063_every_ttl_is_the_one_chosen(ttl: int) -> None:
    """No other number may become a TTL: it would keep answers in caches. A SOA's is at most 300."""
    policy = Policy(ttl=ttl, external_ttl=ttl, external_zones=("outside.example.",))
    handler = fill(make_handler(policy))
    for name, qtype in (
        ("svc1.testns.svc.cluster.local", "A"), ("hdls.testns.svc.cluster.local", "SRV"),
        ("ext-in.testns.svc.cluster.local", "A"), ("1.1.244.10.in-addr.arpa", "PTR"),
        ("cluster.local", "NS"), ("nothing.testns.svc.cluster.local", "A"),
        ("lb.testns.outside.example", "A"), ("outside.example", "NS"),
    ):  # fmt: skip
        message = dns.message.from_wire(answer(handler, query(name, qtype)))
        found = {rrset.ttl for part in message.sections[1:] for rrset in part}
        assert found <= {ttl, min(ttl, 300)}, name
        assert found, name


def test_cve_2025_58063_old_data_is_capped() -> None:
    policy = msgspec.structs.replace(Policy(ttl=3600), ttl_cap=5)
    reply = answer(fill(make_handler(policy)), query("dns-version.cluster.local", "TXT"))
    assert [rrset.ttl for rrset in dns.message.from_wire(reply).answer] == [5]


def test_cve_2022_2837_is_explained_to_operators() -> None:
    assert "CVE-2022-2837" in (ROOT / "docs/operations.md").read_text()


def test_cve_2023_33953_and_cve_2024_7246_are_fixed_in_the_grpc_we_use() -> None:
    assert tuple(map(int, version("grpcio").split(".")[:3])) > (1, 65, 4)
