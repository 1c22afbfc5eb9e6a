"""`grpcdns serve` as users run it: a supervisor, a feed and a worker for each socket."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import dns.message
import grpc

from harness.process import Process

QUERY = "/coredns.dns.DnsService/Query"
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"


class Grpcdns:
    """``with Grpcdns("--manifests", folder) as ours: ours.ask("name", "A")``.

    Listens on ``workers`` unix sockets in ``folder`` (default: a temporary one), or on the
    addresses in ``listen``. ``prefix`` is put before the command.
    """

    def __init__(
        self,
        *options: str | Path,
        workers: int = 2,
        listen: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        prefix: Sequence[str | Path] = (),
        python: str | Path = sys.executable,
    ) -> None:
        self._stack = ExitStack()
        if folder is None:
            made = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="grpcdns-"))
            folder = Path(made)
        self.folder = folder
        self.listen = listen or tuple(f"unix://{folder}/{n}.sock" for n in range(workers))
        argv: list[str | Path] = [*prefix, python, "-m", "grpcdns", "serve"]
        for address in self.listen:
            argv += ["--listen", address]
        self.process = Process([*argv, *options], log=folder / "grpcdns.log", env=env)

    def start(self, *, ready: bool = True, timeout: float = 30.0) -> Self:
        """Starts it and, with ``ready``, waits until every worker says SERVING."""
        self.process.start(self.serving if ready else None, timeout=timeout)
        return self

    def stop(self) -> int:
        """Sends SIGTERM; returns the exit code."""
        return self.process.stop()

    def serving(self) -> bool:
        """Whether every worker says SERVING."""
        return all(self.health(n) == SERVING for n in range(len(self.listen)))

    def health(self, worker: int = 0) -> bytes | None:
        """The encoded HealthCheckResponse of a worker; None when the call fails."""
        try:
            return self._call(worker, HEALTH, b"", 1.0)
        except grpc.RpcError:
            return None

    def ask(
        self, qname: str, qtype: str = "A", *, worker: int = 0, timeout: float = 15.0
    ) -> dns.message.Message:
        """One query over gRPC; raises grpc.RpcError when the call fails."""
        query = dns.message.make_query(qname, qtype)
        return dns.message.from_wire(self.send(query.to_wire(), worker=worker, timeout=timeout))

    def send(self, message: bytes, *, worker: int = 0, timeout: float = 15.0) -> bytes:
        """One DnsPacket with any octets; returns the reply's octets."""
        from grpcdns.pb.dns_pb2 import DnsPacket

        packet = DnsPacket(msg=message).SerializeToString()
        return DnsPacket.FromString(self._call(worker, QUERY, packet, timeout)).msg

    @property
    def grpc_block(self) -> str:
        """A Corefile's stanza that forwards to every worker."""
        return f"grpc . {' '.join(self.listen)} {{\n    policy round_robin\n}}"

    def children(self) -> dict[str, int]:
        """The PIDs of the child processes: "feed", "worker 0", ..."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                name = (entry / "comm").read_text().strip()
            except (OSError, IndexError):
                continue
            if int(status[1]) != self.process.pid or status[0] == "Z":
                continue
            if name == "feed" or name.startswith("worker-"):
                found[name.replace("-", " ")] = int(entry.name)
        return found

    def __enter__(self) -> Self:
        return self if self.process.running else self.start()

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        self._stack.close()

    def _call(self, worker: int, method: str, request: bytes, timeout: float) -> bytes:
        target = self.listen[worker].replace("unix://", "unix:")
        with grpc.insecure_channel(
            target, options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            call = channel.unary_unary(method, None, None)
            reply: bytes = call(request, timeout=timeout)
            return reply
