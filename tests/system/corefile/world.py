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
from harness.grpcdns import Grpcdns
from harness.paths import EXAMPLES
from harness.ports import LOOPBACK, free_address

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
        self._others = Grpcdns(
            *("--manifests", EXAMPLES, "--upstream", "none", "--ttl", "200"),
            listen=tuple(slow),
            folder=others,
        )
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

    def __enter__(self) -> World:
        for part in (self._ours, self._others, self._upstream):
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
