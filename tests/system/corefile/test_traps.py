"""Each trap: the check finds it in the right line, and a real CoreDNS confirms it.

The rows are in rows.py and cache_rows.py. The bad Corefile has the finding and the behaviour; the
corrected one has neither.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import grpc
import pytest

from grpcdns.corefile.checker import SYNTAX, TRAPS, WHOLE, check_corefile
from grpcdns.pb.dns_pb2 import DnsPacket
from harness.coredns import CoreDNS
from harness.dns import ask
from harness.process import ProcessError
from harness.waiting import wait_until
from tests.system.corefile.cache_rows import CACHES
from tests.system.corefile.rows import HEALTH, READY, WEB, Row
from tests.system.corefile.rows import ROWS as OTHERS
from tests.system.corefile.world import World, with_addresses

ROWS = (*OTHERS, *CACHES)
WORDS = {
    **{word: f"unix:///run/{word}.sock" for word in ("0", "1", "dead", "ttl200", "adaptive")},
    **{word: f"127.0.0.1:{53 + n}" for n, word in enumerate(("tcp0", "tcp1", "aware", "upstream"))},
    "ready": "127.0.0.1:8181",
    "health": "127.0.0.1:8080",
    "far": "192.0.2.7:5301",
    "resolv": "/etc/resolv.conf",
    "more": "/etc/more.conf",
    "api": "http://127.0.0.1:6443",
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("world")) as running:
        yield running


@pytest.fixture(scope="module")
def aware() -> Iterator[str]:
    """A backend whose answers depend on the client: it returns the address in EDNS option 65518,
    and replies SERVFAIL to the first query for a name that begins with once."""
    seen = set()

    def answer(raw: bytes, _context: grpc.ServicerContext) -> bytes:
        query = dns.message.from_wire(DnsPacket.FromString(raw).msg)
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.AA
        name = query.question[0].name
        if name.to_text().startswith("once") and name not in seen:
            seen.add(name)
            reply.set_rcode(dns.rcode.SERVFAIL)
            return DnsPacket(msg=reply.to_wire()).SerializeToString()
        said = [one.data for one in query.options if isinstance(one, dns.edns.GenericOption)]
        address = ipaddress.ip_address(said[0]).compressed if said else "192.0.2.1"
        reply.answer.append(dns.rrset.from_text(name, 30, "IN", "A", address))
        return DnsPacket(msg=reply.to_wire()).SerializeToString()

    server = grpc.server(ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("coredns.dns.DnsService", {"Query": handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(0)


every_row = pytest.mark.parametrize(
    "row", ROWS, ids=lambda row: "-".join(filter(None, (row.trap, row.id)))
)


@every_row
def test_the_check_finds_it(row: Row) -> None:
    """In the bad Corefile, not in the corrected one."""
    bad, good = (with_addresses(text, WORDS) for text in (row.bad, row.good))
    assert (row.trap, row.line) in _found(bad, row)
    assert row.trap not in {name for name, _ in _found(good, row)}


@every_row
def test_coredns_shows_it(
    row: Row, world: World, aware: str, coredns: Callable[..., CoreDNS]
) -> None:
    """With the bad Corefile, not with the corrected one."""
    far = world.spy.address if row.far else "192.0.2.7:5301"
    words = {"aware": aware, "ready": READY, "health": HEALTH, "far": far}
    run_bad, good = (world.text(text, **words) for text in (row.bad, row.good))
    if isinstance(row.shows, str):
        with pytest.raises(ProcessError) as raised:
            coredns(run_bad)
        assert row.shows in str(raised.value)
        coredns(good)
        return
    world.api.was()
    with CoreDNS(run_bad) as running:
        assert row.shows(running, world)
    with CoreDNS(good) as running:
        world.api.was()
        assert row.shows(running, world) is (row.id == "same")


def test_a_servfail_made_by_coredns_is_not_cached(
    world: World, coredns: Callable[..., CoreDNS]
) -> None:
    """docs/operations.md: even with a cache and no servfail 0, each query is tried again."""
    text = "cluster.local {\n errors\n grpc . <dead> <dead>\n cache\n}"
    running = coredns(world.text(text))
    for _ in range(3):
        assert ask(running.address, WEB).rcode() == dns.rcode.SERVFAIL
    wait_until(lambda: running.log_text.count("[ERROR] plugin/errors") == 3, "three errors")


def test_every_trap_has_a_row() -> None:
    assert {row.trap for row in ROWS} == {trap.name for trap in (*TRAPS, *WHOLE, SYNTAX)}


def _found(text: str, row: Row) -> set[tuple[str, int]]:
    findings = check_corefile(text, row.served, backend=row.backend)
    return {(one.trap.name, one.line) for one in findings}
