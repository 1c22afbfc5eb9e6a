"""CoreDNS on 127.0.0.1, with the Corefile given.

    with CoreDNS('. {\\n whoami\\n}') as coredns:
        ask(coredns.address, "example.org")

The Corefile's server blocks name no port: `-dns.port` gives them the chosen one. Other ports and
paths can be environment variables, written `{$NAME}`. A server block without `bind` gets
`bind 127.0.0.1`.
"""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

from harness.build import binary
from harness.dns import ask
from harness.ports import LOOPBACK, Address, free_address
from harness.process import Process
from harness.started import Started
from harness.waiting import wait_until

_RELOADED = "[INFO] Reloading complete"


class CoreDNS(Started):
    """CoreDNS on its own address, which stays the same over restarts and reloads."""

    def __init__(
        self,
        corefile: str,
        *,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        address: Address | None = None,
        prefix: Sequence[str | Path] = (),
        timeout: float = 30.0,
    ) -> None:
        self.address = address or free_address()
        self._timeout = timeout
        self._temporary = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="grpcdns-coredns-"))
        self._corefile = self.folder / "Corefile"
        self.write(corefile)
        self.process = Process(
            [
                *prefix,
                binary("coredns"),
                "-conf",
                self._corefile,
                "-dns.port",
                str(self.address.port),
            ],
            log=self.folder / "coredns.log",
            env=env,
            cwd=self.folder,
        )

    def write(self, corefile: str) -> None:
        """Replaces the Corefile; a running CoreDNS reads it on the next `reload` or `restart`."""
        self._corefile.write_text("\n".join(_with_bind(corefile)) + "\n")

    def start(self) -> Self:
        self.process.start(self._answers, timeout=self._timeout)
        return self

    def stop(self) -> int:
        return self.process.stop()

    def kill(self) -> int:
        return self.process.kill()

    def restart(self) -> None:
        """Stops it and starts it again, on the same address."""
        self.stop()
        self.start()

    def reload(self, corefile: str | None = None) -> None:
        """Sends SIGUSR1 and waits until CoreDNS runs the new Corefile."""
        if corefile is not None:
            self.write(corefile)
        before = self.log_text.count(_RELOADED)
        self.process.send(signal.SIGUSR1)
        wait_until(
            lambda: self.log_text.count(_RELOADED) > before,
            "CoreDNS reloaded",
            timeout=self._timeout,
        )

    @property
    def log_text(self) -> str:
        return self.process.log_text

    def _end(self) -> None:
        self.stop()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        """Any reply counts: class CH is answered or refused without asking an upstream."""
        ask(self.address, "version.bind", "TXT", qclass="CH", timeout=0.5)
        return True


def replaced(corefile: str, swaps: Mapping[str, str]) -> str:
    """A shipped Corefile made to run here, each key replaced by its value. Raises AssertionError
    for a key that it does not have: the Corefile has changed."""
    for old, new in swaps.items():
        if old not in corefile:
            raise AssertionError(f"the Corefile no longer has {old!r}")
        corefile = corefile.replace(old, new)
    return corefile


def _with_bind(corefile: str) -> Iterator[str]:
    """The lines of a Corefile, with `bind 127.0.0.1` in each server block that has no `bind`."""
    block: list[str] = []
    depth = 0
    for line in corefile.splitlines():
        code = line.partition("#")[0].strip()
        block.append(line)
        depth += code.endswith("{") - (code == "}")
        if depth == 0:
            yield from _bound(block)
            block = []
    yield from block


def _bound(block: list[str]) -> Iterator[str]:
    head, *rest = block
    yield head
    is_server = head.partition("#")[0].rstrip().endswith("{") and not head.startswith("(")
    if is_server and not any(line.split()[:1] == ["bind"] for line in rest):
        yield f"    bind {LOOPBACK}"
    yield from rest
