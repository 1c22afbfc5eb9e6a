"""``tls CERT KEY CA`` in a Corefile, with ``--tls-cert``, ``--tls-key`` and ``--tls-client-ca``.

Rows: the certificates of each side, and whether CoreDNS gets an answer. TLS at the socket alone is
in test_listeners.py.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import dns.rcode
import pytest

from harness.certificates import Authority
from harness.coredns import CoreDNS
from harness.dns import ask
from harness.grpcdns import SERVING, Grpcdns
from harness.paths import EXAMPLES
from harness.ports import Address, free_address
from harness.waiting import wait_until

WEB = "web.default.svc.cluster.local"
NAME = "grpcdns.example"


class World:
    """Two authorities: ``ours``, which both sides trust, and ``other``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ours = Authority(folder / "ours")
        self.other = Authority(folder / "other")

    @contextmanager
    def grpcdns(
        self, pair: tuple[Path, Path], client_ca: Path | None = None
    ) -> Iterator[tuple[Address, Address]]:
        """Two workers on TCP with TLS, and one on a unix socket without."""
        tcp = free_address(), free_address()
        options = ["--tls-cert", str(pair[0]), "--tls-key", str(pair[1])]
        if client_ca is not None:
            options += ["--tls-client-ca", str(client_ca)]
        run = Grpcdns(
            *("--manifests", EXAMPLES, "--upstream", "none"),
            *options,
            listen=(f"unix://{self.folder}/0.sock", *map(str, tcp)),
            folder=self.folder,
        )
        with run.start(ready=False):
            wait_until(
                lambda: run.health(0) == SERVING and all(map(_accepts, tcp)), "grpcdns serving"
            )
            yield tcp


def _accepts(address: Address) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address) == 0


def corefile(to: tuple[Address, Address], *lines: str) -> str:
    stanza = "\n".join(lines)
    return f"cluster.local {{\n errors\n grpc . {to[0]} {to[1]} {{\n{stanza}\n }}\n}}"


def answers(coredns: CoreDNS) -> bool:
    return ask(coredns.address, WEB, timeout=8).rcode() == dns.rcode.NOERROR


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


Pair = Callable[[World], tuple[Path, Path]]


def right(name: str) -> Pair:
    return lambda world: world.ours.issue(name)


def wrong(name: str) -> Pair:
    return lambda world: world.other.issue(name)


def expired(name: str) -> Pair:
    return lambda world: world.ours.issue(name, days=-1)


class Row(NamedTuple):
    """``client``: None for a CoreDNS that trusts the CA and has no certificate."""

    id: str
    server: Pair
    client: Pair | None
    mutual: bool
    answers: bool
    name: str = NAME


ROWS = [
    Row("both right", right(NAME), right("coredns"), True, True),
    Row("no client certificate, none required", right(NAME), None, False, True),
    Row("a client certificate, none required", right(NAME), right("coredns"), False, True),
    Row("no client certificate", right(NAME), None, True, False),
    Row("client of another authority", right(NAME), wrong("coredns"), True, False),
    Row("client expired", right(NAME), expired("coredns"), True, False),
    Row("server of another authority", wrong(NAME), right("coredns"), True, False),
    Row("server expired", expired(NAME), right("coredns"), True, False),
    Row("server of another name", right(NAME), right("coredns"), True, False, "other.example"),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_certificates(row: Row, world: World, coredns: Callable[..., CoreDNS]) -> None:
    shown = [*(row.client(world) if row.client else ()), world.ours.cert]
    tls = f"tls {' '.join(map(str, shown))}"
    ca = world.ours.cert if row.mutual else None
    with world.grpcdns(row.server(world), ca) as to:
        running = coredns(corefile(to, tls, f"tls_servername {row.name}"))
        assert answers(running) is row.answers


def test_without_tls_coredns_gets_no_answer(world: World, coredns: Callable[..., CoreDNS]) -> None:
    with world.grpcdns(world.ours.issue(NAME)) as to:
        assert not answers(coredns(corefile(to)))


def test_a_renewed_certificate_is_used(world: World, coredns: Callable[..., CoreDNS]) -> None:
    """grpcdns starts with an expired certificate, which is then replaced in the same files."""
    tls = f"tls {world.ours.cert}"
    with world.grpcdns(world.ours.issue(NAME, days=-1)) as to:
        running = coredns(corefile(to, tls, f"tls_servername {NAME}"))
        assert not answers(running)
        world.ours.issue(NAME)
        wait_until(lambda: answers(running), "the new certificate in use", timeout=30)


def test_rotation_of_the_authority(world: World, coredns: Callable[..., CoreDNS]) -> None:
    """The CA file first has both authorities, then the new one alone, as in a rotation.

    Open connections stay; CoreDNS with an old certificate is refused when it connects again.
    """
    ca = world.folder / "client-ca.crt"
    ca.write_bytes(world.ours.cert.read_bytes())
    old, new = world.ours.issue("coredns"), world.other.issue("coredns")

    def with_pair(pair: tuple[Path, Path]) -> str:
        shown = " ".join(map(str, (*pair, world.ours.cert)))
        return corefile(to, f"tls {shown}", f"tls_servername {NAME}")

    with world.grpcdns(world.ours.issue(NAME), ca) as to:
        connected = coredns(with_pair(old))
        assert answers(connected)
        assert not answers(coredns(with_pair(new)))

        ca.write_bytes(world.ours.cert.read_bytes() + world.other.cert.read_bytes())
        assert answers(coredns(with_pair(new)))
        assert answers(coredns(with_pair(old)))

        ca.write_bytes(world.other.cert.read_bytes())
        assert answers(coredns(with_pair(new)))
        assert not answers(coredns(with_pair(old)))
        assert answers(connected), "its connection is older"
