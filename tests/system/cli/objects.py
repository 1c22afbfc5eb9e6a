"""A small cluster whose answers each leave something out, and its index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from grpcdns.core.answers.policy import Policy, Zones, needed_kinds
from grpcdns.core.cluster.index import Index
from grpcdns.core.cluster.objects import (
    Endpoint,
    EndpointDetails,
    EndpointSlice,
    Kind,
    Namespace,
    Object,
    Pod,
    Port,
    Service,
    ServiceImport,
    key_of,
    pack,
)
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import TYPES, question_of
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.explanation import Explanation
from tests.conformance.loading import KINDS

AT: Final = 1_700_000_000
HTTP: Final = Port("http", "TCP", 80)
DNS: Final = Port("dns", "UDP", 53)


def endpoint(
    text: str, *, ready: bool = True, hostname: str = "", zone: str = "", **details: Any
) -> Endpoint:
    kept = EndpointDetails(**details) if details else None
    return Endpoint((text,), ready, hostname, "", zone, kept)


OBJECTS: Final[Sequence[Object]] = (
    Namespace("", "default"),
    Namespace("", "shop"),
    Namespace("", "hidden"),
    Service("default", "web", cluster_ips=("10.96.0.1", "fd00::1"), ports=(HTTP,)),
    Service("default", "plain", cluster_ips=("10.96.0.2",), ports=(HTTP, DNS)),
    Service("shop", "cart", cluster_ips=("10.96.0.3",), ports=(HTTP,)),
    Service("shop", "checkout", cluster_ips=("10.96.0.4",), ports=(HTTP,)),
    Service("hidden", "cart", cluster_ips=("10.96.0.5",)),
    Service("default", "db", cluster_ips=("None",), ports=(HTTP,)),
    EndpointSlice(
        "default",
        "db-a",
        "db",
        "IPv4",
        (
            endpoint("10.1.0.1", hostname="one", zone="east"),
            endpoint("10.1.0.2", hostname="two", zone="west"),
            endpoint("10.1.0.3", ready=False, hostname="three"),
            endpoint("not-an-address"),
        ),
        (HTTP,),
    ),
    EndpointSlice("default", "db-names", "db", "FQDN", (endpoint("db.example.org"),), (HTTP,)),
    Service("default", "near", cluster_ips=("None",), traffic_distribution="PreferSameNode"),
    EndpointSlice(
        "default",
        "near-a",
        "near",
        endpoints=(
            endpoint("10.3.0.1", zone="east", node="east-1"),
            endpoint("10.3.0.2", zone="west", node="west-1"),
            endpoint("10.3.0.3", ready=False, serving=True, terminating=True),
        ),
    ),
    ServiceImport("default", "far", "Headless", traffic_distribution="PreferClose"),
    *(
        EndpointSlice(
            "default",
            f"far-{cluster}",
            "",
            endpoints=(endpoint(text),),
            imported_service="far",
            cluster=cluster,
        )
        for cluster, text in (("east", "10.4.0.1"), ("west", "10.4.0.2"))
    ),
    Service("default", "docs", "ExternalName", ("",), "www.example.org"),
    Service("default", "empty", cluster_ips=("10.96.0.6",), ports=(HTTP,)),
    ServiceImport("default", "db", "Headless", (), (HTTP,)),
    EndpointSlice(
        "default",
        "imported",
        "",
        "IPv4",
        (endpoint("10.2.0.1", hostname="one"),),
        (HTTP,),
        "db",
        "berlin",
    ),
    Pod("default", "web-1", "10.1.0.9"),
)


def index(policy: Policy, objects: Sequence[Object] = OBJECTS) -> Index:
    """An index with all kinds listed, as a worker has it."""
    made = Index(needed_kinds(policy))
    for obj in objects:
        made.apply_all(KINDS[type(obj)], [(key_of(obj), pack(obj))], AT, set())
    made.store.listed.update(Kind)
    return made


def why(name: str, qtype: str = "A", policy: Policy | None = None) -> Explanation:
    """The explanation of a name, as the command makes it."""
    policy = policy or Policy()
    question = question_of(name_from_text(name), TYPES[qtype])
    return explain(question, index(policy), Zones(policy))
