"""The drawing of an explanation: which boxes there are, and which of them are in the answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import pytest

from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Object, Service
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import A, question_of
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.picture import MOST, MOST_ENDPOINTS, Node, picture
from tests.system.cli.objects import OBJECTS, index, why

IN = "svc.cluster.local"
NAMES = "a slice of names (addressType FQDN), not of addresses"


def drawn(name: str, qtype: str = "A", policy: Policy | None = None) -> list[str]:
    policy = policy or Policy()
    return list(lines(picture(why(name, qtype, policy), index(policy))))


def lines(nodes: Iterable[Node], depth: int = 0) -> Iterator[str]:
    for one in nodes:
        reason = f": {one.reason}" if one.reason else ""
        yield f"{'  ' * depth}{one.kind} {one.name} {one.state}{reason}"
        yield from lines(one.children, depth + 1)


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        (
            f"db.default.{IN}",
            "A",
            [
                "Namespace default used",
                "  Service default/db used",
                "    EndpointSlice default/db-a in",
                "      endpoint 10.1.0.1 in",
                "      endpoint 10.1.0.2 in",
                "      endpoint 10.1.0.3 out: not ready",
                "      endpoint not-an-address out: not an address",
                f"    EndpointSlice default/db-names out: {NAMES}",
                f"      endpoint db.example.org out: {NAMES}",
            ],
        ),
        (f"web.default.{IN}", "A", ["Namespace default used", "  Service default/web in"]),
        (f"web.nope.{IN}", "A", ["Namespace nope missing: there is none"]),
        (
            f"no.default.{IN}",
            "A",
            ["Namespace default used", "  Service default/no missing: there is none"],
        ),
        (
            f"one.db.default.{IN}",
            "A",
            [
                "Namespace default used",
                "  Service default/db used",
                "    EndpointSlice default/db-a in",
                "      endpoint 10.1.0.1 in",
                "      endpoint 10.1.0.2 out: another endpoint's name",
                "      endpoint 10.1.0.3 out: not ready",
                "      endpoint not-an-address out: not an address",
                f"    EndpointSlice default/db-names out: {NAMES}",
                f"      endpoint db.example.org out: {NAMES}",
            ],
        ),
        (
            "1.0.96.10.in-addr.arpa",
            "PTR",
            ["Namespace default used", "  Service default/web in"],
        ),
    ],
)
def test_drawings(name: str, qtype: str, expected: list[str]) -> None:
    policy = Policy(zones=("cluster.local.", "in-addr.arpa."))
    assert drawn(name, qtype, policy) == expected


def test_what_is_behind_a_cluster_ip() -> None:
    """A cluster IP is answered whether or not something is behind it: the drawing shows it."""
    points = tuple(Endpoint((f"10.7.0.{at}",), at % 2 == 0) for at in range(1, 4))
    objects = [*OBJECTS, EndpointSlice("default", "web-a", "web", endpoints=points)]
    policy = Policy()
    found = list(lines(picture(why(f"web.default.{IN}", "A", policy), index(policy, objects))))
    assert found == [
        "Namespace default used",
        "  Service default/web in",
        "    EndpointSlice default/web-a behind",
        *(f"      endpoint 10.7.0.{at} behind" for at in range(1, 4)),
    ]


def test_a_large_slice_shows_what_is_in_the_answer_first() -> None:
    points = tuple(Endpoint((f"10.7.1.{at}",), at >= 90) for at in range(100))
    objects = [
        *OBJECTS,
        Service("default", "many", cluster_ips=("None",)),
        EndpointSlice("default", "many-a", "many", endpoints=points),
    ]
    (slice_,) = service_of(objects, "many").children
    assert (len(slice_.children), slice_.more) == (MOST_ENDPOINTS, 100 - MOST_ENDPOINTS)
    assert [one.state for one in slice_.children[:11]] == ["in"] * 10 + ["out"]


@pytest.mark.parametrize("ips", [("None",), ("10.96.0.9",)], ids=["headless", "cluster IP"])
def test_of_a_service_with_many_slices_some_are_counted_only(ips: tuple[str, ...]) -> None:
    slices = [
        EndpointSlice("default", f"many-{at}", "many", endpoints=(Endpoint((f"10.8.{at}.1",)),))
        for at in range(MOST + 5)
    ]
    objects = [*OBJECTS, Service("default", "many", cluster_ips=ips), *slices]
    service = service_of(objects, "many")
    assert (len(service.children), service.more) == (MOST, 5)


def service_of(objects: Sequence[Object], name: str) -> Node:
    """The drawing of a Service in the namespace default, of whose name the addresses are asked."""
    policy = Policy()
    made = index(policy, objects)
    question = question_of(name_from_text(f"{name}.default.{IN}"), A)
    (namespace,) = picture(explain(question, made, Zones(policy)), made)
    (service,) = namespace.children
    return service
