"""The servers that the Corefiles of the rows use: workers, an upstream, and unused addresses."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from harness.coredns import CoreDNS
from harness.dns import section
from harness.grpcdns import Grpcdns
from harness.metrics import samples
from harness.objects import endpoint_slice, port, service, write_list
from harness.paths import EXAMPLES
from harness.ports import LOOPBACK, Address, free_address
from harness.waiting import wait_until

UPSTREAM: Final = """. {
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.80"
    }
    template IN PTR {
        answer "{{ .Name }} 60 IN PTR outside.example."
    }
}"""


class World:
    """``text`` replaces a row's ``<names>`` by addresses."""

    def __init__(self, folder: Path) -> None:
        self._stack = ExitStack()
        self.folder = folder
        tcp = [str(free_address()) for _ in range(2)]
        sockets = [f"unix://{folder}/{number}.sock" for number in range(2)]
        self._ours = Grpcdns(
            "--manifests", EXAMPLES, "--upstream", "none", listen=(*sockets, *tcp), folder=folder
        )
        others = folder / "others"
        others.mkdir()
        slow = [f"unix://{others}/0.sock"]
        self._slow_metrics = free_address()
        self._others = Grpcdns(
            *("--manifests", EXAMPLES, "--upstream", "none", "--ttl", "200", "--pods", "insecure"),
            *("--metrics", str(self._slow_metrics)),
            listen=tuple(slow),
            folder=others,
        )
        self.peers = Peers(folder / "peers")
        self._upstream = CoreDNS(UPSTREAM)
        self.spy = Spy(tcp[0])
        self.api = Knocked()
        resolv = folder / "resolv.conf"
        resolv.write_text(f"nameserver {LOOPBACK}\n")
        (folder / "more.conf").write_text(f"forward . {self._upstream.address}\n")
        self._words = {
            "0": sockets[0],
            "1": sockets[1],
            "ttl200": slow[0],
            "adaptive": self.peers.listen,
            "tcp0": tcp[0],
            "tcp1": tcp[1],
            "dead": f"unix://{folder}/dead.sock",
            "resolv": str(resolv),
            "more": str(folder / "more.conf"),
            "upstream": str(self._upstream.address),
            "api": f"http://{self.api.address}",
        }

    def text(self, corefile: str, **words: str) -> str:
        return with_addresses(corefile, {**self._words, **words})

    def asked_ttl200(self) -> float:
        """Queries that have reached that backend."""
        return _queries(self._slow_metrics)

    def __enter__(self) -> World:
        for part in (self._ours, self._others, self.peers.running, self._upstream):
            self._stack.enter_context(part)
        self._stack.callback(self.spy.close)
        self._stack.callback(self.api.close)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def with_addresses(corefile: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        corefile = corefile.replace(f"<{word}>", value)
    return corefile


def _queries(metrics: Address) -> float:
    found = samples(metrics)
    return sum(v for k, v in found.items() if k.startswith("grpcdns_dns_requests_total"))


class Peers:
    """A backend with ``--ttl-mode adaptive`` and a headless Service, whose Pods come and go."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = folder / "peers.json"
        self._metrics = free_address()
        self._addresses: dict[str, str] = {}
        self._write()
        self.running = Grpcdns(
            *("--manifests", self._file, "--upstream", "none", "--ttl-mode", "adaptive"),
            *("--metrics", str(self._metrics)),
            workers=1,
            folder=folder,
        )
        (self.listen,) = self.running.listen

    def name(self, pod: str) -> str:
        return f"{pod}.db.default.svc.cluster.local."

    def set(self, pod: str, address: str | None) -> None:
        """Give a Pod an address, or none; returns when the backend answers so."""
        self._addresses.pop(pod, None)
        if address:
            self._addresses[pod] = address
        self._write()
        right = [f"{self.name(pod)} 1 IN A {address}"] if address else []
        wait_until(lambda: section(self.running.ask(self.name(pod))) == right, "the change")

    def asked(self) -> float:
        """Queries that have reached the backend."""
        return _queries(self._metrics)

    def _write(self) -> None:
        points = [
            {"addresses": [address], "hostname": pod, "conditions": {"ready": True}}
            for pod, address in self._addresses.items()
        ]
        slices = [endpoint_slice("db-a", "db", points, [port(80)])]
        made = write_list(
            self._file.with_suffix(".new"),
            [service("db", headless=True, ports=[port(80)]), *slices],
        )
        made.rename(self._file)


class Knocked:
    """A listener that accepts connections, never answers, and remembers that there were any."""

    def __init__(self) -> None:
        self._listener = socket.create_server((LOOPBACK, 0))
        self._listener.setblocking(False)
        host, port = self._listener.getsockname()
        self.address = f"{host}:{port}"

    def was(self) -> bool:
        """Whether there was a connection since the last call; closes them."""
        knocked = False
        while select.select([self._listener], [], [], 0)[0]:
            knocked = True
            self._listener.accept()[0].close()
        return knocked

    def close(self) -> None:
        self._listener.close()


class Spy:
    """A proxy to a TCP address that records the bytes it passes on."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server((LOOPBACK, 0))
        self.address = "{}:{}".format(*self._listener.getsockname())
        self.seen = bytearray()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
                far = socket.create_connection(self._target)
            except OSError:
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pass_on, args=(one, other), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                self.seen += data
                other.sendall(data)
        except OSError:
            pass
        for end in (one, other):
            end.close()
