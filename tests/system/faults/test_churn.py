"""Churn: 50 slice updates a second, Services created and deleted. Memory stays flat, and the index
equals a fresh list. `make soak` runs it with ``SOAK_SECONDS=600``.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import threading
import time

import dns.message
import grpc
import pytest

from bench import usage
from grpcdns.core.answers.policy import Policy
from grpcdns.core.cluster.objects import Kind
from grpcdns.core.handler import Handler
from grpcdns.source.api.decode import Decoder, ListReader
from harness.api import Object
from harness.cluster import Cluster
from harness.grpcdns import Grpcdns
from harness.objects import endpoint_slice, port, service
from harness.waiting import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("SOAK_SECONDS", "15"))
RATE = 50
SERVICES = 40
SLICES = "discovery.k8s.io/v1"
PATHS = {
    Kind.NAMESPACE: "/api/v1/namespaces",
    Kind.SERVICE: "/api/v1/services",
    Kind.ENDPOINT_SLICE: "/apis/discovery.k8s.io/v1/endpointslices",
}


def _slice(number: int, chance: random.Random) -> Object:
    name = f"svc-{number}"
    addresses = [f"10.1.{number}.{chance.randrange(1, 255)}" for _ in range(chance.randrange(9))]
    endpoints = [
        {"addresses": [ip], "conditions": {"ready": chance.random() < 0.8}} for ip in set(addresses)
    ]
    return endpoint_slice(f"{name}-1", name, endpoints, [port_of(80)])


def port_of(number: int) -> Object:
    return {"name": "http", "port": number, "protocol": "TCP"}


def _churn(cluster: Cluster, ended: threading.Event, failed: list[BaseException]) -> None:
    chance = random.Random(7)
    due = time.monotonic()
    try:
        for turn in itertools.count():
            due += 1 / RATE
            if ended.wait(max(0.0, due - time.monotonic())):
                return
            cluster.api.apply(_slice(chance.randrange(SERVICES), chance))
            if turn % 25 == 0:
                change = cluster.api.delete if turn % 50 else cluster.api.apply
                change(service(f"extra-{turn // 50 % 4}", ports=[port(80)]))
    except BaseException as error:
        failed.append(error)


def _fresh(cluster: Cluster) -> Handler:
    """A handler with the objects that the API lists now."""
    handler = Handler(Policy())
    for kind, path in PATHS.items():
        reader = ListReader(Decoder(kind))
        body = json.dumps(cluster.api.request("GET", path)).encode()
        items = (*reader.feed(body), *reader.finish())
        objects = [(item.key, item.body) for item in items if item.body is not None]
        for _ in handler.replace(kind, [objects], 1):
            pass
    return handler


def test_churn_leaves_memory_flat_and_the_index_equal_to_a_fresh_list(own_cluster: Cluster) -> None:
    cluster = own_cluster
    for number in range(SERVICES):
        headless = number % 2 == 0
        cluster.api.create(service(f"svc-{number}", ports=[port(80, "http")], headless=headless))
    kubeconfig = cluster.service_account_kubeconfig("grpcdns")
    with Grpcdns("--kubeconfig", kubeconfig) as grpcdns:
        ended, failed = threading.Event(), list[BaseException]()
        churn = threading.Thread(target=_churn, args=(cluster, ended, failed))
        churn.start()
        children = grpcdns.children()
        sizes: list[dict[str, float]] = []
        began = time.monotonic()
        while time.monotonic() - began < SECONDS:
            for number in range(SERVICES):
                _ask_either(grpcdns, f"svc-{number}.default.svc.cluster.local", number % 2)
            sizes.append({name: usage.memory([pid]).pss for name, pid in children.items()})
        ended.set()
        churn.join()
        assert not failed
        assert grpcdns.children() == children, "a process was restarted"

        fresh = _fresh(cluster)
        questions = [
            (f"{label}svc-{number}.default.svc.cluster.local.", qtype)
            for number in range(SERVICES)
            for label, qtype in (("", "A"), ("", "SRV"), ("_http._tcp.", "SRV"))
        ]
        for (qname, qtype), worker in itertools.product(questions, (0, 1)):
            message = dns.message.make_query(qname, qtype, id=1).to_wire()
            wanted = fresh.handle(message)
            assert isinstance(wanted, bytes)
            wait_until(
                lambda m=message, w=worker, b=wanted: _same(grpcdns.send(m, worker=w), b),  # type: ignore[misc]
                f"{qname} {qtype} as in a fresh list",
            )
        print()
        for name in children:
            series = [size[name] for size in sizes]
            early, late = series[len(series) // 3], series[-1]
            print(f"{name}: {early:.1f} MB after a third, {late:.1f} MB at the end")
            assert late < early * 1.05 + 1.0


def _ask_either(grpcdns: Grpcdns, qname: str, worker: int) -> None:
    """As CoreDNS does: when a worker sheds the query, ask the other one."""
    try:
        grpcdns.ask(qname, worker=worker)
    except grpc.RpcError:
        grpcdns.ask(qname, worker=1 - worker)


def _same(one: bytes, other: bytes) -> bool:
    """Equal except for the SOA serial and the order of records."""
    left, right = dns.message.from_wire(one), dns.message.from_wire(other)
    sections = [
        [
            {r.to_text() for rrset in section for r in rrset if rrset.rdtype != 6}
            for section in m.sections[1:]
        ]
        for m in (left, right)
    ]
    return left.rcode() == right.rcode() and sections[0] == sections[1]
