"""`explain --server` and a feed that does not have everything: no answer is made from a part."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from grpcdns.cli import main
from grpcdns.config.options import Config
from grpcdns.core.cluster.objects import Change, Held, Kind, Namespace, Service, pack
from grpcdns.serve import link
from grpcdns.serve.rundir import RunDir

WEB = "web.default.svc.cluster.local"
LISTEN = f"unix:///nowhere/{os.getpid()}.sock"
"""No other test run beside this one has it: a folder with a long path gives way to /tmp."""
NAMESPACE = link.Objects(Kind.NAMESPACE, (("/default", pack(Namespace("", "default"))),))
SERVICE = pack(Service("default", "web", cluster_ips=("10.96.7.7",)))
KINDS = (Kind.NAMESPACE, Kind.SERVICE, Kind.ENDPOINT_SLICE)

Feed = Callable[..., None]
Run = Callable[..., tuple[int, str, str]]


def lists(*kinds: Kind, web: bytes = SERVICE) -> list[link.Message]:
    """The listings of these kinds: a namespace, a Service and no slices."""
    objects: dict[Kind, list[link.Message]] = {
        Kind.NAMESPACE: [NAMESPACE],
        Kind.SERVICE: [link.Objects(Kind.SERVICE, (("default/web", web),))],
    }
    return [
        message
        for kind in kinds
        for message in (link.Listing(kind, 7), *objects.get(kind, []), link.Listed(kind))
    ]


@pytest.fixture
def feed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """`feed(*messages)`: a feed that sends these to the first connection, then closes it or not."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    run = RunDir.make()
    run.write_config(Config(listen=(LISTEN,), upstream=""))
    stop = threading.Event()
    threads: list[threading.Thread] = []
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(run.link)
    listener.listen()

    def start(*messages: link.Message, close: bool = False) -> None:
        def serve() -> None:
            try:
                sock, _ = listener.accept()
            except OSError:  # the test has ended and nobody came
                return
            with sock:
                next(link.receive(sock, link.Reader()))
                sock.sendall(b"".join(map(link.to_frame, messages)))
                if not close:
                    stop.wait(30.0)

        threads.append(threading.Thread(target=serve, daemon=True))
        threads[-1].start()

    yield start
    stop.set()
    listener.shutdown(socket.SHUT_RDWR)
    for thread in threads:
        thread.join()
    listener.close()
    run.remove()


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*words: str) -> tuple[int, str, str]:
        code = main(["explain", WEB, "--server", LISTEN, *words])
        caught = capsys.readouterr()
        return code, caught.out, caught.err

    return run


def test_complete_data_is_explained(feed: Feed, explain: Run) -> None:
    feed(link.State(False, 0.0, 1.0), *lists(*KINDS))
    code, out, _ = explain()
    assert f"{WEB}. 5 IN A 10.96.7.7" in out
    assert "gives no answer" in out, "there is no worker here"
    assert code == 1


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [link.State(False)],
        [link.State(False), *lists(Kind.NAMESPACE, Kind.SERVICE)],
        [link.State(False), *lists(*KINDS)[:-1]],
        lists(*KINDS),
    ],
    ids=["nothing", "a state alone", "two kinds of three", "all but the last word", "no state"],
)
@pytest.mark.parametrize("close", [True, False], ids=["closed", "silent"])
def test_partial_data_is_no_answer(
    messages: list[link.Message], close: bool, feed: Feed, explain: Run
) -> None:
    """The server ends, or says no more, before its lists are complete."""
    feed(*messages, close=close)
    code, out, err = explain("--timeout", "30s" if close else "300ms")
    assert (code, out) == (1, "")
    assert err.startswith(f"grpcdns: {LISTEN}: not complete: no ")
    assert ("closed the connection" in err) == close


def test_a_right_that_is_missing_is_said_at_once(feed: Feed, explain: Run) -> None:
    why = 'Service: 403 Forbidden: User "x" cannot list resource "services"'
    feed(link.State(False, 0.0, 0.0, (why,)), *lists(Kind.NAMESPACE))
    code, out, err = explain("--timeout", "60s")
    assert (code, out) == (1, "")
    assert err == f"grpcdns: {LISTEN}: not complete: {why}\n"


def test_a_failure_is_json_too(feed: Feed, explain: Run) -> None:
    feed(link.State(False, 0.0, 0.0, ("403 Forbidden",)))
    code, out, err = explain("--json")
    assert code == 1
    assert json.loads(out) == {"error": err.removeprefix("grpcdns: ").rstrip("\n")}
    assert "403 Forbidden" in out


def test_changes_and_a_second_list_are_newer(feed: Feed, explain: Run) -> None:
    changed = pack(Service("default", "web", cluster_ips=("10.96.7.8",)))
    feed(
        *lists(Kind.SERVICE),
        link.Changes((Change(Kind.SERVICE, "default/web", changed, 8),)),
        link.Changes((Change(Kind.SERVICE, "default/gone", SERVICE, 8),)),
        *lists(Kind.SERVICE, web=changed),
        link.State(True, 1.0, 1.0),
        *lists(Kind.NAMESPACE, Kind.ENDPOINT_SLICE),
    )
    _, out, _ = explain()
    assert f"{WEB}. 5 IN A 10.96.7.8" in out
    assert "from a snapshot saved" in out


def test_what_is_held_is_shown_with_why(feed: Feed, explain: Run) -> None:
    held = Service("default", "web", cluster_ips=("10.96.7.7",), held=Held("guard", 1000))
    feed(
        link.State(False, 0.0, 1.0, (), "30 of 40 Services are gone"),
        *lists(*KINDS, web=pack(held)),
    )
    _, out, _ = explain()
    assert f"{WEB}. 1 IN A 10.96.7.7" in out
    assert re.search(r"Service default/web +by --guard, since .+ ago +30 of 40 Services", out)


@pytest.mark.parametrize("action", ["status", "release"])
def test_the_guard_of_a_feed(action: str, feed: Feed, capsys: pytest.CaptureFixture[str]) -> None:
    release = action == "release"
    feed(link.GuardStatus(30.0, 1000, 4600, "30 of 40 Services", 30, (("service", 30),), release))
    assert main(["guard", action, "--server", LISTEN]) == 0
    out = capsys.readouterr().out
    assert ("released" in out) == release
    assert "30 of 40 Services" in out
    assert re.search(r"service +30 withheld", out)


@pytest.mark.parametrize(
    ("status", "code", "says"),
    [
        (link.GuardStatus(30.0), 1, "nothing is held (--guard 30)"),
        (link.GuardStatus(0.0), 1, "runs without --guard"),
    ],
)
def test_nothing_to_release(
    status: link.GuardStatus, code: int, says: str, feed: Feed, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(status)
    assert main(["guard", "release", "--server", LISTEN]) == code
    caught = capsys.readouterr()
    assert says in caught.out + caught.err
