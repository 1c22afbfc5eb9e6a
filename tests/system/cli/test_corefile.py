"""``grpcdns corefile``: a written Corefile passes the check and runs in a real CoreDNS."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from grpcdns.cli import main, parser_of
from grpcdns.config import values
from grpcdns.config.load import load
from grpcdns.config.options import OPTIONS
from grpcdns.corefile.checker import check_corefile
from grpcdns.corefile.traps.trap import NOTE, Backend
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask, section
from harness.grpcdns import Grpcdns
from harness.objects import pod, port, service, write_list
from harness.paths import EXAMPLES, ROOT
from harness.ports import free_address, free_port
from harness.waiting import wait_until
from tests.unit.corefile.stock import KUBEADM, STOCK

MANIFESTS = ("--manifests", str(EXAMPLES))
NETWORKS = ("--service-cidr", "10.96.0.0/12", "--pod-cidr", "172.17.0.0/16")


def test_what_is_written_has_nothing_to_find(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corefile", *MANIFESTS, *NETWORKS]) == 0
    text = capsys.readouterr().out
    assert "cluster.local 10.96.0.0/12 172.17.0.0/16 {" in text
    assert [one for one in check_corefile(text) if one.trap.level != NOTE] == []


def test_a_real_coredns_runs_it(
    capsys: pytest.CaptureFixture[str], coredns: Callable[..., CoreDNS]
) -> None:
    zones = "cluster.local,10.96.0.0/12,172.17.0.0/16"
    with Grpcdns(*MANIFESTS, "--zones", zones, "--upstream", "none") as ours:
        listen = [word for address in ours.listen for word in ("--listen", address)]
        words = ["--forward", "127.0.0.1:1", "--zones", zones]
        assert main(["corefile", *MANIFESTS, *NETWORKS, *listen, *words]) == 0
        text = capsys.readouterr().out
        assert f"# grpcdns serve --zones {zones} --ttl-mode adaptive\n" in text
        assert check_corefile(text, values.many(values.zone)(zones)) == []
        # Ports that every CoreDNS of a machine would want.
        text = text.replace(":9153", f"127.0.0.1:{free_port()}")
        text = text.replace("health {", f"health 127.0.0.1:{free_port()} {{")
        text = text.replace("ready\n", f"ready 127.0.0.1:{free_port()}\n").replace("    loop\n", "")
        running = coredns(text.replace("lameduck 5s", "lameduck 0s"))
        reply = ask(running.address, "7.7.96.10.in-addr.arpa", "PTR")
        assert section(reply)[0].endswith("PTR web.default.svc.cluster.local.")


def test_the_cache_is_sized(capsys: pytest.CaptureFixture[str]) -> None:
    """What is written passes the check with the same number."""
    assert main(["corefile", *MANIFESTS, *NETWORKS]) == 0
    assert re.search(r"# Room for \d+ names: 6 Services and 2 endpoints", capsys.readouterr().out)
    assert main(["corefile", *NETWORKS, "--names", "100000"]) == 0
    text = capsys.readouterr().out
    assert "    # Room for 100,000 names: --names, given on 20" in text
    assert "success 125184 30 0" in text
    found = check_corefile(text, backend=Backend(100_000, adaptive=True))
    assert [one for one in found if one.trap.level != NOTE] == []


def test_a_cache_that_cannot_be_sized_has_the_default_size(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Given networks need no cluster, and one that is unreachable is no error."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main(["corefile", *NETWORKS]) == 0
    text = capsys.readouterr().out
    assert "as the names were not counted: give --names COUNT." in text
    assert "success 9984 30 0" in text
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        "apiVersion: v1\nkind: Config\ncurrent-context: a\n"
        "contexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n"
        f"clusters: [{{name: a, cluster: {{server: 'http://{free_address()}'}}}}]\n"
    )
    assert main(["corefile", *NETWORKS, "--kubeconfig", str(kubeconfig)]) == 0
    assert (
        "not counted (the Kubernetes API does not answer: Connection refused)"
        in capsys.readouterr().out
    )


def test_the_command_line_has_what_was_given(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for where the cluster is. External zones are keys of the block, and none of --zones."""
    monkeypatch.setenv("GRPCDNS_TTL", "7")
    words = ["--external-zones", "example.org", "--pods", "insecure", "--namespaces", "a,b"]
    words += ["--labels", "app in (a, b)", "--zonal"]
    assert main(["corefile", *MANIFESTS, *NETWORKS, *words]) == 0
    text = capsys.readouterr().out
    assert "\ncluster.local example.org 10.96.0.0/12 172.17.0.0/16 {\n" in text
    (line,) = re.findall("^# grpcdns serve (.*)$", text, re.M)
    parsed = parser_of("serve").read(shlex.split(line))
    given = {option.name: found for option in OPTIONS
             if (found := getattr(parsed, option.field)) is not None}  # fmt: skip
    config = load(given, {}).config
    assert config.external_zones == ("example.org.",)
    assert config.zones[0] == "cluster.local."
    assert "example.org." not in config.zones
    assert (config.pods, config.ttl, config.namespaces) == ("insecure", 7, ("a", "b"))
    assert (config.labels, config.zonal, config.ttl_mode) == ("app in (a, b)", True, "adaptive")
    assert config.manifests == ()
    assert check_corefile(text, (*config.zones, *config.external_zones)) == []


@pytest.mark.parametrize("given", ["0", "many", "-1"])
def test_a_number_of_names_that_is_none(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corefile", *NETWORKS, f"--names={given}"]) == 2
    assert "--names: " in capsys.readouterr().err


def test_the_names_of_an_api(
    cluster: Cluster, namespace: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A controller makes the slices of a headless Service, and labels them."""
    config = ("--kubeconfig", str(cluster.admin_kubeconfig))

    def counted() -> int:
        assert main(["corefile", *NETWORKS, *config]) == 0
        found = re.search(r"# Room for ([\d,]+) names?: ", capsys.readouterr().out)
        assert found
        return int(found[1].replace(",", ""))

    before = counted()
    labels = {"app": "db"}
    for name in ("db", "web"):
        made = service(
            name, headless=name == "db", selector=labels, ports=[port(80)], namespace=namespace
        )
        cluster.api.create(made)
    for number in range(3):
        made = pod(f"db-{number}", namespace=namespace, labels=labels)
        cluster.kubelet.run(made, [f"10.9.8.{number}"])
    wait_until(lambda: counted() == before + 5, "two Services, three endpoints of one of them")


def test_a_clusters_own_networks(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": "corefile-node"},
        "spec": {"podCIDR": "10.244.3.0/24", "podCIDRs": ["10.244.3.0/24", "fd00:244:0:3::/64"]},
    }
    cluster.api.create(node)
    try:
        assert main(["corefile", "--kubeconfig", str(cluster.admin_kubeconfig)]) == 0
        keys = capsys.readouterr().out.splitlines()[1]
        assert keys == ("cluster.local 10.96.0.0/16 fd00:96::/112 10.244.0.0/16 fd00:244::/56 {")
    finally:
        cluster.api.delete(node)


def test_who_may_not_look_is_told(cluster: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    kubeconfig = str(cluster.service_account_kubeconfig("nobody", ()))
    assert main(["corefile", "--kubeconfig", kubeconfig]) == 1
    text = capsys.readouterr().out
    assert "# MISSING: Nodes cannot be listed: 403" in text
    assert "give --service-cidr" in text


def test_networks_from_manifests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cidr.yaml").write_text(
        "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: kubernetes}\n"
        "spec: {cidrs: [10.32.0.0/16]}\n---\n"
        "apiVersion: v1\nkind: Node\nmetadata: {name: a}\nspec: {podCIDRs: [10.200.1.0/24]}\n"
    )
    assert main(["corefile", "--manifests", str(tmp_path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["zones"] == ["cluster.local", "10.32.0.0/16", "10.200.0.0/16"]


def test_a_corefile_for_zones_that_follow_the_cluster(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It has the networks of now, and does not follow. The check compares with them."""
    options = ["--kubeconfig", str(cluster.admin_kubeconfig), "--zones", "auto"]
    assert main(["corefile", *options, "--pod-cidr", "10.244.0.0/16"]) == 0
    text = capsys.readouterr().out
    first, second, keys, *_ = text.splitlines()
    assert first.startswith("# grpcdns serve --zones cluster.local,auto,10.244.0.0/16 --ttl-mode")
    assert second == "# --zones auto follows a new ServiceCIDR; add it to the zones below as well."
    assert keys == "cluster.local 10.96.0.0/16 fd00:96::/112 10.244.0.0/16 {"
    file = tmp_path / "Corefile"
    for left_out, expected in (("", set()), (" 10.96.0.0/16", {"not-asked"})):
        file.write_text(text.replace(left_out, "") if left_out else text)
        main(["corefile", "--check", str(file), "--json", *options, "--pod-cidr", "10.244.0.0/16",
              "--zones", "10.244.0.0/16"])  # fmt: skip
        findings = json.loads(capsys.readouterr().out)["findings"]
        assert {one["trap"] for one in findings if one["level"] != "note"} == expected


BAD = "cluster.local {\n    grpc . localhost:5301\n}\n"


def test_check_says_line_and_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Corefile"
    file.write_text(BAD)
    assert main(["corefile", "--check", str(file)]) == 1
    text = capsys.readouterr().out
    assert f"{file}:2: error: TO localhost:5301 is not an IP address [grpc-host-name]" in text
    assert text.endswith(f"{file}: 1 error, 4 warnings, 1 note\n")


def test_check_of_standard_input_as_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(BAD))
    assert main(["corefile", "--check", "-", "--json"]) == 1
    data = json.loads(capsys.readouterr().out)
    found = [one for one in data["findings"] if one["level"] == "error"]
    assert [(one["line"], one["trap"]) for one in found] == [(2, "grpc-host-name")]


@pytest.mark.parametrize(
    "name", ["corefile/sidecar.Corefile", "corefile/demo.Corefile", "deploy/kubeadm/Corefile"]
)
def test_the_corefiles_of_this_repository(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The demo has no ready plugin: it runs in no Pod."""
    known = ("--ttl-mode", "adaptive", "--names", "9984")
    main(["corefile", "--check", str(ROOT / name), "--json", *known])
    data = json.loads(capsys.readouterr().out)
    serious = {one["trap"] for one in data["findings"] if one["level"] != "note"}
    assert serious <= ({"no-ready"} if "demo" in name else set())
    assert not [one for one in data["findings"] if one["trap"].startswith("cache-")]


def found_in(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> set[str]:
    main(["corefile", "--check", str(path), "--json", *options])
    findings = json.loads(capsys.readouterr().out)["findings"]
    return {one["trap"] for one in findings if one["trap"].startswith("cache-")}


def test_check_knows_the_mode_and_the_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By flag, variable or file, as each option; kubectl's own default is not read."""
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    file = tmp_path / "Corefile"
    file.write_text("cluster.local {\n cache {\n servfail 0\n }\n grpc . unix:///0 unix:///1\n}")
    assert found_in(file, capsys) == set()
    assert found_in(file, capsys, "--ttl-mode", "adaptive") == {"cache-minimum"}
    assert found_in(file, capsys, "--names", "10000") == {"cache-small"}
    assert found_in(file, capsys, *MANIFESTS) == set()
    many = write_list(tmp_path / "many.json", (service(f"s{n}") for n in range(9985)))
    assert found_in(file, capsys, "--manifests", str(many)) == {"cache-small"}
    config = tmp_path / "grpcdns.toml"
    config.write_text('ttl-mode = "adaptive"\n')
    assert found_in(file, capsys, "--config", str(config)) == {"cache-minimum"}
    monkeypatch.setenv("GRPCDNS_TTL_MODE", "adaptive")
    assert found_in(file, capsys) == {"cache-minimum"}
    assert found_in(file, capsys, "--ttl-mode", "fixed") == set()


def test_check_says_why_it_does_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = ROOT / "deploy" / "kubeadm" / "Corefile"
    assert main(["corefile", "--check", str(file), "--manifests", str(tmp_path)]) == 0
    error = capsys.readouterr().err
    assert error == "grpcdns corefile: names not counted: no Service was found\n"


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corefile", "--check", "/nowhere/Corefile"]) == 2
    assert "--check /nowhere/Corefile: No such file" in capsys.readouterr().err


# -- ConfigMaps

CONFIG_MAP = """\
kind: ConfigMap
metadata: {name: coredns}
data:
  Corefile: |
    cluster.local cluster.local. {
        grpc . unix:///0.sock unix:///1.sock
    }
"""


def test_check_of_a_configmap_names_its_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "coredns.yaml"
    file.write_text(CONFIG_MAP)
    assert main(["corefile", "--check", str(file)]) == 1
    text = capsys.readouterr().out
    what = "cluster.local is twice in this line, in cluster.local and in cluster.local."
    assert f"{file}:5: error: {what} [zone-twice]\n" in text
    assert "      cluster.local cluster.local. {\n" in text


def test_a_configmap_without_a_corefile_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "custom.yaml"
    file.write_text("kind: ConfigMap\ndata: {log.override: log}\n")
    assert main(["corefile", "--check", str(file)]) == 2
    assert "a ConfigMap without data.Corefile (it has log.override)" in capsys.readouterr().err


def test_a_network_that_is_not_served_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Corefile"
    file.write_text("cluster.local 10.96.0.0/12 {\n grpc . unix:///0 unix:///1\n}\n")
    main(["corefile", "--check", str(file), "--zones", "cluster.local,192.0.2.0/24", "--json"])
    found = [
        one["what"]
        for one in json.loads(capsys.readouterr().out)["findings"]
        if one["trap"] in ("not-served", "not-asked")
    ]
    assert found == [
        "10.96.0.0/12 is not one of grpcdns's zones",
        "grpcdns serves 2.0.192.in-addr.arpa, but no grpc block has them",
    ]


# -- translating


@pytest.mark.parametrize("text", STOCK.values(), ids=STOCK.keys())
def test_a_stock_corefile_points_to_the_translation(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also one that imports files, as k3s's does."""
    file = tmp_path / "Corefile"
    file.write_text(text)
    assert main(["corefile", "--check", str(file)]) == 1
    assert "grpcdns corefile --from FILE translates it [no-grpc]" in capsys.readouterr().out


def test_what_is_translated_says_what_became_of_each_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Corefile"
    file.write_text(KUBEADM)
    networks = ("--service-cidr", "10.96.0.0/12", "--pod-cidr", "10.244.0.0/16")
    assert main(["corefile", "--from", str(file), *networks]) == 0
    text = capsys.readouterr().out
    flags = "--zones cluster.local,10.96.0.0/12,10.244.0.0/16 --pods insecure --ttl 30"
    assert text.startswith(f"# grpcdns serve {flags}\n")
    assert re.search(r"^#    8  pods insecure +flag: --pods insecure$", text, re.M)
    assert "# TTLs stay as they are. --ttl-mode adaptive --ttl-stable 30 instead of " in text
    assert [one for one in check_corefile(text) if one.trap.level != NOTE] == []


def test_a_translation_says_what_its_cache_has_room_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--names wins over what is counted; without either, the default size."""
    file = tmp_path / "Corefile"
    file.write_text(KUBEADM)
    for options, comment, size in (
        (("--names", "20000", *MANIFESTS), "Room for 20,000 names: --names, given on ", 25088),
        (MANIFESTS, "Room for 8 names: 6 Services and 2 endpoints ", 9984),
        ((), "CoreDNS's default size, as the names were not counted: give --names", 9984),
    ):
        main(["corefile", "--from", str(file), *NETWORKS, *options])
        text = capsys.readouterr().out
        assert f"# The cache with grpc. {comment}" in text
        assert f"success {size} 30 0" in text


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("ttl 60", "--ttl-stable 60 instead of --ttl 60,"),
        ("ttl 7", "--ttl-stable 30 instead of --ttl 7,"),
        ("", "--ttl-stable 30 instead,"),
        ("ttl 0", ""),
    ],
)
def test_adaptive_ttls_are_offered(
    line: str, offered: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line keeps the TTL. What is offered has no finding in the Corefile."""
    file = tmp_path / "Corefile"
    file.write_text(KUBEADM.replace("ttl 30", line))
    assert main(["corefile", "--from", str(file), *NETWORKS]) == 0
    text = capsys.readouterr().out
    words = text.splitlines()[0].split()
    assert words[5:7] == ["--pods", "insecure"]
    assert " ".join(words[7:]) == line.replace("ttl", "--ttl")
    assert ("adaptive --ttl-stable" in text) == bool(offered)
    assert offered in text
    found = check_corefile(text, backend=Backend(0, adaptive=True))
    assert [one for one in found if one.trap.level != NOTE] == []


def test_a_translation_without_networks_is_incomplete(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Corefile"
    file.write_text(KUBEADM)
    assert main(["corefile", "--from", str(file), "--manifests", str(tmp_path)]) == 1
    text = capsys.readouterr().out
    assert "# MISSING: the Service networks; give --service-cidr" in text


def test_a_translation_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "coredns.yaml"
    body = "".join(f"    {line}\n" for line in KUBEADM.splitlines())
    file.write_text(f"kind: ConfigMap\ndata:\n  Corefile: |\n{body}")
    assert main(["corefile", "--from", str(file), "--json", *NETWORKS]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["flags"][2:] == ["--pods", "insecure", "--ttl", "30"]
    assert {"line": 11, "text": "pods insecure", "fate": "flag", "detail": "--pods insecure"} in (
        data["lines"]
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [("a {\n whoami\n}\n", "no server block has kubernetes"), ("a {\n x {\n", ":2: its '{' is")],
)
def test_what_cannot_be_translated_is_an_error(
    text: str, why: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Corefile"
    file.write_text(text)
    assert main(["corefile", "--from", str(file)]) == 2
    assert why in capsys.readouterr().err
