"""Steps 2 and 3 of docs/migration.md, as they are written, on kubeadm's own Corefile."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from grpcdns.cli import main
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.grpcdns import Grpcdns
from harness.objects import endpoint_slice, port, service
from harness.paths import ROOT
from harness.ports import Address, free_address, free_port
from harness.waiting import wait_until
from tests.system.deploy.conftest import STOCK

TEXT = (ROOT / "docs" / "migration.md").read_text()
DNS = "10.96.0.10"
OURS = "127.0.0.1:5301"
KUBECONFIG = "~/.kube/config"
HTTP = port(80, "http")


def step(command: str) -> list[str]:
    """The options of a command, as the document has them."""
    found = re.findall(rf"^ +grpcdns {command} (.*)$", TEXT, re.M)
    assert len(found) == 1, found
    return shlex.split(found[0])


def with_ours(words: list[str], **instead: object) -> list[str]:
    """The words, with what stands for the reader's own cluster replaced."""
    names = {OURS: instead["ours"], DNS: instead["dns"], KUBECONFIG: instead["kubeconfig"]}
    return [str(names.get(word, word)) for word in words]


def stock_corefile(kubeconfig: Path, upstream: Address) -> str:
    """kubeadm's, for a CoreDNS outside the cluster, on ports that are free."""
    objects = {one["kind"]: one for one in yaml.safe_load_all(STOCK.read_text())}
    text: str = objects["ConfigMap"]["data"]["Corefile"]
    for before, after in (
        (".:53 {", ". {"),
        ("    loop\n", ""),
        ("pods insecure", f"kubeconfig {kubeconfig}\n       pods insecure"),
        ("health {", f"health 127.0.0.1:{free_port()} {{"),
        ("lameduck 5s", "lameduck 0s"),
        ("ready\n", f"ready 127.0.0.1:{free_port()}\n"),
        ("prometheus :9153", f"prometheus 127.0.0.1:{free_port()}"),
        ("/etc/resolv.conf", str(upstream)),
    ):
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="module")
def fresh(own_cluster: Cluster) -> Cluster:
    """What a new cluster has, and one Service of each form."""
    objects = [one for one in yaml.safe_load_all(STOCK.read_text()) if one["kind"] == "Service"]
    objects += [
        service("web", ports=[HTTP]),
        service("db", ports=[HTTP], headless=True),
        endpoint_slice("db-a", "db", [{"addresses": ["10.244.1.7"], "hostname": "one"}], [HTTP]),
        service("docs", type="ExternalName", externalName="web.default.svc.cluster.local"),
    ]
    for obj in objects:
        own_cluster.api.create(obj)
    return own_cluster


@pytest.fixture
def nxdomain(coredns: Callable[..., CoreDNS]) -> Address:
    """An upstream that knows no name, as the network's resolver knows none of the cluster's."""
    running = coredns(". {\n    template ANY ANY {\n        rcode NXDOMAIN\n    }\n}")
    return running.address


@pytest.mark.slow
def test_compare_as_written_on_the_stock_corefile(
    fresh: Cluster,
    nxdomain: Address,
    coredns: Callable[..., CoreDNS],
    capsys: pytest.CaptureFixture[str],
) -> None:
    kubeconfig = fresh.admin_kubeconfig
    plugin = coredns(stock_corefile(kubeconfig, nxdomain))
    ours = str(free_address())
    names = {"ours": ours, "dns": plugin.address, "kubeconfig": kubeconfig}
    serve = with_ours(step("serve"), **names)
    where = serve.index("--listen")
    with Grpcdns(*serve[:where], *serve[where + 2 :], listen=(ours,)) as running:
        wait_until(lambda: running.ask("one.db.default.svc.cluster.local").answer, "all synced")
        words = ["compare", *with_ours(step("compare"), **names)]
        code = main([*words, "--json"])
        data = json.loads(capsys.readouterr().out)
        assert (code, data["different"], data["failed"]) == (0, 0, 0), data["differences"]
        assert data["same"] > 20
        assert {one["difference"] for one in data["differences"]} == {"D5", "D18"}
        assert main([*words, "--strict"]) == 1
        out = capsys.readouterr().out
        assert "  D5, the name server is --dns-service: cluster.local. NS, " in out
        assert f"{data['deliberate']} deliberately different, 0 different, 0 without answer" in out
