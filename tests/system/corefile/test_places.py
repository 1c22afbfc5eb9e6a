"""The stock Corefile of each place in docs/install, and what ``corefile --from`` makes of it: a
CoreDNS with its kubernetes plugin, and one with grpcdns behind it, answer the same questions alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest
import yaml
from dns.message import Message
from dns.rcode import NOERROR, SERVFAIL, to_text

from grpcdns.corefile.flags import Fate
from grpcdns.corefile.translate import Networks, Translation, translate
from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask
from harness.grpcdns import Grpcdns
from harness.objects import endpoint_slice, namespace, port, service
from harness.paths import ROOT
from harness.ports import free_address
from harness.waiting import wait_until
from tests.unit.corefile.stock import PLACES

pytestmark = [pytest.mark.servers, pytest.mark.slow]

NS: Final = "places"
NETWORKS: Final = Networks(("10.96.0.0/16", "fd00:96::/112"), ("10.244.0.0/16",))
UPSTREAM: Final = """. {
    template IN A . {
        answer "{{ .Name }} 60 IN A 198.51.100.1"
    }
    template IN PTR . {
        answer "{{ .Name }} 60 IN PTR elsewhere.example."
    }
    template ANY ANY . {
        rcode NOERROR
    }
}"""
OVERRIDE: Final = """template IN A override.example {
    answer "{{ .Name }} 60 IN A 192.0.2.4"
}
"""
STUB: Final = """stub.example {
    template IN A stub.example {
        answer "{{ .Name }} 60 IN A 192.0.2.5"
    }
}
"""
QUESTIONS: Final = [
    (f"web.{NS}.svc.cluster.local.", "A"),
    (f"web.{NS}.svc.cluster.local.", "AAAA"),
    (f"WEB.{NS}.svc.Cluster.Local.", "A"),
    (f"_http._tcp.web.{NS}.svc.cluster.local.", "SRV"),
    (f"db.{NS}.svc.cluster.local.", "A"),
    (f"db-0.db.{NS}.svc.cluster.local.", "A"),
    (f"10-244-7-9.{NS}.pod.cluster.local.", "A"),
    (f"none.{NS}.svc.cluster.local.", "A"),
    ("web.nowhere.svc.cluster.local.", "A"),
    ("www.example.com.cluster.local.", "A"),
    ("cluster.local.", "SOA"),
    ("10.0.96.10.in-addr.arpa.", "PTR"),
    ("1.9.244.10.in-addr.arpa.", "PTR"),
    ("1.113.0.203.in-addr.arpa.", "PTR"),
    ("www.example.com.", "A"),
    ("www.example.com.", "AAAA"),
    ("host.minikube.internal.", "A"),
    ("node-1.", "A"),
    ("api.internal.k8s.local.", "A"),
    ("x.corp.example.org.", "A"),
    ("x.override.example.", "A"),
    ("x.stub.example.", "A"),
    ("a.b.c.d.internal.cloudapp.net.", "A"),
    ("a.reddog.microsoft.com.", "A"),
]
"""Of the cluster, of its networks, outside it, and of what some place adds. No reverse name of the
cluster's networks without a record, and none of an endpoint outside them: the translation says what
becomes of these."""


class Answer(NamedTuple):
    """Without the TTLs, which caches count down, and the SOA's serial."""

    rcode: str
    authoritative: bool
    sections: tuple[tuple[str, ...], ...]


def answer(reply: Message) -> Answer:
    sections = tuple(
        tuple(
            sorted(
                f"{rrset.name} {record.rdtype.name} {_without_serial(record.to_text())}".lower()
                for rrset in section
                for record in rrset
            )
        )
        for section in (reply.answer, reply.authority, reply.additional)
    )
    return Answer(to_text(reply.rcode()), bool(reply.flags & 0x0400), sections)


def _without_serial(text: str) -> str:
    """A SOA's serial is when its server last saw a change."""
    return re.sub(r"^(\S+ hostmaster\.\S+) \d+ ", r"\1 SERIAL ", text)


def ttls(reply: Message) -> list[int]:
    return sorted(rrset.ttl for rrset in (*reply.answer, *reply.authority))


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Cluster]:
    """Services and endpoints of a namespace."""
    made = cluster.api.create(namespace(NS))
    http = [port(80, "http")]
    points = [
        {"addresses": [f"10.244.9.{number}"], "hostname": f"db-{number - 1}",
         "conditions": {"ready": True}}
        for number in (1, 2)
    ]  # fmt: skip
    for one in (
        service("web", namespace=NS, ports=http, cluster_ips=["10.96.0.10"]),
        service("db", namespace=NS, ports=http, headless=True),
        endpoint_slice("db-a", "db", points, http, namespace=NS),
    ):
        cluster.api.create(one)
    yield cluster
    cluster.api.delete(made)


@pytest.fixture(scope="module")
def upstream() -> Iterator[CoreDNS]:
    with CoreDNS(UPSTREAM) as running:
        yield running


def runnable(text: str, folder: Path, upstream: CoreDNS) -> str:
    """The Corefile with what stands outside it in the place: ports, files, name servers."""
    folder.mkdir()
    custom = folder / "custom"
    custom.mkdir()
    (custom / "mine.override").write_text(OVERRIDE)
    (custom / "mine.server").write_text(STUB)
    (folder / "NodeHosts").write_text("192.0.2.7 node-1\n")
    (folder / "hosts").write_text("192.0.2.8 api.internal.k8s.local\n")
    for pattern, new in (
        (r":(53|5353)\b(?=[ {])", ""),
        (r"(?<=forward . )(/etc/resolv\.conf|192\.0\.2\.53)", str(upstream.address)),
        (r"(?<=forward   . )/etc/resolv\.conf", str(upstream.address)),
        (r"/etc/coredns/NodeHosts", str(folder / "NodeHosts")),
        (r"/rootfs/etc/hosts", str(folder / "hosts")),
        (r"import (/etc/coredns/)?custom/", f"import {custom}/"),
        (r"(?m)^( +)health\b", rf"\1health {free_address()}"),
        (r"(?m)^( +)ready$", rf"\1ready {free_address()}"),
        (r"(?m)^( +)prometheus .*$", rf"\1prometheus {free_address()}"),
        (r"lameduck \d+s", "lameduck 0s"),
        (r"(?m)^ +loop\n", ""),
    ):
        text = re.sub(pattern, new, text)
    return text


def test_every_place_has_its_page() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "install").glob("*.md")}
    assert pages == {*PLACES, "gke", "index"}


@pytest.fixture
def made(place: str) -> Translation:
    """The place's stock Corefile translated, with <0> and <1> for the sockets."""
    return translate(PLACES[place], NETWORKS, ("<0>", "<1>"))


@pytest.fixture
def ours(made: Translation, site: Cluster) -> Iterator[Grpcdns]:
    """grpcdns with the flags of the translation."""
    kubeconfig = site.admin_kubeconfig
    with Grpcdns("--kubeconfig", kubeconfig, "--upstream", "none", *made.flags) as running:
        yield running


@pytest.fixture
def stock(place: str, site: Cluster) -> str:
    """The place's stock Corefile, whose kubernetes plugin runs outside a Pod."""
    kubeconfig = site.admin_kubeconfig
    return re.sub(r"( +)(kubernetes .*\{)", rf"\1\2\n\1  kubeconfig {kubeconfig}", PLACES[place])


@pytest.fixture
def plugin(
    stock: str, upstream: CoreDNS, coredns: Callable[..., CoreDNS], tmp_path: Path
) -> CoreDNS:
    """CoreDNS as the place ships it."""
    return coredns(runnable(stock, tmp_path / "stock", upstream))


def expect_the_same(front: CoreDNS, plugin: CoreDNS, names: Sequence[tuple[str, str]]) -> None:
    web, _ = QUESTIONS[0]
    wait_until(
        lambda: all(ask(one.address, web).rcode() == NOERROR for one in (front, plugin)),
        "both are synced",
    )
    for name, qtype in names:
        given, expected = (ask(one.address, name, qtype) for one in (front, plugin))
        assert answer(given) == answer(expected), f"{name} {qtype}"
        pairs = zip(ttls(given), ttls(expected), strict=True)
        assert all(abs(one - other) <= 2 for one, other in pairs), f"{name} {qtype}"


@pytest.mark.parametrize("place", ["k3s", "aks"])
def test_server_blocks_beside_the_stock_corefile(
    place: str,
    stock: str,
    ours: Grpcdns,
    plugin: CoreDNS,
    upstream: CoreDNS,
    coredns: Callable[..., CoreDNS],
    tmp_path: Path,
) -> None:
    """The ConfigMap coredns-custom of the page: the stock CoreDNS asks one with grpcdns, at the
    cluster IP that the page gives it."""
    page = (ROOT / "docs" / "install" / f"{place}.md").read_text()
    (text,) = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    (address,) = set(re.findall(r"service\.clusterIP=(\S+)", page))
    block = yaml.safe_load(text)["data"]["grpcdns.server"].replace(":53", "")
    block = block.replace("errors\n", "errors\n    bind 127.0.0.1\n")
    beside = coredns(f"cluster.local {' '.join(NETWORKS.services)} {{\n{ours.grpc_block}\n}}")
    asking = runnable(stock, tmp_path / "asking", upstream)
    assert address in block
    (tmp_path / "asking" / "custom" / "grpcdns.server").write_text(
        block.replace(address, str(beside.address))
    )
    front = coredns(asking)
    names = [(name, qtype) for name, qtype in QUESTIONS if not name.endswith(".arpa.")]
    expect_the_same(front, plugin, names)
    ours.stop()
    assert ask(front.address, f"new.{NS}.svc.cluster.local.").rcode() == SERVFAIL


@pytest.mark.parametrize("place", PLACES)
def test_answers_are_the_same(
    made: Translation,
    ours: Grpcdns,
    plugin: CoreDNS,
    upstream: CoreDNS,
    coredns: Callable[..., CoreDNS],
    tmp_path: Path,
) -> None:
    assert not made.missing
    assert not [one for one in made.accounts if one.fate is Fate.LOST]
    zero, one = ours.listen
    with_grpc = made.text.replace("<0>", zero).replace("<1>", one)
    front = coredns(runnable(with_grpc, tmp_path / "ours", upstream))
    expect_the_same(front, plugin, QUESTIONS)
