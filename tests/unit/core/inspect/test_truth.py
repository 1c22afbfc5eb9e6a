"""``explain`` shows the very answer that a query gets, bounds included, own names included."""

from __future__ import annotations

from typing import Final

import pytest

from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import Endpoint, EndpointSlice, Namespace, Object, Service
from grpcdns.core.cluster.reasons import Reason
from grpcdns.core.dns.names import name_from_text
from grpcdns.core.dns.wire import TYPES, A, question_of
from grpcdns.core.inspect.explain import explain
from tests.system.cli.objects import index, why

CROWD: Final = "crowd.default.svc.cluster.local"


def crowd(slices: int, endpoints: int) -> list[Object]:
    """A headless Service of so many slices of so many ready endpoints each."""
    made: list[Object] = [
        Namespace("", "default"),
        Service("default", "crowd", cluster_ips=("None",)),
    ]
    for at in range(slices):
        points = tuple(Endpoint((f"10.{at // 250}.{at % 250}.{n}",)) for n in range(endpoints))
        made.append(EndpointSlice("default", f"crowd-{at:04}", "crowd", endpoints=points))
    return made


@pytest.mark.parametrize(
    ("slices", "endpoints", "records", "last"),
    [(100, 100, 8200, "0082"), (2100, 1, 2048, "2048")],
)
def test_the_bounds_of_an_answer_are_explained(
    slices: int, endpoints: int, records: int, last: str
) -> None:
    policy = Policy()
    question = question_of(name_from_text(CROWD), A)
    found = explain(question, index(policy, crowd(slices, endpoints)), Zones(policy))
    assert len(found.answer) == records
    assert [(one.what, one.reason) for one in found.left_out] == [
        (f"EndpointSlice default/crowd-{last}", Reason.BOUND.value)
    ]


@pytest.mark.parametrize(
    ("left", "qtype", "records", "sources"),
    [
        ("10-0-99-7.", "A", 1, ["default/crowd-0099"]),
        ("10-0-99-100.", "A", 0, ["of default/crowd with endpoint 10-0-99-100"]),
        ("_http._tcp.", "SRV", 0, []),
    ],
)
def test_slices_that_cannot_match_are_not_sources(
    left: str, qtype: str, records: int, sources: list[str]
) -> None:
    """As in an answer: of many slices only those that may have the endpoint are looked at."""
    policy = Policy()
    question = question_of(name_from_text(left + CROWD), TYPES[qtype])
    found = explain(question, index(policy, crowd(100, 100)), Zones(policy))
    assert len(found.answer) == records
    assert [one.key for one in found.sources if one.kind == "EndpointSlice"] == sources
    others = [one for one in found.left_out if one.reason == Reason.OTHER_PORT.value]
    assert len(others) == (100 if qtype == "SRV" else 0)


@pytest.mark.parametrize(
    ("name", "qtype"), [("dns-version.cluster.local", "TXT"), ("ns.dns.cluster.local", "A")]
)
def test_a_name_with_records_has_a_shape(name: str, qtype: str) -> None:
    found = why(name, qtype, Policy(dns_service="default/web"))
    assert found.answer
    assert not found.asks.startswith("nothing")
