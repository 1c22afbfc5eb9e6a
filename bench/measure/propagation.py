"""From the API's response to a change to the first right answer, of grpcdns and CoreDNS.

Both servers are asked over gRPC every quarter of a millisecond while one Service is created or one
slice is changed, so that each change is compared. Time counts from the API's response; the event
may arrive before it, so the shortest times are near zero or negative.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from ipaddress import IPv4Address
from typing import Any, Final

from bench import bootstrap, load, servers
from bench.cluster import ENDPOINTS, HEADLESS_EVERY, Name, slice_of
from bench.samples import Results
from bench.servers import COREDNS, OURS
from bench.setup import Setup, say
from bench.tables import table_of
from harness.objects import port, service

EVENTS: Final = 100
"""Of each kind in each round."""
_MADE_IPS: Final = int(IPv4Address("10.96.250.0"))
_MERGE: Final = "application/merge-patch+json"
SERVICE, SLICE = "Service created", "slice changed"


def measure(setup: Setup) -> Results:
    results = Results("propagation")
    with ExitStack() as stack:
        ours = stack.enter_context(servers.ours(setup.place, workers=2))
        peer = stack.enter_context(servers.coredns(setup.place, names=setup.names))
        targets = {OURS: ours.targets[0], COREDNS: peer.targets[0]}
        probe = stack.enter_context(load.Probe(targets, setup.api_flags))
        events = EVENTS if setup.seconds >= 2 else 10
        for number in range(setup.rounds):
            for case, step in _steps(setup, events):
                for name, milliseconds in probe.step(**step).items():
                    if milliseconds is None:
                        raise load.LoadError(f"{name}: no right answer to {step['name']}")
                    results.add(name, case, number, ms=milliseconds)
            _undo(setup, events)
            say(f"propagation: round {number + 1} of {setup.rounds}")
    return results


def _steps(setup: Setup, events: int) -> Iterator[tuple[str, dict[str, Any]]]:
    for event in range(events):
        yield SERVICE, _make(event)
        yield SLICE, _change(Name(event * HEADLESS_EVERY % setup.size), event)


def _make(event: int) -> dict[str, Any]:
    address = str(IPv4Address(_MADE_IPS + event))
    body = service(
        f"made-{event}", namespace="team-0", ports=[port(80, "http")], cluster_ips=[address]
    )
    return {
        "method": "POST",
        "path": "/api/v1/namespaces/team-0/services",
        "type": "application/json",
        "body": body,
        "name": f"made-{event}.team-0.svc.cluster.local.",
        "qtype": "A",
        "want": [address],
    }


def _change(name: Name, event: int) -> dict[str, Any]:
    address = f"10.252.{event >> 8}.{event & 255}"
    obj = slice_of(name, address)
    path = f"/apis/discovery.k8s.io/v1/namespaces/{name.namespace}/endpointslices"
    return {
        "method": "PATCH",
        "path": f"{path}/{obj['metadata']['name']}",
        "type": _MERGE,
        "body": {"endpoints": obj["endpoints"]},
        "name": name.qname,
        "qtype": "A",
        "want": [address, *(name.endpoint_ip(number) for number in range(1, ENDPOINTS))],
    }


def _undo(setup: Setup, events: int) -> None:
    setup.cluster.api.delete_all(
        service(f"made-{event}", namespace="team-0") for event in range(events)
    )
    for event in range(events):
        obj = slice_of(Name(event * HEADLESS_EVERY % setup.size))
        setup.cluster.api.patch(obj, {"endpoints": obj["endpoints"]})


def quantile(results: Results, server: str, case: str, q: float) -> float:
    """Over all rounds together."""
    return bootstrap.quantile([one.values["ms"] for one in results.find(server, case)], q)


def table(results: Results) -> str:
    heads = ("change", "server", "p50 ms", "p99 ms", "max ms", "p50 / CoreDNS", "p99 / CoreDNS")
    rows = []
    for case in results.cases():
        for server in results.servers():
            cells = [f"{quantile(results, server, case, q):.2f}" for q in (0.5, 0.99, 1.0)]
            cells += [
                results.quantile_ratio("ms", (server, case), (COREDNS, case), q).text()
                for q in (0.5, 0.99)
            ]
            rows.append([case, server, *cells])
    return table_of(heads, rows)
