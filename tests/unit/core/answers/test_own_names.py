"""Each own name of a zone is answered, listed by `all_questions` and explained."""

from __future__ import annotations

from typing import Final

import pytest

from grpcdns.core.answers.cluster_zones import answer
from grpcdns.core.answers.own_names import (
    EXTERNAL_OWN_NAMES,
    OWN_NAMES,
    OwnName,
    find_external_own_name,
    own_names_of,
)
from grpcdns.core.answers.policy import Policy, Zones
from grpcdns.core.cluster.objects import Namespace, Service
from grpcdns.core.dns.names import Name, name_to_text
from grpcdns.core.dns.wire import NOERROR, NXDOMAIN, A, question_of, type_to_text
from grpcdns.core.inspect.explain import explain
from grpcdns.core.inspect.zone import all_questions
from tests.system.cli.objects import index

POLICY: Final = Policy(
    zones=("cluster.local.", "clusterset.local."),
    multicluster=("clusterset.local.",),
    external_zones=("example.com.",),
    external_apex="here",
    dns_service="default/dns",
)
ZONES: Final = Zones(POLICY)
INDEX: Final = index(
    POLICY,
    [
        Namespace("", "default"),
        Service(
            "default", "dns", cluster_ips=("10.96.0.1", "fd00::1"),
            external_ips=("192.0.2.1", "2001:db8::1"),
        ),
    ],
)  # fmt: skip
NAMES: Final = [
    pytest.param(name, own, id=name_to_text(name))
    for zone in (*ZONES.cluster, *ZONES.external)
    for name, own in own_names_of(zone, ZONES)
]


def test_every_row_is_asked_about() -> None:
    assert len(NAMES) == 2 * len(OWN_NAMES) + len(EXTERNAL_OWN_NAMES)


@pytest.mark.parametrize(("name", "own"), NAMES)
def test_is_answered(name: Name, own: OwnName) -> None:
    for qtype in own.records:
        records = answer(question_of(name, qtype), INDEX, ZONES).sections[0]
        assert {(record.name, record.rtype) for record in records} == {(name, qtype)}
    for qtype in {A, 15, 255} - own.records.keys():
        nodata = answer(question_of(name, qtype), INDEX, ZONES)
        assert (nodata.rcode, nodata.sections[0]) == (NOERROR, [])


@pytest.mark.parametrize(("name", "own"), NAMES)
def test_is_listed(name: Name, own: OwnName) -> None:
    listed = [one.qtype for one in all_questions(INDEX, ZONES) if one.name == name]
    assert sorted(listed) == sorted(own.records)


@pytest.mark.parametrize(("name", "own"), NAMES)
def test_is_explained(name: Name, own: OwnName) -> None:
    for qtype in (A, *own.records):
        found = explain(question_of(name, qtype), INDEX, ZONES)
        assert found.asks == own.means
        assert bool(found.answer) == (qtype in own.records), type_to_text(qtype)


def test_what_is_below_the_apex_label_and_no_own_name() -> None:
    question = question_of(("x", "here", "example", "com"), A)
    assert answer(question, INDEX, ZONES).rcode == NXDOMAIN
    assert explain(question, INDEX, ZONES).asks.startswith("nothing")
    assert find_external_own_name(("ns1", "dns"), ZONES) is None


def test_a_zone_of_both_plugins_has_the_names_of_both() -> None:
    zones = Zones(Policy(zones=("example.com.",), external_zones=("example.com.",)))
    names = [name for name, _ in own_names_of(("example", "com"), zones)]
    assert ("ns1", "dns", "example", "com") in names
    assert ("dns-version", "example", "com") in names
    listed = {one.name for one in all_questions(INDEX, zones)}
    assert ("dns-version", "example", "com") in listed
    assert ("dns", "default", "svc", "example", "com") in listed
