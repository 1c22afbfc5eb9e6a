"""The text that Prometheus reads, by its own parser; and the small HTTP server under it."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from grpcdns.config.options import Config, UserError
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind, Namespace, pack
from grpcdns.histogram import histogram
from grpcdns.serve import link
from grpcdns.serve.feed.broadcast import Broadcast
from grpcdns.serve.feed.http import HttpServer, Response
from grpcdns.serve.feed.loop import FeedLoop
from grpcdns.serve.feed.metrics import FAMILIES, Metrics, to_text
from grpcdns.serve.feed.snapshots import Snapshots
from grpcdns.serve.rundir import ProcessState, RunDir, Supervision
from grpcdns.serve.worker.answerer import Answerer
from grpcdns.source.api.requests import Requests
from harness.metrics import get
from harness.ports import Address, free_address


@pytest.fixture
def broadcast() -> Broadcast:
    made = Broadcast(Policy(), lambda: None, lambda: 1000.0)
    made.replace(Kind.NAMESPACE, [("/default", pack(Namespace("", "default")), 0.0)])
    made.note("list", Kind.NAMESPACE, objects=1)
    made.note("repaired", Kind.SERVICE, missing=2, stale=1, extra=0)
    made.note("api_lost", None, error="gone")
    return made


@pytest.fixture
def metrics(broadcast: Broadcast, tmp_path: Path) -> Iterator[Metrics]:
    run = RunDir(tmp_path)
    run.write_supervision(Supervision({"feed": ProcessState(os.getpid(), 2, 3.5)}))
    loop = FeedLoop(str(tmp_path / "feed.sock"), lambda: None)
    yield Metrics(run, Config(), broadcast, loop, Snapshots(Config(), broadcast))
    loop.close()


def report() -> link.Report:
    answerer = Answerer(Policy(), "")
    answerer.answer(bytes.fromhex("0001000000010000000000000161016200") + b"\0\x01\0\x01")
    samples = (
        *(("ready", "", 0.0),),
        *((name, labels, float(value)) for name, labels, value in answerer.samples()),
    )
    return link.Report(1, samples)


def test_it_parses_and_every_family_is_described(metrics: Metrics) -> None:
    text = metrics.text({"worker-0": report()})
    found = {family.name: family for family in text_string_to_metric_families(text)}
    names = {name.removesuffix("_total") for name in FAMILIES}
    assert {name.removeprefix("grpcdns_") for name in found} <= names
    for name, family in found.items():
        assert family.documentation, name
        assert family.type in ("counter", "gauge", "histogram"), name
    restarts = {s.labels["process"]: s.value for s in found["grpcdns_process_restarts"].samples}
    assert restarts == {"feed": 2}
    assert found["grpcdns_kubernetes_api_up"].samples[0].value == 0
    assert found["grpcdns_kubernetes_repaired"].samples[0].value == 3
    up = {s.labels["worker"]: s.value for s in found["grpcdns_worker_up"].samples}
    assert up == {"worker-0": 1, "worker-1": 0}
    rcodes = found["grpcdns_dns_responses"].samples
    assert [(s.labels["worker"], s.labels["rcode"]) for s in rcodes] == [("worker-0", "REFUSED")]


def test_a_sample_without_a_family_would_be_lost(metrics: Metrics) -> None:
    """Each name that a process gives is in the table."""
    for name, _, _ in report().samples:
        assert any(name.removesuffix(end) in FAMILIES for end in ("", "_bucket", "_sum", "_count"))


def test_readiness_names_what_is_missing(metrics: Metrics) -> None:
    assert metrics.missing({"worker-0": report()}) == [
        "no list of EndpointSlice yet",
        "no list of Service yet",
        "worker-0 is not serving",
        "worker-1 does not answer",
    ]


SERVING = link.Report(1, (("ready", "", 1.0),))
NOT_LISTED = "no list of EndpointSlice yet\nno list of Service yet\n"


@pytest.mark.parametrize(
    ("reports", "every", "response"),
    [
        pytest.param(
            {},
            False,
            (503, NOT_LISTED + "worker-0 does not answer\nworker-1 does not answer\n"),
            id="none",
        ),
        pytest.param(
            {"worker-0": report()},
            False,
            (503, NOT_LISTED + "worker-0 is not serving\nworker-1 does not answer\n"),
            id="one, not serving",
        ),
        pytest.param(
            {"worker-1": SERVING},
            False,
            (200, "ok\n" + NOT_LISTED + "worker-0 does not answer\n"),
            id="one, while a new feed has listed nothing yet",
        ),
        pytest.param(
            {"worker-1": SERVING},
            True,
            (503, NOT_LISTED + "worker-0 does not answer\n"),
            id="one, and all are asked for",
        ),
        pytest.param(
            {"worker-0": SERVING, "worker-1": SERVING}, True, (503, NOT_LISTED), id="both, no list"
        ),
    ],
)
def test_readiness(
    metrics: Metrics, reports: dict[str, link.Report], every: bool, response: tuple[int, str]
) -> None:
    assert metrics.readiness(reports, every=every)[:2] == response


def test_all_are_ready(metrics: Metrics, broadcast: Broadcast) -> None:
    for kind in broadcast.needed:
        broadcast.replace(kind, [])
    reports = {"worker-0": SERVING, "worker-1": SERVING}
    for every in (False, True):
        assert metrics.readiness(reports, every=every)[:2] == (200, "ok\n")


def test_histograms_are_cumulative() -> None:
    text = to_text(histogram("dns_request_duration_seconds", (0.1, 0.2), [3, 0, 2], 1.5))
    (family,) = text_string_to_metric_families(text)
    values = {s.labels.get("le", s.name[-5:]): s.value for s in family.samples}
    assert values == {"0.1": 3, "0.2": 3, "+Inf": 5, "count": 5, "s_sum": 1.5}


def test_histograms_by_a_label() -> None:
    text = to_text(histogram("dns_request_duration_seconds", (0.1,), [1, 1], 1.5, 'verb="list"'))
    (family,) = text_string_to_metric_families(text)
    assert {s.labels["verb"] for s in family.samples} == {"list"}
    assert [s.labels.get("le") for s in family.samples] == ["0.1", "+Inf", None, None]


def test_what_the_source_counts_is_served(metrics: Metrics, broadcast: Broadcast) -> None:
    requests = Requests()
    requests.took("list", "200", 0.2)
    requests.waited("list", 0.0)
    metrics = Metrics(
        metrics._run, Config(), broadcast, metrics._loop, metrics._snapshots, requests.samples
    )
    found = {family.name for family in text_string_to_metric_families(metrics.text({}))}
    assert {name for name in found if "rest_client" in name} == {
        "grpcdns_kubernetes_rest_client_requests",
        "grpcdns_kubernetes_rest_client_request_duration_seconds",
        "grpcdns_kubernetes_rest_client_rate_limiter_duration_seconds",
    }


def echo(query: str) -> Response:
    return Response(200, f"fine {query}\n")


@pytest.fixture
def server() -> Iterator[Address]:
    def broken(_query: str) -> Response:
        raise RuntimeError("on purpose")

    at = free_address()
    made = HttpServer(str(at), {"/ok": echo, "/broken": broken})
    made.start()
    yield at
    made.stop()


def test_http(server: Address) -> None:
    assert get(server, "/ok") == (200, "fine \n")
    assert get(server, "/ok?x=1&y") == (200, "fine x=1&y\n")
    assert get(server, "/none").status == 404
    assert get(server, "/broken").status == 500


@pytest.mark.parametrize(
    ("request_", "begins"),
    [
        (b"HEAD /ok HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 "),
        (b"POST /ok HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "),
        (b"GET /ok HTTP/1.0\n\n", b"HTTP/1.1 200 "),
        (b"rubbish\r\n\r\n", b""),
        (b"\xff\xff\xff\r\n\r\n", b""),
        (b"GET /" + b"x" * 20000, b""),
        (b"", b""),
    ],
)
def test_odd_requests(server: Address, request_: bytes, begins: bytes) -> None:
    with socket.create_connection((server.host, server.port), timeout=10.0) as sock:
        try:
            sock.sendall(request_)
            sock.shutdown(socket.SHUT_WR)
            reply = sock.recv(65536)
        except OSError:  # it has hung up already: reset, broken pipe, not connected
            reply = b""
    assert reply.startswith(begins)
    assert bool(reply) == bool(begins)
    assert get(server, "/ok").status == 200


def test_silent_callers_delay_no_other(server: Address) -> None:
    silent = [socket.create_connection((server.host, server.port)) for _ in range(8)]
    try:
        assert get(server, "/ok").status == 200
    finally:
        for sock in silent:
            sock.close()


def test_an_address_in_use() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        at = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(UserError) as caught:
            HttpServer(at, {})
    assert str(caught.value) == f"--metrics {at}: address already in use"
