"""``grpcdns compare --live``: what clients ask a CoreDNS that logs, compared as it comes."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Final

import dns.message
import dns.rcode
import pytest

from harness.cluster import Cluster
from harness.coredns import CoreDNS
from harness.dns import ask
from harness.dns_server import DnsServer, Query, Reply
from harness.grpcdns import Grpcdns
from harness.objects import service
from harness.paths import EXAMPLES
from harness.waiting import wait_until

MANIFESTS: Final = ("--manifests", str(EXAMPLES), "--upstream", "none")
WEB: Final = "web.default.svc.cluster.local."
LINE: Final = '[INFO] 10.0.0.9:4711 - {id} "{type} IN {name} udp 41 false 4096" NOERROR qr 68 0.03s'
LOGGING: Final = """. {{
    log . {form}
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {{$KUBECONFIG}}
        namespaces {{$NAMESPACE}}
    }}
    template ANY ANY example.org {{
        rcode NXDOMAIN
    }}
}}"""


def line(name: str, qtype: str = "A", number: int = 0) -> str:
    return LINE.format(name=name, type=qtype, id=number)


class Live:
    """The command, with its stdin and stdout."""

    def __init__(self, *words: str) -> None:
        argv = [sys.executable, "-m", "grpcdns", "compare", "--live", *words]
        self.process = subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdin
        assert self.process.stdout
        self._in, self._out = self.process.stdin, self.process.stdout
        self.shown: list[str] = []

    def log(self, *lines: str) -> None:
        self._in.writelines(f"{one}\n" for one in lines)
        self._in.flush()

    def wait_for(self, text: str) -> None:
        """Until a line has it; what is read before is in ``shown``."""
        while text not in (got := self._out.readline()):
            assert got, self.shown
            self.shown.append(got)
        self.shown.append(got)

    def end(self, sig: signal.Signals | None = None) -> tuple[int, str]:
        """The exit code and all that was printed: after the last line, or after a signal."""
        if sig:
            self.process.send_signal(sig)
            rest, err = self._out.read(), ""
        else:
            rest, err = self.process.communicate(timeout=60)
        code = self.process.wait(timeout=30)
        assert err == ""
        return code, "".join(self.shown) + rest


@contextmanager
def running(*words: str) -> Iterator[Live]:
    live = Live(*words)
    try:
        yield live
    finally:
        live.process.kill()
        live.process.wait()
        for one in (live.process.stdin, live.process.stdout, live.process.stderr):
            assert one
            try:
                one.close()
            except BrokenPipeError:
                pass


@pytest.fixture(scope="module")
def ours() -> Iterator[Grpcdns]:
    with Grpcdns(*MANIFESTS) as one:
        yield one


def answered(query: Query) -> list[bytes]:
    """NXDOMAIN for everything."""
    reply = dns.message.make_response(query.message)
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return [reply.to_wire()]


Server = Callable[[Reply], DnsServer]
FORMATS: Final = {
    "common": "{common}",
    "combined": "{combined}",
    "custom": "{proto} Request: {name} {type} {>id}",
    "without the ID": "{name} {type} {rcode}",
}


@pytest.mark.servers
@pytest.mark.parametrize("about", FORMATS)
def test_the_log_of_a_coredns(
    about: str, cluster: Cluster, namespace: str, coredns: Callable[..., CoreDNS]
) -> None:
    """Its kubernetes plugin and grpcdns on one API; only the deliberate differences differ, and
    with another option a real one. The server that is compared logs those queries, too."""
    cluster.api.create(service("plain", namespace=namespace, ports=[{"name": "http", "port": 80}]))
    kubeconfig = str(cluster.admin_kubeconfig)
    form = FORMATS[about]
    front = coredns(
        LOGGING.format(form=json.dumps(form)),
        env={"KUBECONFIG": kubeconfig, "NAMESPACE": namespace},
    )
    base, pod = f"plain.{namespace}.svc.cluster.local", f"1-2-3-4.{namespace}.pod.cluster.local"
    options = ["--kubeconfig", kubeconfig, "--namespaces", namespace, "--upstream", "none"]
    with Grpcdns(*options, "--zones", "cluster.local", "--pods", "insecure") as backend:
        wait_until(lambda: backend.ask(base).answer, "the Service answered")
        words = ["--with", str(front.address), "--server", backend.listen[0], "--output", "json"]
        words += ["--live-format", form, "--zones", "cluster.local", *options]
        wait_until(lambda: ask(front.address, base).answer, "the plugin has the Service")
        asked = [
            (base, "A"), (base, "A"), (base.upper(), "AAAA"), (f"_http._tcp.{base}", "SRV"),
            (f"none.{namespace}.svc.cluster.local", "A"), (f"_tcp.{base}", "A"),
            (pod, "A"), ("www.example.org", "A"),
        ]  # fmt: skip
        for name, qtype in asked:
            ask(front.address, name, qtype)
        wait_until(lambda: front.log_text.count("www.example.org.") == 1, "all is logged")
        clients = front.log_text.count("cluster.local.")
        with running(*words) as live:
            done = follow(front, live, f"{pod}.")
    assert done["different"] == 1, "the Pod's name"
    (pods, above) = done["changes"]
    assert (pods["kind"], pods["names"]) == (
        "NXDOMAIN -> NOERROR",
        [f"{pod}. A"],
    )
    assert (above["kind"], above["names"]) == ("D3", [f"_tcp.{base}. A"])
    assert done["same"] == 4
    assert done["queries"] == clients, "its own are not asked again"
    assert done["own"] > 0
    assert done["outside"] == 1
    assert done["rubbish"] > 0, "what CoreDNS says when it starts"


def follow(front: CoreDNS, live: Live, name: str) -> Any:
    """As `kubectl logs -f`, until a difference was asked three times beside the client."""
    sent = 0

    def compared() -> bool:
        nonlocal sent
        lines = front.log_text.splitlines()
        live.log(*lines[sent:])
        sent = len(lines)
        return front.log_text.count(name) == 4

    wait_until(compared, "a difference that stays", timeout=30, interval=0.1)
    code, out = live.end(signal.SIGINT)
    assert code == 1
    return json.loads(out)


def test_a_difference_is_shown_as_it_comes_and_summed_up_at_the_end(
    ours: Grpcdns, dns_server: Server
) -> None:
    other = dns_server(answered)
    with running("--with", other.address, "--server", ours.listen[0], *MANIFESTS) as live:
        live.log(line("none.default.svc.cluster.local."), line("www.example.org."))
        live.log(line(WEB, number=1), line(WEB, number=2), "rubbish", line(WEB, "AAAA"))
        live.wait_for(f"{WEB} A")
        live.wait_for("+ grpcdns  NOERROR")
        live.wait_for(f"{WEB} AAAA")
        live.log(line(WEB, number=3))
        code, out = live.end()
    assert code == 1
    assert "- DNS      NXDOMAIN" in out
    summary = out[out.index("(grpcdns), ") :]
    assert (
        "7 lines: 5 queries in the zones, 1 outside them, 0 of this comparison, 1 without a "
        "question\n"
    ) in summary
    assert "3 questions: 1 same, 2 different, 0 without answer\n" in summary
    assert f"NXDOMAIN -> NOERROR  2 questions, asked 4 times  {WEB} A, {WEB} AAAA\n" in summary


def test_nothing_would_change(ours: Grpcdns, coredns: Callable[..., CoreDNS]) -> None:
    front = coredns(f"cluster.local {{\n{ours.grpc_block}\n}}")
    with running("--with", str(front.address), "--server", ours.listen[0], *MANIFESTS) as live:
        live.log(line(WEB), line(WEB, "AAAA"), line(WEB, "SRV"))
        code, out = live.end()
    assert code == 0
    assert "3 questions: 3 same, 0 different, 0 without answer\n" in out
    assert out.endswith("A switch would change no answer that was asked for.\n")


def test_the_rate_is_kept_and_a_question_is_asked_once_a_second(
    ours: Grpcdns, dns_server: Server
) -> None:
    """Of 40 a second. 90 different questions and one that is asked all the time."""
    came: list[tuple[float, str]] = []

    def reply(query: Query) -> list[bytes]:
        came.append((time.monotonic(), str(query.message.question[0].name)))
        return answered(query)

    other = dns_server(reply)
    words = ["--with", other.address, "--server", ours.listen[0], "--rate", "40", *MANIFESTS]
    with running(*words) as live:
        for number in range(90):
            live.log(*[line(WEB, number=n) for n in range(100)])
            live.log(line(f"none-{number}.default.svc.cluster.local."))
        code, out = live.end()
    assert code == 1
    assert "9,090 lines: 9,090 queries in the zones" in out
    assert "91 questions: 90 same, 1 different" in out
    times = [at for at, _ in came]
    assert max(sum(at <= one < at + 1 for one in times) for at in times) <= 41
    web = [at for at, name in came if name == WEB]
    gaps = [after - before for before, after in pairwise(web)]
    assert all(gap > 0.9 for gap in gaps)


@pytest.mark.parametrize("sig", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_the_summary(
    sig: signal.Signals, ours: Grpcdns, dns_server: Server
) -> None:
    """What still waits is counted, and not asked. stdin stays open."""
    other = dns_server(answered)
    words = ["--with", other.address, "--server", ours.listen[0], "--rate", "5", *MANIFESTS]
    with running(*words) as live:
        live.log(*[line(f"x{number}.default.svc.cluster.local.") for number in range(50)])
        wait_until(lambda: len(other.queries) > 2, "queries")
        code, out = live.end(sig)
    asked = len({query.message.question[0].name for query in other.queries})
    assert code == 0
    assert f"{asked} questions: {asked} same" in out
    assert f"{50 - asked} not asked" in out


def test_rubbish_is_counted(ours: Grpcdns, dns_server: Server) -> None:
    """Octets of any kind, a line of a megabyte, a last line without an end."""
    other = dns_server(answered)
    octets = random.Random(1).randbytes(20_000)
    argv = [sys.executable, "-m", "grpcdns", "compare", "--live", "--output", "json", *MANIFESTS]
    argv += ["--with", other.address, "--server", ours.listen[0]]
    whole = octets + b"\n" + b"x" * 1_000_000 + b"\n" + line("none.cluster.local.").encode()
    done = subprocess.run(argv, input=whole, capture_output=True, timeout=60, check=False)
    said = json.loads(done.stdout)
    assert (done.returncode, said["questions"], said["same"]) == (0, 1, 1)
    assert said["rubbish"] == said["lines"] - 1 == octets.count(b"\n") + 2


def test_no_answer(ours: Grpcdns, dns_server: Server) -> None:
    """Exit code 2, as without --live; the question is asked again before that is said."""
    other = dns_server(lambda _: [])
    words = ["--with", other.address, "--server", ours.listen[0], "--timeout", "100ms", *MANIFESTS]
    with running(*words) as live:
        live.log(line(WEB))
        code, out = live.end()
    assert code == 2
    assert f"{WEB} A: {other.host}#{other.port}: no answer in 0.1 s, 2 times\n" in out
    assert "1 question: 0 same, 0 different, 1 without answer\n" in out


def test_a_wrong_format(ours: Grpcdns) -> None:
    words = ["--with", "127.0.0.1", "--server", ours.listen[0], "--live-format", "{name}"]
    done = subprocess.run(
        [sys.executable, "-m", "grpcdns", "compare", "--live", *words, *MANIFESTS],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (2, "grpcdns: --live-format: no {type} in it\n")
