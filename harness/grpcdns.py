"""`grpcdns serve` as users run it: a supervisor, a feed, a worker for each socket."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message
import grpc

from harness.process import Process

QUERY = "/coredns.dns.DnsService/Query"
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"


class Grpcdns:
    """``with Grpcdns("--manifests", folder) as ours: ours.ask("name", "A")``.

    ``workers`` sockets are made in ``folder``; pass ``listen=()`` addresses to choose others. The
    command comes after ``prefix``.
    """

    def __init__(
        self,
        *options: str | Path,
        workers: int = 2,
        listen: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
        prefix: Sequence[str | Path] = (),
    ) -> None:
        self._stack = ExitStack()
        if folder is None:
            made = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="grpcdns-"))
            folder = Path(made)
        self.folder = folder
        self.listen = listen or tuple(f"unix://{folder}/{n}.sock" for n in range(workers))
        argv: list[str | Path] = [*prefix, sys.executable, "-m", "grpcdns", "serve"]
        for address in self.listen:
            argv += ["--listen", address]
        self.process = Process([*argv, *options], log=folder / "grpcdns.log", env=env)

    def start(self, *, ready: bool = True, timeout: float = 30.0) -> Self:
        """Starts it; waits until every worker says SERVING, unless told not to."""
        self.process.start(self.serving if ready else None, timeout=timeout)
        return self

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        return self.process.stop()

    def serving(self) -> bool:
        """Whether every worker says SERVING."""
        return all(self.health(n) == SERVING for n in range(len(self.listen)))

    def health(self, worker: int = 0) -> bytes | None:
        """The HealthCheckResponse of a worker, encoded; None when it cannot be had."""
        try:
            return self._call(worker, HEALTH, b"", 1.0)
        except grpc.RpcError:
            return None

    def ask(
        self, qname: str, qtype: str = "A", *, worker: int = 0, timeout: float = 5.0
    ) -> dns.message.Message:
        """One question, over gRPC. Raises grpc.RpcError when it ends without an answer."""
        query = dns.message.make_query(qname, qtype)
        return dns.message.from_wire(self.send(query.to_wire(), worker=worker, timeout=timeout))

    def send(self, message: bytes, *, worker: int = 0, timeout: float = 5.0) -> bytes:
        """One DnsPacket's octets, whatever they are; the reply's octets."""
        from grpcdns.pb.dns_pb2 import DnsPacket

        packet = DnsPacket(msg=message).SerializeToString()
        return DnsPacket.FromString(self._call(worker, QUERY, packet, timeout)).msg

    @property
    def grpc_block(self) -> str:
        """The stanza of a Corefile that forwards to every worker."""
        return f"grpc . {' '.join(self.listen)} {{\n    policy round_robin\n}}"

    def children(self) -> dict[str, int]:
        """The pids of the processes, by what they are: "feed", "worker 0", ..."""
        found = {}
        for entry in Path("/proc").iterdir():
            try:
                status = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                argv = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, IndexError):
                continue
            if int(status[1]) != self.process.pid or status[0] == "Z":
                continue
            words = [word.decode() for word in argv]
            if "grpcdns.serve.feed.process" in words:
                found["feed"] = int(entry.name)
            elif "grpcdns.serve.worker.process" in words:
                found[f"worker {words[words.index('grpcdns.serve.worker.process') + 2]}"] = int(
                    entry.name
                )
        return found

    def __enter__(self) -> Self:
        return self if self.process.running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
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
