"""``grpcdns compare``: no difference, differences, no answer; as text and as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grpcdns.cli import main
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import free_address

MANIFESTS = ("--manifests", str(EXAMPLES), "--upstream", "none")
ZONES = "cluster.local in-addr.arpa ip6.arpa"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def ours() -> Iterator[Grpcdns]:
    with Grpcdns(*MANIFESTS) as running:
        yield running


@pytest.fixture
def compare(ours: Grpcdns, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(other: str, *words: str, server: str = "") -> tuple[int, str, str]:
        where = ["--server", server or ours.listen[0], "--with", other]
        code = main(["compare", *where, *MANIFESTS, *words])
        caught = capsys.readouterr()
        return code, caught.out, caught.err

    return run


def test_the_same(ours: Grpcdns, compare: Run, coredns: Callable[..., CoreDNS]) -> None:
    running = coredns(f"{ZONES} {{\n{ours.grpc_block}\n}}")
    code, out, err = compare(str(running.address))
    assert code == 0
    assert "52 questions: 52 same, 0 different, 0 without answer" in out
    assert not err, "no progress bar where stderr is no terminal"
    assert "\x1b" not in out


def test_progress_where_stderr_is_no_terminal(
    ours: Grpcdns, compare: Run, coredns: Callable[..., CoreDNS]
) -> None:
    """A line after two seconds; none for a program that reads JSON."""
    running = coredns(f"{ZONES} {{\n{ours.grpc_block}\n}}")
    code, _, err = compare(str(running.address), "--rate", "20")
    assert code == 0
    assert re.fullmatch(r"grpcdns: comparing \d+ of 52\n", err)
    assert compare(str(running.address), "--rate", "20", "--json")[2] == ""


def test_different(compare: Run, coredns: Callable[..., CoreDNS]) -> None:
    with Grpcdns(*MANIFESTS, "--namespaces", "default") as other:
        running = coredns(f"{ZONES} {{\n{other.grpc_block}\n}}")
        code, out, _ = compare(str(running.address))
        assert code == 1
        assert "  - DNS      NXDOMAIN\n  + grpcdns  NOERROR\n" in out
        assert "+ grpcdns  kube-dns.kube-system.svc.cluster.local. IN A 10.96.0.10" in out
        code, out, _ = compare(str(running.address), "--json")
        data = json.loads(out)
        assert (code, data["different"], data["questions"]) == (1, 6, 52)
        first = data["differences"][0]
        assert (first["dns_rcode"], first["grpcdns_rcode"]) == ("NXDOMAIN", "NOERROR")


def test_ttls_count_when_asked_to(compare: Run, coredns: Callable[..., CoreDNS]) -> None:
    with Grpcdns(*MANIFESTS, "--ttl", "30") as other:
        running = coredns(f"{ZONES} {{\n{other.grpc_block}\n}}")
        assert compare(str(running.address))[0] == 0
        code, out, _ = compare(str(running.address), "--ttl-too")
        assert (code, "- DNS      web.default.svc.cluster.local. 30 IN A" in out) == (1, True)


def test_nobody_answers(ours: Grpcdns, compare: Run) -> None:
    """A server that does not answer is no difference, be it the DNS server or grpcdns."""
    nobody = str(free_address())
    code, out, _ = compare(nobody, "--timeout", "100ms", "--parallel", "60")
    assert (code, "52 without answer" in out) == (2, True)
    code, out, _ = compare(nobody, "--timeout", "100ms", server="unix:///nowhere.sock")
    assert (code, "UNAVAILABLE" in out) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--with", "dns.example"), "--with: 'dns.example' is not"),
        (("--with", "127.0.0.1", "--parallel", "0"), "0 is not between 1 and 1000"),
        (("--with", "127.0.0.1", "--rate", "fast"), "'fast' is not a number"),
        ((), "--with"),
    ],
)
def test_what_makes_no_sense(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", *words, "--server", "127.0.0.1:1", *MANIFESTS]) == 2
    assert said in capsys.readouterr().err


def test_a_large_answer_comes_over_tcp(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], coredns: Callable[..., CoreDNS]
) -> None:
    """A hundred addresses do not fit the 1,232 octets offered over UDP."""
    endpoints = [
        {"addresses": [f"10.3.0.{n}"], "conditions": {"ready": True}} for n in range(1, 101)
    ]
    items = [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "big", "namespace": "default"},
         "spec": {"clusterIP": "None", "clusterIPs": ["None"], "ports": [{"port": 80}]}},
        {"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
         "metadata": {"name": "big-a", "namespace": "default",
                      "labels": {"kubernetes.io/service-name": "big"}},
         "endpoints": endpoints, "ports": [{"port": 80, "protocol": "TCP"}]},
    ]  # fmt: skip
    folder = tmp_path / "manifests"
    folder.mkdir()
    (folder / "big.json").write_text(
        json.dumps({"kind": "List", "apiVersion": "v1", "items": items})
    )
    options = ("--manifests", str(folder), "--upstream", "none")
    with Grpcdns(*options) as big:
        running = coredns(f"{ZONES} {{\n{big.grpc_block}\n}}")
        words = ["--server", big.listen[0], "--with", str(running.address), *options]
        assert main(["compare", *words]) == 0
        assert "0 different, 0 without answer" in capsys.readouterr().out
