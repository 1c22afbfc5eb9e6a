"""``grpcdns query`` and ``grpcdns check`` against a real ``grpcdns serve``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grpcdns.cli import main
from harness.certificates import Authority
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import free_address
from harness.waiting import wait_until

XECHO = "xecho.default.svc.cluster.local."


@pytest.fixture(scope="module")
def ours() -> Iterator[Grpcdns]:
    with Grpcdns("--manifests", EXAMPLES, "--upstream", "none") as running:
        yield running


@pytest.fixture
def server(ours: Grpcdns) -> str:
    return f"--server={ours.listen[0]}"


@pytest.fixture
def nobody(tmp_path: Path) -> str:
    return f"--server=unix://{tmp_path}/none.sock"


Captured = pytest.CaptureFixture[str]


def test_answer_in_the_form_of_dig(server: str, capsys: Captured) -> None:
    assert main(["query", XECHO, server]) == 0
    assert re.fullmatch(
        r""";; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: \d+
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 0

;; QUESTION SECTION:
;xecho\.default\.svc\.cluster\.local\.		IN	A

;; ANSWER SECTION:
xecho\.default\.svc\.cluster\.local\.	5	IN	A	10\.96\.49\.52

;; Query time: \d+ msec
;; SERVER: unix:///\S+/0\.sock \(gRPC\)
;; MSG SIZE  rcvd: 65
""",
        capsys.readouterr().out,
    )


def test_negative_answer_shows_the_soa(server: str, capsys: Captured) -> None:
    assert main(["query", "none.default.svc.cluster.local", "aaaa", server]) == 0
    output = capsys.readouterr().out
    assert "status: NXDOMAIN" in output
    assert ";; AUTHORITY SECTION:\ncluster.local.\t5\tIN\tSOA\tns.dns.cluster.local." in output


def test_edns_is_shown_and_counted(server: str, capsys: Captured) -> None:
    assert main(["query", XECHO, "--edns", server]) == 0
    output = capsys.readouterr().out
    assert "ADDITIONAL: 1\n\n;; OPT PSEUDOSECTION:\n; EDNS: version: 0, flags:; udp: " in output


def test_reverse(server: str, capsys: Captured) -> None:
    assert main(["query", "-x", "10.96.49.52", "--short", server]) == 0
    assert capsys.readouterr().out == XECHO + "\n"


def test_short_gives_the_data_alone(server: str, capsys: Captured) -> None:
    assert main(["query", "database.default.svc.cluster.local", "--short", server]) == 0
    assert sorted(capsys.readouterr().out.split()) == ["192.168.50.11", "192.168.50.12"]


def test_short_prints_nothing_for_nothing(server: str, capsys: Captured) -> None:
    assert main(["query", "none.default.svc.cluster.local", "--short", server]) == 0
    assert capsys.readouterr().out == ""


def test_a_failure_is_json_too(nobody: str, capsys: Captured) -> None:
    assert main(["query", XECHO, "--json", nobody]) == 1
    caught = capsys.readouterr()
    assert json.loads(caught.out) == {"error": caught.err.removeprefix("grpcdns: ").rstrip("\n")}


def test_json(server: str, capsys: Captured) -> None:
    assert main(["query", XECHO, "--json", server]) == 0
    reply = json.loads(capsys.readouterr().out)
    assert reply["status"] == "NOERROR"
    assert reply["flags"] == ["qr", "aa", "rd"]
    assert reply["question"] == [{"name": XECHO, "type": "A"}]
    assert reply["answer"] == [
        {"name": XECHO, "ttl": 5, "class": "IN", "type": "A", "data": "10.96.49.52"}
    ]
    assert reply["authority"] == reply["additional"] == []
    assert reply["size"] == 65


def test_the_next_server_is_asked_when_one_gives_no_reply(
    nobody: str, server: str, capsys: Captured
) -> None:
    assert main(["query", XECHO, "--short", nobody, server]) == 0
    assert capsys.readouterr().out == "10.96.49.52\n"


def test_no_reply_is_one_line_and_exit_code_1(nobody: str, capsys: Captured) -> None:
    assert main(["query", XECHO, nobody]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"grpcdns: {nobody.removeprefix('--server=')}: UNAVAILABLE: ")


def test_server_from_the_environment(
    ours: Grpcdns, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("GRPCDNS_SERVER", ours.listen[1])
    assert main(["check"]) == 0
    assert capsys.readouterr().out == f"{ours.listen[1]}: SERVING\n"


def test_check_of_all_workers(ours: Grpcdns, capsys: Captured) -> None:
    assert main(["check", *(f"--server={address}" for address in ours.listen)]) == 0
    assert capsys.readouterr().out == "".join(f"{one}: SERVING\n" for one in ours.listen)


def test_check_fails_when_one_does_not_serve(server: str, nobody: str, capsys: Captured) -> None:
    assert main(["check", server, nobody]) == 1
    first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(": SERVING")
    assert ": UNAVAILABLE: " in second
    assert main(["check", "--any", "--quiet", server, nobody]) == 0
    assert capsys.readouterr().out == ""


def test_check_of_an_unknown_service(server: str, capsys: Captured) -> None:
    assert main(["check", server, "--service", "other.Service"]) == 1
    assert ": NOT_FOUND: " in capsys.readouterr().out


def test_check_of_unix_and_tls_addresses_in_one_call(tmp_path: Path, capsys: Captured) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("grpcdns.test", hosts=["grpcdns.test"])
    listen = (f"unix://{tmp_path}/0.sock", str(free_address()))
    options = ("--tls-cert", pair.cert, "--tls-key", pair.key)
    words = ["check", *(f"--server={one}" for one in listen)]
    words += [f"--tls-ca={authority.cert}", "--tls-name=grpcdns.test"]
    with Grpcdns("--manifests", EXAMPLES, *options, listen=listen).start(ready=False):
        wait_until(lambda: main(words) == 0, "both serve")
    assert capsys.readouterr().out.endswith("".join(f"{one}: SERVING\n" for one in listen))


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The address of a server that requires a client certificate, and the flags for it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = Authority(folder)
    pair = authority.issue("grpcdns.test", hosts=["grpcdns.test"])
    address = str(free_address())
    flags = [f"--server={address}", "--tls-name=grpcdns.test", f"--tls-ca={authority.cert}"]
    flags += [f"--tls-cert={pair.cert}", f"--tls-key={pair.key}"]
    options: list[str | Path] = [
        "--tls-cert",
        pair.cert,
        "--tls-key",
        pair.key,
        "--tls-client-ca",
        authority.cert,
    ]
    with Grpcdns("--manifests", EXAMPLES, *options, listen=(address,)).start(ready=False):
        wait_until(lambda: main(["check", "--quiet", *flags]) == 0, "serving over TLS")
        yield address, flags


def test_query_over_tls(tls: tuple[str, list[str]], capsys: Captured) -> None:
    assert main(["query", XECHO, "--short", *tls[1]]) == 0
    assert capsys.readouterr().out == "10.96.49.52\n"


@pytest.mark.parametrize("without", ["--tls-ca", "--tls-name", "--tls-cert"])
def test_wrong_credentials_are_refused(
    tls: tuple[str, list[str]], without: str, capsys: Captured
) -> None:
    flags = [flag for flag in tls[1] if not flag.startswith(without)]
    if without == "--tls-cert":
        flags = [flag for flag in flags if not flag.startswith("--tls-key")]
    assert main(["query", XECHO, "--timeout=2s", *flags]) == 1
    assert capsys.readouterr().err.startswith(f"grpcdns: {tls[0]}: UNAVAILABLE: ")


BACKEND = "cluster.local {{\n{}\n}}\n. {{\n    template IN A {{\n        rcode NXDOMAIN\n    }}\n}}"


@pytest.mark.servers
def test_check_of_a_dns_server(
    ours: Grpcdns, coredns: Callable[..., CoreDNS], capsys: Captured
) -> None:
    """Over UDP and TCP; a name without records is no success."""
    address = coredns(BACKEND.format(ours.grpc_block)).address
    words = ["check", f"--dns={address}", "--timeout=2s"]
    assert main([*words, f"--name={XECHO}"]) == 0
    where = f"{address.host}#{address.port}: {XECHO}"
    assert capsys.readouterr().out.splitlines() == [
        f"{where} over UDP: NOERROR, 1 record",
        f"{where} over TCP: NOERROR, 1 record",
    ]
    assert main([*words, f"--name={XECHO}", "--name=no-such.example"]) == 1
    assert "no-such.example. over TCP: NXDOMAIN, 0 records\n" in capsys.readouterr().out
    assert main([*words, f"--dns={free_address()}", f"--name={XECHO}", "--any", "--quiet"]) == 0
    assert main(["check", f"--dns={free_address()}"]) == 1
    assert "connection refused" in capsys.readouterr().out


def test_check_of_a_dns_server_that_makes_no_sense(capsys: Captured) -> None:
    assert main(["check", "--dns=dns.example"]) == 2
    assert main(["check", "--dns=127.0.0.1", "--name=a..b"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "--dns: 'dns.example' is not an IP address" in first
    assert "--name: a..b" in second
