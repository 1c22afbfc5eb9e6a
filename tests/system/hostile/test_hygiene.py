"""Every row sent to the handler, over gRPC to both transports, and through a real CoreDNS."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from grpcdns.serve.worker.transport.packet import from_wire, to_wire
from harness.coredns import CoreDNS
from harness.dns import read_tcp
from harness.fixtures import skip_unless_built
from harness.ports import Address
from tests.fuzz.oracle import check_reply
from tests.fuzz.world import answer, pairs
from tests.system.hostile.rows import ROWS, SAME, Row
from tests.transports import TRANSPORTS, Served, serving, unix

UDP_LIMIT = 1232

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)


class Seen(NamedTuple):
    """The parts of a reply that a row is about."""

    rcode: int
    question: bool
    answers: int
    edns: bool


def seen(reply: bytes) -> Seen:
    _, bits, questions, answers, _, additional = struct.unpack_from("!6H", reply)
    edns = additional > 0 and reply[-11:-8] == b"\0\0\x29"
    rcode = bits & 15 | (reply[-6] << 4 if edns else 0)
    return Seen(rcode, questions > 0, answers, edns)


def assert_as_written(row: Row, reply: bytes) -> None:
    check_reply(row.message, reply)
    shown = seen(reply)
    assert (shown.rcode, shown.question) == (row.rcode, row.question), row.rfc
    assert row.records in (None, shown.answers), row.rfc


def handle(message: bytes) -> bytes:
    return answer(pairs()[0].remembering, message)


@every_row
@pytest.mark.parametrize("turn", ["first", "again"])
def test_asked_of_the_handler(row: Row, turn: str) -> None:
    for handler in pairs()[0]:
        assert_as_written(row, answer(handler, row.message))


@every_row
def test_followed_by_an_honest_query(row: Row) -> None:
    """The next query is answered as always."""
    handle(row.message)
    assert_as_written(ROWS[0], handle(ROWS[0].message))


@pytest.fixture(scope="module", params=sorted(TRANSPORTS))
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    with serving(request.param, unix(tmp_path_factory.mktemp("s")), handle) as running:
        yield running


@pytest.fixture(scope="module")
def query(served: Served) -> Iterator[Callable[..., bytes]]:
    """One connection for all rows: the next row notices when one has broken it."""
    with served.channel() as channel:
        yield channel.unary_unary("/coredns.dns.DnsService/Query", None, None)


@every_row
def test_asked_over_grpc(row: Row, query: Callable[..., bytes]) -> None:
    reply = from_wire(query(to_wire(row.message), timeout=10.0))
    assert reply is not None
    assert_as_written(row, reply)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """The address of a CoreDNS in front of the handler."""
    skip_unless_built("coredns")
    folder: Path = tmp_path_factory.mktemp("front")
    with ExitStack() as stack:
        stack.enter_context(serving("lane", unix(folder), handle))
        block = f". {{\n    grpc . {unix(folder)}\n}}"
        yield stack.enter_context(CoreDNS(block)).address


@pytest.mark.servers
@every_row
@pytest.mark.parametrize("tcp", [True, False], ids=["tcp", "udp"])
def test_asked_through_coredns(row: Row, front: Address, tcp: bool) -> None:
    if not tcp and len(row.message) > UDP_LIMIT:
        pytest.skip("does not fit a datagram")
    reply = _exchange(front, row.message, tcp=tcp, silent=row.coredns is None)
    if row.coredns is None:
        assert reply is None
        return
    assert reply is not None, "no reply"
    assert reply[:2] == row.message[:2], "another ID"
    assert seen(reply).rcode == (row.rcode if row.coredns == SAME else row.coredns), row.rfc
    if row.coredns == SAME and row.records is not None:
        assert seen(reply).answers == row.records


def _exchange(address: Address, message: bytes, *, tcp: bool, silent: bool) -> bytes | None:
    """One message and its reply; None when there is none."""
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.settimeout(0.3 if silent else 5.0)
        sock.connect(address)
        sock.sendall(struct.pack("!H", len(message)) + message if tcp else message)
        try:
            return read_tcp(sock) if tcp else sock.recv(65536)
        except (TimeoutError, ConnectionError):
            return None
