"""``--output json`` and ``yaml``: one whole document that fits its schema in docs/schemas.

Each command that prints data is run against real parts. A field that is not in the schema is an
error here, though a reader must allow for it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import fastjsonschema
import pytest
import yaml

from grpcdns.cli import COMMANDS, main
from grpcdns.cli.documents import DOCUMENTS
from grpcdns.cli.output import JSON, YAML, as_text
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES, ROOT

MANIFESTS: Final = ("--manifests", str(EXAMPLES))
WEB: Final = "web.default.svc.cluster.local"
NO_DOCUMENT: Final = {"completion"}
"""Commands that print a script."""
SERVER: Final = "SERVER"
"""Stands for the address of a running worker."""
NOBODY: Final = "unix:///nowhere.sock"

Captured = pytest.CaptureFixture[str]


class Row(NamedTuple):
    """A command line; the schema that its document fits; the exit code."""

    words: str
    schema: str
    code: int = 0


ROWS: Final = [
    Row("zone", "zone"),
    Row("zone in-addr.arpa --dns-service kube-system/none", "zone"),
    Row(f"explain {WEB}", "explain"),
    Row("explain wbe.default.svc.cluster.local", "explain", 1),
    Row("corefile --service-cidr 10.96.0.0/12 --pod-cidr 10.244.0.0/16", "corefile"),
    Row("corefile", "corefile", 1),
    Row("corefile --check corefile/sidecar.Corefile", "corefile-check"),
    Row("corefile --check tests/system/cli/stock.Corefile", "corefile-check", 1),
    Row("corefile --from tests/system/cli/stock.Corefile", "corefile-from", 1),
    Row("serve --print-config", "serve-print-config"),
]
"""Without a server. Each gets `MANIFESTS`."""
SERVED: Final = [
    Row(f"query {WEB} --edns --server SERVER", "query"),
    Row(f"query none.{WEB} SRV --server SERVER", "query"),
    Row("check --server SERVER", "check"),
    Row(f"check --server SERVER --server {NOBODY}", "check", 1),
    Row("check --dns 127.0.0.1:1", "check-dns", 1),
    Row(f"explain {WEB} AAAA --server SERVER", "explain"),
    Row("guard status --server SERVER", "guard"),
    Row("top --server SERVER", "top"),
]
COMPARED: Final = [
    Row(f"compare --with OTHER --server SERVER {' '.join(MANIFESTS)}", "compare", 1),
    Row(f"compare --live --with OTHER --server SERVER {' '.join(MANIFESTS)}", "compare-live", 1),
]
LOGGED: Final = f'[INFO] 10.0.0.9:5 - 1 "A IN {WEB}. udp 30 false 512" NOERROR qr 50 0.1s\n'
IN_CLUSTER: Final = [
    Row("preflight --as self --kubeconfig KUBECONFIG", "preflight", 1),
    Row("preflight --as self --kubeconfig UNREACHABLE", "preflight", 1),
]

FAILURES: Final = [
    Row(f"query {WEB} --server {NOBODY}", "error", 1),
    Row("query a..b", "error", 2),
    Row("query --short", "error", 2),
    Row(f"query {WEB} --servre x", "error", 2),
    Row("check --server here", "error", 2),
    Row(f"explain {WEB} --server {NOBODY}", "error", 1),
    Row(f"explain {WEB} --manifests /none", "error", 2),
    Row("compare --with 127.0.0.1 --manifests /none", "error", 2),
    Row("zone example.org --manifests examples/cluster", "error", 2),
    Row("corefile --check /none", "error", 2),
    Row("corefile --from /none", "error", 2),
    Row(f"guard status --server {NOBODY}", "error", 1),
    Row(f"top --server {NOBODY}", "error", 1),
    Row("preflight --manifests .", "error", 2),
    Row("serve --print-config --ttl x", "error", 2),
    Row("serve", "error", 2),
]


def validate(document: Any, name: str) -> None:
    """Raises when the document does not fit, or has a field that is not in the schema."""
    path = ROOT / "docs" / "schemas" / f"{name}.json"
    fastjsonschema.validate(_closed(json.loads(path.read_text())), document)


def _closed(schema: Any) -> Any:
    """The schema without room for fields to come."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _closed(value) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made["additionalProperties"] = False
    return made


def run(words: Sequence[str], form: str, capsys: Captured) -> tuple[int, Any, str]:
    """Exit code, document, stderr."""
    code = main([*words, "--output", form])
    caught = capsys.readouterr()
    read = json.loads if form == JSON else yaml.safe_load
    return code, read(caught.out), caught.err


def check(row: Row, form: str, capsys: Captured, **places: object) -> Any:
    words = [str(places.get(word, word)) for word in row.words.split()]
    code, document, err = run(words, form, capsys)
    validate(document, row.schema)
    assert (code, err) == (row.code, "")
    return document


formats = pytest.mark.parametrize("form", [JSON, YAML])


@pytest.fixture(scope="module")
def ours() -> Iterator[Grpcdns]:
    with Grpcdns(*MANIFESTS, "--upstream", "none", "--guard", "30") as running:
        yield running


@pytest.fixture(autouse=True)
def at_the_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_every_command_and_every_schema_is_here() -> None:
    rows = [*ROWS, *SERVED, *COMPARED, *IN_CLUSTER]
    assert {row.words.split()[0] for row in rows} == COMMANDS.keys() - NO_DOCUMENT
    assert {row.schema for row in [*rows, *FAILURES]} == DOCUMENTS.keys()


@formats
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.words)
def test_a_document_fits_its_schema(row: Row, form: str, capsys: Captured) -> None:
    check(row._replace(words=f"{row.words} {' '.join(MANIFESTS)}"), form, capsys)


@formats
@pytest.mark.parametrize("row", SERVED, ids=lambda row: row.words)
def test_of_a_running_serve(row: Row, form: str, capsys: Captured, ours: Grpcdns) -> None:
    check(row, form, capsys, SERVER=ours.listen[0])


@formats
@pytest.mark.parametrize("row", COMPARED, ids=lambda row: row.words)
def test_of_two_servers(
    row: Row,
    form: str,
    capsys: Captured,
    ours: Grpcdns,
    coredns: Callable[..., CoreDNS],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "log").write_text(LOGGED)
    other = coredns(". {\n    template ANY ANY {\n        rcode NXDOMAIN\n    }\n}")
    with (tmp_path / "log").open() as log:
        monkeypatch.setattr("sys.stdin", log)
        document = check(row, form, capsys, SERVER=ours.listen[0], OTHER=other.address)
    assert document["differences"]


@formats
@pytest.mark.parametrize("row", IN_CLUSTER, ids=lambda row: row.words)
def test_of_a_cluster(
    row: Row, form: str, capsys: Captured, cluster: Cluster, tmp_path: Path
) -> None:
    config = yaml.safe_load(cluster.admin_kubeconfig.read_text())
    for one in config["clusters"]:
        one["cluster"]["server"] = "https://127.0.0.1:1"
    unreachable = tmp_path / "kubeconfig"
    unreachable.write_text(yaml.safe_dump(config))
    check(row, form, capsys, KUBECONFIG=cluster.admin_kubeconfig, UNREACHABLE=unreachable)


@formats
@pytest.mark.parametrize("row", FAILURES, ids=lambda row: row.words)
def test_a_failure_is_one_line_and_a_document(row: Row, form: str, capsys: Captured) -> None:
    code, document, err = run(row.words.split(), form, capsys)
    validate(document, "error")
    assert (code, err) == (row.code, f"grpcdns: {document['error']}\n")
    assert err.count("\n") == 1


@pytest.mark.parametrize("word", ["--output=json", "--json"])
def test_json_has_a_short_form(word: str, capsys: Captured) -> None:
    assert main(["explain", WEB, *MANIFESTS, word]) == 0
    assert json.loads(capsys.readouterr().out)["rcode"] == "NOERROR"


@pytest.mark.parametrize("form", ["text", JSON])
def test_a_full_disk_is_one_line_and_exit_code_1(form: str) -> None:
    command = [sys.executable, "-m", "grpcdns", "explain", WEB, *MANIFESTS, "--output", form]
    with open("/dev/full", "wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "grpcdns: stdout: No space left on device\n")


@pytest.mark.parametrize(
    "text",
    ["1e3", "0o17", "0x1f", "no", "null", "~", "12:30", "a: b", "- x", "#", "=", "<<", " a\nb ",
     "\u202e\x00\x1b[31m", "a\tb\n", "\udc80"],
    ids=ascii,
)  # fmt: skip
def test_yaml_reads_back_as_the_same_text(text: str) -> None:
    written = as_text({"text": text}, YAML)
    assert written.isascii()
    assert yaml.safe_load(written) == {"text": text}


@pytest.mark.parametrize("text", ["1e3", "0o17", "0x1f", "3", "1.5"])
def test_what_yaml_1_2_takes_for_a_number_is_quoted(text: str) -> None:
    assert as_text([text], YAML) == f"- '{text}'\n"
