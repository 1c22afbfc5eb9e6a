"""``grpcdns explain`` on manifests, on a cluster and on a running worker, as text and as JSON."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from grpcdns.cli import main
from grpcdns.config.options import Config
from harness.certificates import Authority
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.kubeconfig import write_kubeconfig
from harness.objects import service
from harness.paths import EXAMPLES
from harness.ports import free_address
from harness.waiting import wait_until

MANIFESTS = ("--manifests", str(EXAMPLES))
WEB = "web.default.svc.cluster.local"

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str]:
        code = main(["explain", *words])
        caught = capsys.readouterr()
        return code, caught.out + caught.err

    return run


def test_a_name_that_is_there(explain: Run) -> None:
    code, text = explain(WEB, *MANIFESTS)
    assert code == 0
    assert f"{WEB}. 5 IN A 10.96.7.7" in text
    assert "Service    default/web  ClusterIP 10.96.7.7" in text
    assert "fd00:10:96::7  of the other address family" in text
    assert "\x1b" not in text, "plain where it is piped"


def test_a_near_miss(explain: Run) -> None:
    code, text = explain("wep.default.svc.cluster.local", *MANIFESTS)
    assert code == 1
    assert "Service    default/wep  not there" in text
    assert f"{WEB}.  A  a name like it in the same namespace" in text


def test_a_reverse_name(explain: Run) -> None:
    code, text = explain("-x", "10.96.7.7", *MANIFESTS)
    assert code == 0
    assert f"PTR {WEB}." in text


def test_json(explain: Run) -> None:
    code, text = explain(WEB, "AAAA", "--json", *MANIFESTS)
    data = json.loads(text)
    assert code == 0
    assert data["answer"] == [f"{WEB}. 5 IN AAAA fd00:10:96::7"]
    assert data["sources"][1]["key"] == "default/web"
    assert data["data"]["from"] == str(EXAMPLES)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((WEB, "AAAAA"), "unknown record type AAAAA (did you mean AAAA?)"),
        (("-x", "ten", *MANIFESTS), "ten: "),
        (("a..b", *MANIFESTS), "a..b: "),
        ((WEB, "--manifests", "/nowhere"), "/nowhere"),
        ((WEB, "--server", "here"), "--server: 'here' is neither"),
    ],
)
def test_what_makes_no_sense(words: Sequence[str], said: str, explain: Run) -> None:
    code, text = explain(*words)
    assert code == 2
    assert said in text


def test_a_running_worker(tmp_path: Path, explain: Run) -> None:
    folder = tmp_path / "cluster"
    shutil.copytree(EXAMPLES, folder)
    with Grpcdns("--manifests", folder, "--upstream", "none") as ours:
        code, text = explain(WEB, "--server", ours.listen[1])
        assert code == 0
        assert "gives this answer" in text
        assert "ClusterIP 10.96.7.7" in text
        assert "last changed" in text
        assert re.search(r"confirmed (just now|\d+ s ago)", text)

        web = folder / "web.yaml"
        web.write_text(web.read_text().replace("10.96.7.7", "10.96.7.8"))
        wait_until(lambda: "10.96.7.8" in str(ours.ask(WEB)), "the change answered")
        code, text = explain(WEB, "--server", ours.listen[0], "--json")
        data = json.loads(text)
        assert data["answer"] == [f"{WEB}. 5 IN A 10.96.7.8"]
        assert data["worker"]["agrees"]


def test_a_worker_with_other_options_is_explained_with_them(explain: Run) -> None:
    with Grpcdns(*MANIFESTS, "--zones", "cluster.lan", "--upstream", "none") as ours:
        code, text = explain("web.default.svc.cluster.lan", "--server", ours.listen[0])
        assert (code, "gives this answer" in text) == (0, True)


@pytest.mark.slow
def test_a_worker_that_is_frozen(explain: Run) -> None:
    """Its feed still has the data. The worker gives no answer, or is restarted meanwhile."""
    with Grpcdns(*MANIFESTS, "--upstream", "none", workers=1) as ours:
        os.kill(ours.children()["worker 0"], 19)
        code, text = explain(WEB, "--server", ours.listen[0], "--timeout", "200ms")
        assert "10.96.7.7" in text
        assert ("gives no answer" in text) == (code == 1)


def test_a_folder_that_anybody_could_have_made_is_not_believed(
    tmp_path: Path, explain: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    planted = tmp_path / "grpcdns-planted"
    planted.mkdir(mode=0o755)
    (planted / "config.json").write_bytes(Config(listen=("unix:///planted/0.sock",)).to_json())
    with socket.socket(socket.AF_UNIX) as liar:
        liar.bind(str(planted / "feed.sock"))
        liar.listen()
        code, text = explain(WEB, "--server", "unix:///planted/0.sock", "--timeout", "100ms")
    assert (code, "listens there" in text) == (1, True)


def test_nobody_listens_there(explain: Run) -> None:
    code, text = explain(WEB, "--server", "unix:///nobody/0.sock")
    assert code == 1
    assert "no grpcdns serve on this machine listens there" in text


def test_a_cluster(cluster: Cluster, namespace: str, explain: Run) -> None:
    cluster.api.create(service("svc", namespace=namespace, ports=[{"port": 80}]))
    kubeconfig = str(cluster.admin_kubeconfig)
    code, text = explain(f"svc.{namespace}.svc.cluster.local", "--kubeconfig", kubeconfig)
    assert (code, f"Service    {namespace}/svc  ClusterIP" in text) == (0, True)


def refused(explain: Run, ours: Grpcdns, why: str) -> tuple[int, str]:
    """What is said once the feed has been refused."""

    def found() -> tuple[int, str] | None:
        said = explain(WEB, "--server", ours.listen[0], "--timeout", "60s")
        return said if why in said[1] else None

    return wait_until(found, "the feed has been refused")


def test_a_running_worker_without_rights_says_so_at_once(cluster: Cluster, explain: Run) -> None:
    """With the status and what is not allowed, as the feed's log has it."""
    kubeconfig = str(cluster.service_account_kubeconfig("nobody", ()))
    with Grpcdns("--kubeconfig", kubeconfig).start(ready=False) as ours:
        code, text = refused(explain, ours, "EndpointSlice: 403 ")
    assert code == 1
    assert "not complete: Namespace: 403 Forbidden: " in text
    assert "; Service: 403 Forbidden: " in text


def test_a_running_worker_names_only_the_kind_that_is_missing(
    cluster: Cluster, explain: Run
) -> None:
    core = {"apiGroups": [""], "resources": ["namespaces", "services"]}
    rules = [{**core, "verbs": ["list", "watch"]}]
    kubeconfig = str(cluster.service_account_kubeconfig("no-slices", rules))
    with Grpcdns("--kubeconfig", kubeconfig).start(ready=False) as ours:
        code, text = refused(explain, ours, "forbidden")
    assert code == 1
    assert f"{ours.listen[0]}: not complete: EndpointSlice: 403 Forbidden: " in text
    assert "Service:" not in text


@pytest.mark.timed
def test_an_api_that_is_away_is_said_within_five_seconds(tmp_path: Path, explain: Run) -> None:
    authority = Authority(tmp_path)
    path = write_kubeconfig(tmp_path / "kubeconfig", free_address(), authority.cert, token="t")
    began = time.monotonic()
    code, text = explain(WEB, "--kubeconfig", str(path), "--timeout", "60s")
    assert time.monotonic() - began < 5.0
    assert (code, "Connection refused" in text) == (1, True)


def test_a_worker_over_tls(tmp_path: Path, explain: Run) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("grpcdns.test", hosts=["grpcdns.test"])
    address = str(free_address())
    options = ("--upstream", "none", "--tls-cert", str(pair.cert), "--tls-key", str(pair.key))
    with Grpcdns(*MANIFESTS, *options, listen=(address,)).start(ready=False):
        words = [WEB, "--server", address, "--tls-ca", str(authority.cert)]
        words += ["--tls-name", "grpcdns.test"]
        wait_until(lambda: explain(*words)[0] == 0, "the worker answers over TLS")
        assert "gives this answer" in explain(*words)[1]


def test_a_cluster_that_refuses(cluster: Cluster, explain: Run) -> None:
    """One line, with every right that is missing."""
    kubeconfig = str(cluster.service_account_kubeconfig("nobody", ()))
    code, text = explain(WEB, "--kubeconfig", kubeconfig)
    assert code == 1
    assert text.startswith("grpcdns: Namespace, Service, EndpointSlice cannot be read: 403 ")
    for plural in ("namespaces", "services", "endpointslices.discovery.k8s.io"):
        assert f"{plural} is forbidden" in text
    assert text.count("\n") == 1
