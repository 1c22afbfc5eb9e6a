"""From the event of a change at a plain watch to the first right answer, of grpcdns and CoreDNS.

The prober is passive until the event comes: it watches the collection as an independent client, and
only then asks one server over gRPC, one question in flight, until the answer is right. The servers
take turns, a change each. So neither server is asked while the change is on its way, and both are
asked alike; each time contains the question that brought the right answer. The API's delay, from
its response to the event at the watch, is a row in the table: it is no server's.
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
"""Of each kind in each round, at each server."""
API: Final = "the API alone"
"""In place of a server: from the response to the event at the watch."""
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
        events = len(targets) * (EVENTS if setup.seconds >= 2 else 10)
        for number in range(setup.rounds):
            for at, (case, step) in enumerate(_steps(setup, events)):
                name = list(targets)[(at // 2 + number) % len(targets)]
                found = probe.step(name, **step)
                if found.after is None:
                    raise load.LoadError(f"{name}: no right answer to {step['name']}")
                results.add(name, case, number, ms=round(found.after, 3))
                results.add(API, case, number, ms=round(found.event, 3))
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
        "watch": "/api/v1/services",
        "object": f"team-0/made-{event}",
        "type": "application/json",
        "body": body,
        "name": f"made-{event}.team-0.svc.cluster.local.",
        "qtype": "A",
        "want": [address],
    }


def _change(name: Name, event: int) -> dict[str, Any]:
    address = f"10.252.{event >> 8}.{event & 255}"
    obj = slice_of(name, address)
    group = "/apis/discovery.k8s.io/v1"
    return {
        "method": "PATCH",
        "path": f"{group}/namespaces/{name.namespace}/endpointslices/{obj['metadata']['name']}",
        "watch": f"{group}/endpointslices",
        "object": f"{name.namespace}/{obj['metadata']['name']}",
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
        for server in sorted(results.servers(), key=(API, COREDNS, OURS).index):
            cells = [f"{quantile(results, server, case, q):.2f}" for q in (0.5, 0.99, 1.0)]
            cells += [
                "-" if server == API else
                results.quantile_ratio("ms", (server, case), (COREDNS, case), q).text()
                for q in (0.5, 0.99)
            ]  # fmt: skip
            rows.append([case, server, *cells])
    return table_of(heads, rows)
