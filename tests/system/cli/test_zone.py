"""``grpcdns zone`` prints a zone file that others read, with every record."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import dns.zone
import pytest

from grpcdns.cli import main
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES


def printed(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["zone", *words, "--manifests", str(EXAMPLES)]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("zone", ["cluster.local", "in-addr.arpa", "ip6.arpa"])
def test_dnspython_reads_it(zone: str, capsys: pytest.CaptureFixture[str]) -> None:
    read = dns.zone.from_text(printed([zone], capsys), origin=f"{zone}.", relativize=False)
    assert read.get_soa().serial > 1_700_000_000
    assert read.get_rdataset(f"{zone}.", "NS")


def test_records_are_what_a_server_answers(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed([], capsys)
    read = dns.zone.from_text(text, origin="cluster.local.", relativize=False)
    options = ("--manifests", EXAMPLES, "--upstream", "none")
    with Grpcdns(*options) as ours:
        for name, rdataset in read.iterate_rdatasets():
            if rdataset.rdtype != dns.rdatatype.SOA:
                reply = ours.ask(name.to_text(), dns.rdatatype.to_text(rdataset.rdtype))
                lines = [f"{name} {rdataset.ttl} IN {dns.rdatatype.to_text(rdataset.rdtype)} {one}"
                         for one in rdataset]  # fmt: skip
                assert section(reply) == sorted(lines)


def test_records_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [json.loads(line) for line in printed(["--json"], capsys).splitlines()]
    assert {"name": "web.default.svc.cluster.local.", "ttl": 5, "type": "A",
            "data": "10.96.7.7"} in lines  # fmt: skip


def test_external_zones(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "out", "namespace": "default"},
        "spec": {
            "type": "LoadBalancer",
            "clusterIP": "10.96.1.1",
            "externalIPs": ["192.0.2.9"],
            "ports": [{"name": "http", "port": 80, "protocol": "TCP"}],
        },
    }
    (tmp_path / "out.json").write_text(json.dumps(service))
    words = ["zone", "example.com", "--manifests", str(tmp_path), "--external-zones", "example.com"]
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "out.default.example.com. 5 IN A 192.0.2.9" in text
    assert dns.zone.from_text(text, origin="example.com.", relativize=False).get_soa().serial


def test_an_unknown_zone_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["zone", "example.org", "--manifests", str(EXAMPLES)]) == 2
    assert "cluster.local., in-addr.arpa., ip6.arpa." in capsys.readouterr().err


def test_a_zone_without_dns_service_says_why_it_has_no_ns(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = printed(["--dns-service", "kube-system/no-such"], capsys)
    assert "; no NS: there is no DNS Service kube-system/no-such (--dns-service)" in text
