"""The objects of the cluster, and the questions about them.

A cluster of size N has N Services in N/100 namespaces, every fifth of them headless, each with one
EndpointSlice of ten ready endpoints, as the controllers write them. `bench.fill` puts them into a
real API server. The questions are those of real clusters: mostly addresses, and misses of the
search path.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, Final, NamedTuple

from harness.api import Object
from harness.objects import endpoint_slice, port, service

ENDPOINTS: Final = 10
HEADLESS_EVERY: Final = 5
PER_NAMESPACE: Final = 100
_CLUSTER_IPS: Final = int(IPv4Address("10.96.4.0"))
_POD_IPS: Final = int(IPv4Address("10.128.0.1"))
_PORTS: Final = ((80, "http"), (443, "https"))


class Name(NamedTuple):
    """A Service of the synthetic cluster, by its number."""

    number: int

    @property
    def namespace(self) -> str:
        return f"team-{self.number // PER_NAMESPACE}"

    @property
    def name(self) -> str:
        return f"service-{self.number}"

    @property
    def headless(self) -> bool:
        return self.number % HEADLESS_EVERY == 0

    @property
    def qname(self) -> str:
        return f"{self.name}.{self.namespace}.svc.cluster.local."

    @property
    def cluster_ip(self) -> str:
        return str(IPv4Address(_CLUSTER_IPS + self.number))

    def endpoint_ip(self, endpoint: int) -> str:
        return str(IPv4Address(_POD_IPS + self.number * ENDPOINTS + endpoint))


def service_of(name: Name) -> Object:
    ports = [port(number, text) for number, text in _PORTS]
    addresses = [] if name.headless else [name.cluster_ip]
    return service(
        name.name,
        namespace=name.namespace,
        ports=ports,
        headless=name.headless,
        cluster_ips=addresses,
    )


def slice_of(name: Name, first_ip: str = "") -> Object:
    """The EndpointSlice of the Service; `first_ip` replaces the address of the first endpoint."""
    endpoints = [_endpoint(name, number) for number in range(ENDPOINTS)]
    if first_ip:
        endpoints[0]["addresses"] = [first_ip]
    ports = [{"name": text, "port": number, "protocol": "TCP"} for number, text in _PORTS]
    return endpoint_slice(
        f"{name.name}-x7k2p", name.name, endpoints, ports, namespace=name.namespace
    )


def _endpoint(name: Name, number: int) -> dict[str, Any]:
    pod = f"{name.name}-{number}"
    hostname = {"hostname": pod} if name.headless else {}
    return {
        "addresses": [name.endpoint_ip(number)],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": f"node-{number}",
        "zone": f"zone-{number % 3}",
        "targetRef": {
            "kind": "Pod",
            "namespace": name.namespace,
            "name": pod,
            "uid": f"00000000-0000-4000-8000-{name.number * ENDPOINTS + number:012d}",
        },
        **hostname,
    }


class Question(NamedTuple):
    """A question and its right answer: an rcode, and the least number of records."""

    qname: str
    qtype: str
    rcode: str = "NOERROR"
    answers: int = 0


def questions(size: int) -> list[Question]:
    """About 16 for every 10 Services, shuffled, the same every time."""
    found = list(itertools.chain.from_iterable(_ask(Name(number)) for number in range(size)))
    random.Random(5).shuffle(found)
    return found


def _ask(name: Name) -> Iterator[Question]:
    addresses = ENDPOINTS if name.headless else 1
    yield Question(name.qname, "A", answers=addresses)
    if name.number % 4 == 0:  # clients ask for both families
        yield Question(name.qname, "AAAA")
    if name.number % 10 == 1:
        yield Question(f"_http._tcp.{name.qname}", "SRV", answers=1)
    if name.number % 10 == 2:
        address = IPv4Address(name.cluster_ip)
        yield Question(f"{address.reverse_pointer}.", "PTR", answers=1)
    if name.number % 10 == 3:  # a short name, completed by the search path
        space = f"{name.namespace}.svc.cluster.local."
        yield Question(f"{name.name}.{name.namespace}.{space}", "A", "NXDOMAIN")
    if name.number % 20 == 5:  # a member of a StatefulSet, by its name
        yield Question(f"{name.name}-3.{name.qname}", "A", answers=1)


def write_questions(path: Path, asked: list[Question]) -> Path:
    """As `bench/load` reads them; for dnsperf see `write_plain`."""
    path.write_text("".join(f"{' '.join(map(str, one))}\n" for one in asked))
    return path


def write_plain(path: Path, asked: list[Question]) -> Path:
    path.write_text("".join(f"{one.qname} {one.qtype}\n" for one in asked))
    return path
