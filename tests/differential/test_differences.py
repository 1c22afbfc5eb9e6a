"""The differences that need their own question or CoreDNS; and that the document, the table and the
rows have the same ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from grpcdns.config.options import Config
from grpcdns.core.handler import Handler
from grpcdns.core.inspect.differences import DIFFERENCES
from grpcdns.core.inspect.facts import facts_of
from harness.api import ApiError, Object
from harness.coredns import CoreDNS
from harness.objects import namespace, port, service_import
from harness.paths import ROOT
from harness.ports import Address, free_address
from harness.waiting import wait_until
from tests.conformance.cluster import CROSSING, HTTP, external, ready, sliced, svc
from tests.conformance.groups import GROUPS
from tests.conformance.loading import ask, handler_of
from tests.conformance.reply import Reply, query, read_reply
from tests.differential.expected import EXPECTED, explain, seen_of
from tests.differential.options import CONFIGS, server_block
from tests.differential.world import World, ask_ours, ask_server

DOCUMENT: Final = ROOT / "docs" / "differences.md"
ZONES: Final = ("cluster.local.", "cluster2.example.", "in-addr.arpa.", "ip6.arpa.")
CONFIG: Final = Config(zones=ZONES, dns_service="testns/svc1")
IMPORTS: Final = CONFIGS["multicluster"]
T: Final = "testns.svc.cluster.local."
MANY: Final = 6000


def test_document_table_and_rows_agree() -> None:
    text = DOCUMENT.read_text()
    documented = re.findall(r"^\| (D\d+) \|", text, re.M)
    assert documented == sorted(set(documented), key=lambda key: int(key[1:]))
    explained = {key for line in re.findall(r"^\*\*(D.*?)\.\*\*", text, re.M)
                 for key in line.split(", ")}  # fmt: skip
    in_rows = {case.differs for group in GROUPS for case in group.rows if case.differs}
    own_tests = {name.split("_")[1].upper() for name in globals() if re.match(r"test_d\d+_", name)}
    assert explained == set(documented)
    assert set(DIFFERENCES) == set(documented)
    assert set(EXPECTED) <= set(documented)
    assert in_rows | own_tests == set(documented), "each has a row or its own test"


def id_of(
    world: World, asked: tuple[str, str], theirs: Reply | None, ours: Reply, size: int = 0
) -> str | None:
    """The id that the product's table gives."""
    facts = facts_of(world.handler("default").index, CONFIG.policy())
    seen = seen_of(CONFIG, facts, asked, theirs, ours, size)
    return explain(seen, theirs, ours, DIFFERENCES)


# -- a CoreDNS and a handler for one question or two


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World({"default": CONFIG, "imports": IMPORTS}) as made:
        made.put([
            namespace("testns"), svc("svc1", "10.96.0.10", ports=[port(53, "dns", "UDP")]),
            svc("hdls", headless=True, ports=[port(80, "http")]),
            sliced("hdls-6", "hdls", [ready("fd00::a")], HTTP, family="IPv6"),
            external("lost", "www.lost.example"), external("found", "www.example.net"),
        ])  # fmt: skip
        yield made


@pytest.fixture(scope="module")
def both(world: World) -> Callable[[str, str], tuple[Reply, Reply]]:
    handler = world.handler("default")

    def ask_both(qname: str, qtype: str) -> tuple[Reply, Reply]:
        theirs = world.ask_plugin("default", [(qname, qtype)])[0]
        assert theirs is not None
        return theirs, ask_ours(handler, [(qname, qtype)])[0]

    return ask_both


Both = Callable[[str, str], tuple[Reply, Reply]]


@pytest.mark.servers
@pytest.mark.slow
def test_d4_case_of_the_zone(world: World, both: Both) -> None:
    lower, upper = both("ns.dns.cluster.local.", "A"), both("ns.dns.CLUSTER.local.", "A")
    assert [one.rcode for one in (*lower, *upper)] == ["NOERROR", "NOERROR", "NXDOMAIN", "NOERROR"]
    assert lower[1].answer == ("ns.dns.cluster.local. 5 IN A 10.96.0.10",)
    assert upper[1].answer == ("ns.dns.CLUSTER.local. 5 IN A 10.96.0.10",)
    theirs, apex = both("CLUSTER.local.", "NS")
    assert id_of(world, ("ns.dns.CLUSTER.local.", "A"), *upper) == "D4"
    assert id_of(world, ("CLUSTER.local.", "NS"), theirs, apex) == "D4"
    assert [record.lower() for record in apex.answer] == [f"cluster.local. 5 in ns svc1.{T}"]


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("extra", ["x.", "0.", "x.y.", "x.y.z."])
def test_d6_labels_before_a_whole_reverse_name(world: World, both: Both, extra: str) -> None:
    name = "a." + "0." * 27 + "0.0.d.f.ip6.arpa."
    for reply in both(name, "PTR"):
        assert reply.answer == (f"{name} 5 IN PTR fd00--a.hdls.{T}",)
    theirs, ours = both(extra + name, "PTR")
    assert theirs.answer == (f"{extra}{name} 5 IN PTR fd00--a.hdls.{T}",)
    assert (ours.rcode, ours.answer) == ("NXDOMAIN", ())
    assert id_of(world, (extra + name, "PTR"), theirs, ours) == "D6"


@pytest.mark.servers
@pytest.mark.slow
def test_d17_case_of_names_in_records(world: World, both: Both) -> None:
    asked = "hdls.testns.SVC.cluster.LOCAL."
    theirs, ours = both(asked, "SRV")
    assert theirs.answer == (f"{asked} 5 IN SRV 0 100 80 fd00--a.hdls.testns.svc.cluster.LOCAL.",)
    assert theirs.additional == ("fd00--a.hdls.testns.svc.cluster.LOCAL. 5 IN AAAA fd00::a",)
    assert ours.answer == (f"{asked} 5 IN SRV 0 100 80 fd00--a.hdls.{T}",)
    assert ours.additional == (f"fd00--a.{asked} 5 IN AAAA fd00::a",)
    assert id_of(world, (asked, "SRV"), theirs, ours) == "D17"


MAPPED: Final = "::ffff:10.9.8.7"


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize(
    "obj",
    [
        sliced("mapped", "hdls", [ready(MAPPED)], HTTP, family="IPv6"),
        sliced("mapped", "hdls", [ready(MAPPED)], HTTP),
        svc("mapped", MAPPED, ports=[port(80)]),
        svc("mapped", "10.96.0.77", ports=[port(80)], externalIPs=[MAPPED]),
    ],
    ids=["IPv6 slice", "IPv4 slice", "clusterIP", "externalIP"],
)
def test_the_api_refuses_mapped_addresses(world: World, obj: Object) -> None:
    with pytest.raises(ApiError, match="must not be an IPv4-mapped IPv6 address"):
        world.put([obj])


@pytest.mark.servers
@pytest.mark.slow
def test_a_mapped_address_is_the_ipv4_address(world: World) -> None:
    """A ServiceImport may have one: nothing checks its addresses."""
    world.put([service_import("mapped", [MAPPED], [port(80, "http")], namespace="testns")])
    asked = [("mapped.testns.svc.clusterset.local.", qtype) for qtype in ("A", "AAAA", "SRV")]
    theirs = world.ask_plugin("imports", asked)
    ours = ask_ours(world.handler("imports"), asked)
    assert [reply and reply.comparable() for reply in theirs] == [r.comparable() for r in ours]
    assert ours[0].answer == (f"{asked[0][0]} 5 IN A 10.9.8.7",)
    assert ours[1].answer == ()


@contextmanager
def another(world: World, beside: str = "") -> Iterator[tuple[CoreDNS, Address]]:
    """Another CoreDNS on the same API, which may crash; ``beside`` has more server blocks."""
    address = free_address()
    zone_file = Path(world.cluster.folder, "outside.zone")
    zone_file.write_text("@ 60 IN SOA ns hostmaster 1 2 3 4 5\n")
    block = server_block(CONFIG, address.port, world.cluster.admin_kubeconfig, zone_file)
    corefile = f"{block}\n{beside.replace('PORT', str(address.port))}\n. {{\n    whoami\n}}"
    with CoreDNS(corefile) as coredns:
        yield coredns, address


@pytest.mark.servers
@pytest.mark.slow
def test_d11_look_up_without_a_reply(world: World) -> None:
    nowhere = "lost.example:PORT {\n    erratic {\n        drop 1\n    }\n}"
    asked = (f"lost.{T}", "A")
    with another(world, nowhere) as (_, address):
        wait_until(lambda: ask_server(address, [(f"svc1.{T}", "A")])[0], "CoreDNS up")
        theirs = ask_server(address, [asked])[0]
    assert theirs is not None
    assert (theirs.rcode, theirs.answer) == ("NOERROR", ())
    ours = ask_ours(world.handler("default"), [asked])[0]
    assert ours.answer == (f"lost.{T} 5 IN CNAME www.lost.example.",)
    assert id_of(world, asked, theirs, ours) == "D11"


@pytest.mark.servers
@pytest.mark.slow
def test_d12_more_than_a_message_holds(world: World) -> None:
    """6,000 endpoints behind one name."""
    asked = (f"crowd.{T}", "A")
    crowd = [f"10.200.{number // 250}.{number % 250}" for number in range(MANY)]
    world.put([
        svc("crowd", headless=True, ports=[port(80, "http")]),
        *(sliced(f"crowd-{start}", "crowd", [ready(ip) for ip in crowd[start : start + 1000]], HTTP)
          for start in range(0, MANY, 1000)),
    ])  # fmt: skip
    theirs = world.ask_plugin("default", [asked])[0]
    assert theirs is not None
    assert "tc" in theirs.flags
    assert 3000 < len(theirs.answer) < MANY
    check_crowd(world.handler("default"), set(crowd))
    raw = ask(world.handler("default"), query(*asked)) or b""
    assert id_of(world, asked, theirs, read_reply(raw), len(raw)) == "D12"


def check_crowd(handler: Handler, crowd: set[str]) -> None:
    seen: set[str] = set()
    firsts = set()
    for turn in range(8):
        raw = ask(handler, query(f"crowd.{T}", "A", edns=bool(turn % 2))) or b""
        reply = read_reply(raw)
        assert len(raw) <= 65535
        assert (reply.rcode, "tc" in reply.flags) == ("NOERROR", False)
        assert len(reply.answer) > 3900
        seen |= {record.split(" ")[-1] for record in reply.answer}
        firsts.add(reply.answer[0])
    assert seen == crowd
    assert len(firsts) == 8
    assert handler.stats.oversized == 1


@pytest.mark.servers
@pytest.mark.slow
def test_d14_loop_through_two_zones(world: World) -> None:
    asked = (f"ext-cross.{T}", "A")
    world.put(CROSSING)
    ours = ask_ours(world.handler("default"), [asked])[0]
    assert ours.answer == (f"ext-cross.{T} 5 IN CNAME ext-back.testns.svc.cluster2.example.",)
    with another(world) as (coredns, address):
        wait_until(lambda: ask_server(address, [(f"svc1.{T}", "A")])[0], "CoreDNS up")
        try:
            assert ask_server(address, [asked]) == [None]
        except ConnectionError:
            pass  # it has crashed already
        wait_until(lambda: not coredns.process.running, "CoreDNS crashed", timeout=60)
        assert "stack overflow" in coredns.log_text
    assert id_of(world, asked, None, ours) == "D14"
    world.remove(CROSSING)


@pytest.mark.servers
@pytest.mark.slow
@pytest.mark.parametrize("qtype", ["SOA", "NS"])
def test_d18_apex_of_a_network(world: World, both: Both, qtype: str) -> None:
    """The plugin has in-addr.arpa as its zone, grpcdns the network."""
    name = "96.10.in-addr.arpa."
    config = Config(zones=("cluster.local.", name), dns_service=CONFIG.dns_service)
    handler = handler_of(world.lists(config), config.policy())
    ours = ask_ours(handler, [(name, qtype)])[0]
    assert [record.split(" ")[3] for record in ours.answer] == [qtype]
    theirs, _ = both(name, qtype)
    seen = seen_of(config, facts_of(handler.index, config.policy()), (name, qtype), theirs, ours)
    assert explain(seen, theirs, ours, DIFFERENCES) == "D18"
