"""``make demo``: a real CoreDNS on 127.0.0.1:1053 in front of grpcdns, fed by ``examples/cluster``.

Queries CoreDNS over UDP, prints the replies as dig does, and compares them with what is expected:
exit code 1 for a difference. ``KEEP=1`` stays up until Ctrl-C; ``PORT=`` sets another port, and
``SOCKETS=`` another folder for the sockets.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

from grpcdns.cli import dig
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import NOERROR
from grpcdns.dnsclient.exchange import NoReply, exchange
from grpcdns.dnsclient.messages import Message, find_type, make_query
from harness.build import Unavailable, binary
from harness.paths import EXAMPLES, ROOT

HOST: Final = "127.0.0.1"
ZONES: Final = "cluster.local,10.96.0.0/12,172.17.0.0/16,192.168.50.0/24,fd00:10:96::/112"
PODS: Final = [f"172.17.0.{n}" for n in (9, 10, 11, 12)]
MYHOST: Final = "myhost.headless.default.svc.cluster.local."
START_SECONDS: Final = 20.0
SOCKETS: Final = "/tmp/grpcdns-demo"  # noqa: S108 - its owner is checked
"""Known beforehand, so that the commands in README.md work."""


class Row(NamedTuple):
    """A question, and the records expected in answer and additional section: (name, type, data)."""

    qname: str
    qtype: str
    answer: list[tuple[str, str, str]]
    additional: tuple[tuple[str, str, str], ...] = ()


class Running(NamedTuple):
    """A process of the demo, and its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


def _svc(name: str) -> str:
    return f"{name}.default.svc.cluster.local."


ROWS: Final = [
    Row(_svc("xecho"), "A", [(_svc("xecho"), "A", "10.96.49.52")]),
    Row(
        "52.49.96.10.in-addr.arpa.",
        "PTR",
        [("52.49.96.10.in-addr.arpa.", "PTR", _svc("xecho"))],
    ),
    Row(MYHOST, "A", [(MYHOST, "A", ip) for ip in PODS]),
    Row(
        MYHOST,
        "SRV",
        [(MYHOST, "SRV", f"0 25 80 {MYHOST}")],
        tuple((MYHOST, "A", ip) for ip in PODS),
    ),
    Row(
        _svc("database"),
        "A",
        [(_svc("database"), "A", ip) for ip in ("192.168.50.11", "192.168.50.12")],
    ),
    Row(_svc("web"), "A", [(_svc("web"), "A", "10.96.7.7")]),
    Row(_svc("web"), "AAAA", [(_svc("web"), "AAAA", "fd00:10:96::7")]),
    Row(
        _svc("docs"),
        "A",
        [(_svc("docs"), "CNAME", "www.example.org."), ("www.example.org.", "A", "192.0.2.80")],
    ),
    Row("www.example.org.", "A", [("www.example.org.", "A", "192.0.2.80")]),
]


def main() -> int:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _demo(binary("coredns"), int(os.environ.get("PORT") or 1053))
    except Unavailable as error:
        return _fail(f"no CoreDNS: {error}")
    except _Ended as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        return 130


def _demo(program: Path, port: int) -> int:
    with (
        _sockets(os.environ.get("SOCKETS") or SOCKETS) as sockets,
        tempfile.TemporaryDirectory(prefix="grpcdns-demo-") as logs,
        _running(_grpcdns(sockets, port), sockets, logs) as backend,
        _running(_coredns(program, port), sockets, logs) as front,
    ):
        _wait_until_it_answers(port, [backend, front])
        wrong = [fault for row in ROWS for fault in _show(row, port)]
        if wrong:
            return _fail("; ".join(wrong))
        print(f"All {len(ROWS)} answers are as they should be.", flush=True)
        if os.environ.get("KEEP"):
            _keep(port, sockets, [backend, front])
        return 0


@contextmanager
def _sockets(folder: str) -> Iterator[str]:
    """The folder, for this user alone; deleted at the end when it is empty."""
    path = Path(folder)
    path.mkdir(mode=0o700, exist_ok=True)
    if path.is_symlink() or path.stat().st_uid != os.getuid():
        raise _Ended(f"{folder} is another user's: set SOCKETS to another folder")
    try:
        yield folder
    finally:
        with suppress(OSError):
            path.rmdir()


def _grpcdns(folder: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "grpcdns", "serve"),
        *("--manifests", str(EXAMPLES)),
        *("--listen", f"unix://{folder}/0.sock", "--listen", f"unix://{folder}/1.sock"),
        *("--zones", ZONES, "--upstream", f"{HOST}:{port}"),
        *("--pods", "insecure", "--ttl-mode", "adaptive", "--ttl-stable", "30"),
    ]


def _coredns(program: Path, port: int) -> list[str]:
    return [str(program), "-conf", str(ROOT / "corefile/demo.Corefile"), "-dns.port", str(port)]


def _show(row: Row, port: int) -> Iterator[str]:
    """Query, print the reply, and yield its faults."""
    reply = _ask(row, port)
    print(f"$ dig @{HOST} -p {port} {row.qname} {row.qtype}")
    print(dig.show(reply, footer=(f"SERVER: {HOST}#{port} (UDP)",)), end="\n\n", flush=True)
    for section, wanted in (("answer", row.answer), ("additional", row.additional)):
        found = [
            (name, rtype, data)
            for name, _, _, rtype, data in (record.fields() for record in getattr(reply, section))
        ]
        if sorted(found) != sorted(wanted):
            yield f"{row.qname} {row.qtype}: {section} should be {list(wanted)}"


def _keep(port: int, sockets: str, processes: list[Running]) -> None:
    """Wait for Ctrl-C; raises when a process ends before it."""
    try:
        print(
            "\nStill up; Ctrl-C ends it. Edit examples/cluster/*.yaml: the answers follow, those "
            "in CoreDNS's cache within 30 s.\n"
            f"  dig @{HOST} -p {port} xecho.default.svc.cluster.local\n"
            f"  nslookup -port={port} {MYHOST} {HOST}\n"
            f"  grpcdns query {MYHOST} SRV --server unix://{sockets}/0.sock",
            flush=True,
        )
        while not (ended := _ended(processes)):
            time.sleep(0.2)
    except KeyboardInterrupt:
        return
    raise _Ended(ended)


def _ask(row: Row, port: int, seconds: float = 5.0) -> Message:
    query = make_query(name_from_text(row.qname), find_type(row.qtype) or 0)
    return asyncio.run(exchange(query, HOST, port, seconds))


def _wait_until_it_answers(port: int, processes: list[Running]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if ended := _ended(processes):
            raise _Ended(ended)
        try:
            if _ask(ROWS[0], port, 0.5).rcode == NOERROR:
                return
        except NoReply:
            pass
        time.sleep(0.02)
    raise _Ended(f"no answer within {START_SECONDS:g} s")


class _Ended(Exception):
    """A process has ended, or did not start."""


def _ended(processes: list[Running]) -> str:
    """The processes that have ended, with their logs; "" while all run."""
    return "\n".join(
        f"{running.name} ended with {code}:\n{running.log.read_text()}"
        for running in processes
        if (code := running.process.poll()) is not None
    )


@contextmanager
def _running(command: list[str], sockets: str, logs: str) -> Iterator[Running]:
    """A process with its log in ``logs``, terminated at the end. Ctrl-C does not reach it."""
    name = Path(command[0]).name if "grpcdns" not in command else "grpcdns"
    log = Path(logs, f"{name}.log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            env={**os.environ, "SOCKETS": sockets},
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        yield Running(name, process, log)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _fail(why: str) -> int:
    print(f"demo: {why}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
